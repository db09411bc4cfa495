"""The sources that findings and checks cite for their rules, each in one sentence: a reader has
none of those documents.

A citation is a document with places in it (`program §1.7: 6018`, `invariants L7, L8`, `reference
§3.8; invariant W1`); what stands behind a colon only narrows it.
"""

from __future__ import annotations

import re

from popkit.texts import Text

SOURCES: dict[str, Text] = {
    "program": Text(
        "The rules of the program on chain, as its published source has them.",
        "公開されたソースコードによる、オンチェーンのプログラムの規則です。",
    ),
    "program §1.2": Text(
        "The program's instructions and their accounts: a claim creates one receipt for a claimer "
        "and period, and no instruction "
        "closes a receipt.",
        "プログラムの命令とアカウントです。claim は claimer と期間ごとにレシートを 1 つ作り、レシートを閉じる命令はありません。",
    ),
    "program §1.4": Text(
        "Each account's address is derived: the receipt's from grant, claimer and period, the "
        "vault's and PopState's from the grant.",
        "各アカウントのアドレスは導出されます。レシートは grant、claimer、期間から、vault と PopState は grant から導出します。",
    ),
    "program §1.6": Text(
        "The bytes of a PoP message, its entry hash, and the ed25519 instruction that carries its "
        "signature.",
        "PoP メッセージのバイト列、その entry hash、および署名を運ぶ ed25519 命令の形式です。",
    ),
    "program §1.7": Text(
        "The order in which the program checks a claim: its accounts, its receipt, the proof "
        "(signer, fields, at most 600 s from "
        "issued_at), "
        "the chain rule, expiry, start and period, the vault.",
        "プログラムが claim を検査する順序です。アカウント、レシート、proof（signer、各フィールド、issued_at から 600 秒以内）、"
        "チェーンの規則、"
        "期限、開始、期間、vault の順です。",
    ),
    "program §1.8": Text(
        "The chain rule: under strict rules both links of a proof must name the head in PopState, "
        "GENESIS for the first proof.",
        "チェーンの規則です。strict の規則では、proof の 2 つのリンクがどちらも PopState の head（最初の proof では GENESIS）"
        "を指す必要があります。",
    ),
    "program §1.9": Text(
        "The allowlist: the claimer's leaf and its path must hash to the Merkle root in the grant.",
        "許可リストの規則です。claimer の葉とその経路から計算したハッシュが、grant の Merkle ルートと一致する必要があります。",
    ),
    "program commit 5ceddca": Text(
        "The relaxed program: any parent is accepted, and the head moves to proofs that are not "
        "older than the newest.",
        "relaxed のプログラムです。どの親でも受理され、head は最新より古くない proof に移ります。",
    ),
    "ed25519 precompile": Text(
        "Solana's own check of ed25519 signatures, which takes no signature in a second form.",
        "Solana 自体の ed25519 署名検証です。同じ署名の別の表現は認めません。",
    ),
    "invariant L1": Text(
        "A claim landed without an error, and the instruction before it is an ed25519 instruction "
        "of one signature.",
        "claim がエラーなく取り込まれ、直前の命令が署名 1 つの ed25519 命令であること。",
    ),
    "invariant L2": Text(
        "A message's length fits its version.", "メッセージの長さがバージョンに合っていること。"
    ),
    "invariant L3": Text(
        "The message names the grant, claimer and period of its own claim.",
        "メッセージの grant、claimer、期間が claim と一致すること。",
    ),
    "invariant L4": Text(
        "The entry hash is the hash of the message's fields.",
        "entry hash がメッセージの各フィールドのハッシュと一致すること。",
    ),
    "invariant L5": Text(
        "The proof's signer is the one that pop-config named at that slot.",
        "proof の signer が、そのスロットの pop-config の signer であること。",
    ),
    "invariant L6": Text(
        "The receipt stands at the derived address, holds the claim's grant, claimer and period, "
        "and was written within 600 s of "
        "issued_at.",
        "レシートが導出されたアドレスにあり、claim の grant、claimer、期間を含み、issued_at から 600 秒以内に書かれていること。",
    ),
    "invariant L7": Text(
        "The period is the one that the grant's terms give for the receipt's time.",
        "期間が、grant の条件とレシートの時刻から求めたものと一致すること。",
    ),
    "invariant L8": Text(
        "The claim moved exactly the amount of the grant's terms from the vault to the claimer.",
        "claim により、grant の条件どおりの金額が vault から claimer に移動したこと。",
    ),
    "invariant L9": Text(
        "Under strict rules the accepted claims follow one another from GENESIS to PopState.",
        "strict の規則では、受理された claim が GENESIS から PopState まで順につながっていること。",
    ),
    "invariant L10": Text(
        "Under relaxed rules PopState holds an accepted claim with the newest issued_at.",
        "relaxed の規則では、PopState が issued_at の最も新しい受理された claim であること。",
    ),
    "invariant W1": Text(
        "Every row of the audit chain hashes to its entry hash, and both of its links name the "
        "rows before it.",
        "監査チェーンの各行のハッシュが entry hash と一致し、2 つのリンクが前の行を指すこと。",
    ),
    "invariant W2": Text(
        "The stored heads of the audit chain are its newest rows.",
        "保存された監査チェーンの head が、最新の行であること。",
    ),
    "invariant W3": Text(
        "A row of the storage and its bucket objects hold the same text.",
        "ストレージの行とバケットのオブジェクトの内容が一致すること。",
    ),
    "invariant W4": Text(
        "A ticket receipt repeats its audit entry, field by field, and its hash covers it.",
        "参加券レシートの各項目が監査エントリと一致し、ハッシュがその全体を含むこと。",
    ),
    "invariant X1": Text(
        "A proof's audit hash is an entry, or a ticket receipt, of this worker's audit chain.",
        "proof の audit hash が、この worker の監査チェーンのエントリまたは参加券レシートであること。",
    ),
    "invariant X2": Text(
        "An anchor and the landed proof name the same grant, claimer, period and parents.",
        "アンカーと取り込まれた proof の grant、claimer、期間、親が一致すること。",
    ),
    "invariant X3": Text(
        "A record of an on-chain claim names a transaction that exists, was accepted and is of "
        "that wallet and event.",
        "on-chain claim の記録が、実在し、受理され、そのウォレットとイベントのものであるトランザクションを示すこと。",
    ),
    "invariant X4": Text(
        "A proof that did not land within ten minutes is abandoned; a landed claim without a "
        "record is not synced.",
        "10 分以内に取り込まれなかった proof は放棄されたもの、記録のない claim は未同期のものとして扱います。",
    ),
    "runbook §2": Text("One event has one grant.", "1イベント = 1grant とします。"),
    "runbook §4": Text(
        "The recovery in five steps: freeze, find the last good claim, cut over, keep the old "
        "chain, verify.",
        "5 つの復旧手順です。凍結、直近正常点の特定、切り替え、旧チェーンの保全、事後検証の順に行います。",
    ),
    "runbook Step 3": Text(
        "The old chain and its grant stay as they are, read-only, as evidence.",
        "旧チェーンとその grant は書き換えず、読み取り専用の証跡として残します。",
    ),
    "design §4": Text(
        "The form of a case: one value per key, times in unix seconds, every listed transaction "
        "given.",
        "ケースの形式です。キーごとに値は 1 つ、時刻は UNIX 秒で、一覧にあるトランザクションはすべて含まれます。",
    ),
    "design §5": Text(
        "popkit's definitions of verdicts, causes and eras, and of what proves them.",
        "判定、原因、era と、その証明方法についての popkit の定義です。",
    ),
    "design §6": Text(
        "popkit's definitions of the fields of findings.json; a proof's second of issue is its "
        "anchor's, unless a record confirms another.",
        "findings.json の各項目についての popkit の定義です。proof の発行時刻は、別の記録で確認できない限りアンカーの秒とします。",
    ),
    "design §7": Text(
        "Hashes, signatures and addresses are recomputed and never taken from a server.",
        "ハッシュ、署名、アドレスは再計算し、サーバーの値をそのまま使いません。",
    ),
    "design §8": Text(
        "A cutover: plan, steps, journal and record; a record changes no exit code unless the "
        "chain contradicts it.",
        "切り替え: 計画、手順、ジャーナル、記録。チェーンと矛盾しない限り、記録は終了コードを変えません。",
    ),
    "reference §1.11": Text(
        "A receipt-gated worker asks for a ticket receipt, and binds it to no wallet, no grant and "
        "no single use.",
        "参加券レシートを要求する worker は、レシートをウォレットにも grant にも 1 回限りの使用にも紐付けません。",
    ),
    "reference §3.2": Text(
        "How the worker issues a proof: an audit entry (the anchor), a history record and both "
        "heads.",
        "worker の proof 発行手順です。監査エントリ（アンカー）、履歴の記録、2 つの head を書き込みます。",
    ),
    "reference §3.6": Text(
        "How the worker makes and checks ticket receipts.",
        "worker による参加券レシートの作成と検査の方法です。",
    ),
    "reference §3.7": Text(
        "What the worker's master endpoints show: audit-logs lists the fifty newest rows, and "
        "whoever holds the token can add rows.",
        "worker の管理用 API の内容です。audit-logs は最新 50 行を返し、トークンを持つ人は行を追加できます。",
    ),
    "reference §3.8": Text(
        "How an audit entry is written: hashed over its canonical form, linked to the newest row "
        "and to its stream's newest row, "
        "stored twice.",
        "監査エントリの書き込み方法です。正規化した形でハッシュを計算し、最新の行と同じ stream の最新の行にリンクし、2 か所に保存します。",
    ),
    "reference §3.9": Text(
        "Which objects of the immutable bucket belong to an audit entry.",
        "監査エントリに対応する監査バケットのオブジェクトです。",
    ),
    "reference §3.10": Text(
        "What the worker's own integrity check leaves out: older rows, stored heads, second "
        "copies, ticket receipts.",
        "worker 自身の整合性検査が見ないもの（古い行、保存された head、2 つ目の写し、参加券レシート）です。",
    ),
    "reference §5": Text(
        "The incidents that the system's history shows.", "システムの履歴から分かる過去の事象です。"
    ),
    "incident 16": Text(
        "create_grant on a running grant rewrites its terms, ends its pause and clears its "
        "allowlist.",
        "使用中の grant に create_grant を実行すると、条件が書き換わり、一時停止が解除され、許可リストが消えます。",
    ),
    "trap 26": Text(
        "Whoever holds the audit-log token can write any audit event: an entry alone proves "
        "nothing.",
        "監査ログのトークンを持つ人は任意の監査イベントを書き込めます。エントリだけでは何の証明にもなりません。",
    ),
    "How to Verify": Text(
        "The public procedure to verify a claim without trusting the server.",
        "サーバーを信用せずに claim を検証する公開手順です。",
    ),
    "How to Verify 1": Text(
        "Fetch the claim's transaction from a node.",
        "claim のトランザクションをノードから取得します。",
    ),
    "How to Verify 2": Text(
        "Check that an ed25519 instruction stands right before the claim, and that the claim is of "
        "the program.",
        "claim の直前に ed25519 命令があり、claim がこのプログラムのものであることを確認します。",
    ),
    "How to Verify 3": Text(
        "Check the proof's signer against pop-config, and its fields against the claim.",
        "proof の signer を pop-config と、各フィールドを claim と照合します。",
    ),
    "How to Verify 4": Text(
        "Derive the receipt's address and check that the account exists.",
        "レシートのアドレスを導出し、アカウントが存在することを確認します。",
    ),
    "How to Verify 5": Text(
        "Check the amount that moved, and PopState.", "移動した金額と PopState を確認します。"
    ),
}
"""What each cited place says, by its citation."""

_KINDS = re.compile(
    r"(program commit|program|invariants?|runbook|design|reference|How to Verify|(?:the )?ed25519 precompile)\b"
)
_PLACES = re.compile(
    r"§\d+(?:\.\d+)?|Step \d|\b[LWX]\d+(?:-[LWX]\d+)?|(?:trap|incident) \d+|\b[0-9a-f]{7}\b"
)


def sources_in(citation: str) -> list[str]:
    """The sources that a citation names, in its order, each as `SOURCES` names it; [] for a text
    that cites nothing.
    """
    found: list[str] = []
    for part in citation.split(";"):
        kind = _KINDS.match(part.strip())
        if kind is None:
            continue
        found += _places_of(kind[1], part.strip()[kind.end() :].split(":")[0])
    return list(dict.fromkeys(found))


def _places_of(kind: str, places: str) -> list[str]:
    if kind.endswith("ed25519 precompile"):
        return ["ed25519 precompile"]
    if kind == "How to Verify":
        return [f"{kind}{''.join(re.findall(r' [0-9]', places)[:1])}"]
    named = _PLACES.findall(places)
    if kind.startswith("invariant"):
        return [f"invariant {name}" for place in named for name in _range(place)]
    return [
        place if place.startswith(("trap", "incident")) else f"{kind} {place}" for place in named
    ] or [kind]


def _range(place: str) -> list[str]:
    """L1-L4 as L1, L2, L3, L4."""
    first, _, last = place.partition("-")
    return [f"{first[0]}{n}" for n in range(int(first[1:]), int((last or first)[1:]) + 1)]
