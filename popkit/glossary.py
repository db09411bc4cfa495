"""The words of the field, each with its meaning in both languages, and how it is said in Japanese.

This is the list of terms that popkit's Japanese keeps to. What has no Japanese word of its own
(`Term.japanese` repeats the word) stays in Latin letters there, as operators write it.
"""

from __future__ import annotations

from dataclasses import dataclass

from popkit.texts import Text


@dataclass(frozen=True, slots=True)
class Term:
    """A word, what it is called in Japanese, what it means, and what else is called so."""

    word: str
    japanese: str
    meaning: Text
    also: tuple[str, ...] = ()


_TERMS = (
    Term("grant", "grant", Text(
        "An account on chain that pays a fixed amount per claimer and period; every event has one "
        "of its own.",
        "claimer と期間ごとに一定額を支払うオンチェーンのアカウントです。1 つのイベントに 1 つの grant を使います。",
    )),
    Term("proof", "proof", Text(
        "A message, signed by the worker, that lets one claimer claim one period of a grant within "
        "600 s; it names its parent on "
        "the chain.",
        "worker が署名したメッセージです。1 人の claimer が grant の 1 期間分を 600 秒以内に claim することを許し、"
        "チェーン上の親を指します。",
    ), ("PoP proof",)),
    Term("claim", "claim", Text(
        "A transaction that presents a proof to the program; the program accepts or refuses it.",
        "proof をプログラムに提出するトランザクションです。プログラムが受理または拒否します。",
    )),
    Term("claimer", "claimer", Text("The wallet that claims.", "claim するウォレットです。")),
    Term("worker", "worker", Text(
        "The server that issues proofs, keeps the audit chain and records claims.",
        "proof を発行し、監査チェーンと claim の記録を保持するサーバーです。",
    )),
    Term("signer", "signer", Text(
        "The key with which the worker signs proofs; pop-config names the one that the program "
        "takes.",
        "worker が proof に署名する鍵です。プログラムが認める鍵は pop-config にあります。",
    )),
    Term("pop-config", "pop-config", Text(
        "The account on chain that names the signer of an authority's grants.",
        "authority の grant の signer を示すオンチェーンのアカウントです。",
    )),
    Term("chain", "チェーン", Text(
        "The accepted claims of a grant, each naming the one before it.",
        "grant の受理された claim の並びです。それぞれが直前の claim を指します。",
    ), ("hash chain",)),
    Term("head", "head", Text(
        "The end of a chain: the chain's head is the last accepted claim, the worker's head is the "
        "entry that its next proof will name.",
        "チェーンの末端です。チェーンの head は最後に受理された claim、worker の head は次の proof が指すエントリです。",
    )),
    Term("entry", "エントリ", Text(
        "One link of a chain, named by its hash: a proof's entry hash, or a row of the audit chain.",
        "チェーンの 1 要素で、ハッシュで識別します。proof の entry hash、または監査チェーンの行です。",
    )),
    Term("entry hash", "entry hash", Text(
        "The hash of a proof's fields (or of an audit entry's canonical form), by which the next "
        "one names it.",
        "proof の各フィールド（または監査エントリの正規化した形）のハッシュです。次の要素はこの値で親を指します。",
    )),
    Term("audit hash", "audit hash", Text(
        "The field of a proof that names its audit entry, or the ticket receipt that it rests on.",
        "proof のフィールドで、対応する監査エントリ、または元になった参加券レシートを指します。",
    )),
    Term("GENESIS", "GENESIS", Text(
        "The start of a chain: 64 zeros in place of a parent.", "チェーンの起点です。親の代わりに 64 桁のゼロを使います。"
    )),
    Term("PopState", "PopState", Text(
        "The account on chain that holds the head of a grant's chain.",
        "grant のチェーンの head を保持するオンチェーンのアカウントです。",
    ), ("pop-state",)),
    Term("anchor", "アンカー", Text(
        "The entry of the audit chain that the worker writes when it issues a proof "
        "(POP_CLAIM_PROOF_ANCHOR).",
        "worker が proof を発行するときに監査チェーンに書き込むエントリです（POP_CLAIM_PROOF_ANCHOR）。",
    )),
    Term("era", "era", Text(
        "The version of the program in force at a slot: pre_pop, strict, strict_v2 or relaxed; its "
        "rules decide what was accepted.",
        "あるスロットで有効だったプログラムのバージョンです（pre_pop、strict、strict_v2、relaxed）。"
        "何が受理されるかはその規則で決まります。",
    ), ("pre_pop", "strict", "strict_v2", "relaxed")),
    Term("period", "期間", Text(
        "A stretch of a grant's time in which each claimer may claim once, counted from the "
        "grant's start.",
        "grant の開始から数えた区間です。claimer は 1 期間に 1 回だけ claim できます。",
    )),
    Term("receipt", "レシート", Text(
        "The account that an accepted claim creates for its claimer and period; while it exists no "
        "second claim is possible.",
        "受理された claim が claimer と期間ごとに作るアカウントです。これがある限り、同じ期間に 2 回目の claim はできません。",
    )),
    Term("ticket receipt", "参加券レシート", Text(
        "What the worker gives for an off-chain claim: a hashed statement that repeats an audit "
        "entry.",
        "off-chain の claim に対して worker が発行するものです。監査エントリの内容とそのハッシュを含みます。",
    )),
    Term("audit chain", "監査チェーン", Text(
        "The worker's log: entries, each hashed and linked to the one before it.",
        "worker のログです。各エントリはハッシュを持ち、直前のエントリにつながっています。",
    )),
    Term("stream", "stream", Text(
        "One of the two chains that a proof or an audit entry links into: the global one, and that "
        "of its grant or event.",
        "proof や監査エントリがつながる 2 つの系列のうち、grant またはイベントごとのものです（もう一方は global です）。",
    )),
    Term("global", "global", Text(
        "The first of the two links of a proof or an audit entry: to the entry before it, whatever "
        "its stream.",
        "proof や監査エントリの 2 つのリンクのうち、stream に関係なく直前のエントリを指すものです。",
    ), ("global link",)),
    Term("in flight", "未確定", Text(
        "Issued, not yet accepted, and still able to land.", "発行済みでまだ受理されておらず、取り込まれる可能性が残っている状態です。"
    ), ("on the way",)),
    Term("land", "取り込まれる", Text(
        "To be included in a block, whether the program accepts or refuses.",
        "ブロックに取り込まれることです。受理されるとは限りません。",
    )),
    Term("burnt", "失効", Text(
        "Of a proof: refused by a rule other than the chain's and never accepted; under strict "
        "rules nothing can follow it.",
        "チェーン以外の規則で拒否され、受理されないままの proof の状態です。strict の規則では、その後に続く proof は受理されません。",
    )),
    Term("break", "断絶", Text(
        "The state of a grant whose worker's head cannot become the chain's head any more.",
        "worker の head がチェーンの head になり得なくなった grant の状態です。",
    )),
    Term("race", "race", Text(
        "Two proofs on one parent where the rules are relaxed: no rule is broken.",
        "relaxed の規則の下で、同じ親に 2 件の proof が続くことです。規則違反ではありません。",
    )),
    Term("fork", "fork", Text(
        "Two proofs on one parent where the rules are strict, or from two issuers.",
        "strict の規則の下で、または 2 つの発行者により、同じ親に 2 件の proof が続くことです。",
    )),
    Term("equivocation", "equivocation", Text(
        "Two different signed entries for one grant, claimer and period on one parent: the two "
        "messages alone prove it.",
        "同じ grant、claimer、期間、親に対して異なる 2 つの署名済みエントリがあることです。2 つのメッセージだけで証明できます。",
    )),
    Term("attributed", "発行者に帰属する", Text(
        "Of a refused claim: its proof is validly signed by a key of the grant's and names that "
        "grant and claimer; others are noise.",
        "拒否された claim のうち、proof が grant の鍵で正しく署名され、その grant と claimer を指すものです。それ以外は noise とします。",
    )),
    Term("attested", "裏付けのある", Text(
        "Of an anchor: something else shows the proof as well, as a history record, the row of its "
        "request or a signed message.",
        "アンカー以外にも proof を示すもの（履歴の記録、リクエストの行、署名されたメッセージ）があることです。",
    )),
    Term("cutover", "切り替え", Text(
        "The move of an event from a wedged grant to a new one that starts from GENESIS; the old "
        "chain stays as evidence.",
        "断絶した grant から、GENESIS で始まる新しい grant にイベントを移すことです。旧チェーンは証跡として残します。",
    ), ("cut over",)),
    Term("last good", "直近正常点", Text(
        "The last claim of a grant that was accepted.", "grant で最後に受理された claim です。"
    )),
    Term("vault", "vault", Text("The token account from which a grant pays.", "grant の支払い元のトークンアカウントです。")),
    Term("authority", "authority", Text("The key that owns a grant and its pop-config.", "grant と pop-config を所有する鍵です。")),
    Term("mint", "mint", Text("The token that a grant pays.", "grant が支払うトークンの種類です。")),
    Term("allowlist", "許可リスト", Text(
        "The wallets that may claim from a grant; the grant holds its Merkle root.",
        "grant から claim できるウォレットの一覧です。grant はその Merkle ルートを保持します。",
    )),
    Term("bucket", "監査バケット", Text(
        "The immutable store outside the worker that holds a copy of every audit entry.",
        "各監査エントリの写しを保持する、worker の外の書き換えられない保存先です。",
    ), ("immutable bucket",)),
    Term("sink", "書き込み先", Text(
        "A place outside the worker where an audit entry is written as well.",
        "監査エントリを書き込む worker の外の保存先です。",
    )),
    Term("case", "ケース", Text(
        "A directory of evidence as it was collected, with its manifest.",
        "収集したままの証拠とマニフェストを収めたディレクトリです。",
    )),
    Term("plan", "計画", Text(
        "The file of a cutover that says what is to be done, for whom, with what and by whom; "
        "named by its digest, never changed.",
        "切り替えで誰のために何を、何を使って、誰が行うかを示すファイルです。ダイジェストで識別し、変更しません。",
    )),
    Term("journal", "ジャーナル", Text(
        "The file of a cutover, one line an entry, each naming the hash of the one before, that "
        "decides what was done.",
        "切り替えで何を行ったかを決める、1 行 1 件のファイルです。各行が直前の行のハッシュを持ちます。",
    )),
    Term("freeze", "凍結", Text(
        "Step 0 of a cutover: the old grant is paused, once no proof of it can still land.",
        "切り替えの Step 0 です。取り込まれうる proof がなくなってから、元の grant を一時停止します。",
    )),
    Term("canary", "カナリア", Text(
        "The first claim on a new grant, by a wallet of the operator's, verified before anybody is "
        "told.",
        "新しい grant での最初の claim です。運営者のウォレットで行い、告知の前に検証します。",
    )),
    Term("marker", "マーカー", Text(
        "An empty account made in the transaction that funds a new grant: a second making fails, "
        "and with it the whole transaction.",
        "新しい grant に入金するトランザクションの中で作る空のアカウントです。二度目の作成は失敗し、トランザクション全体も失敗します。",
    )),
    Term("lamports", "lamports", Text(
        "The smallest unit of SOL, in which fees and rent are paid.", "手数料と rent を支払う、SOL の最小単位です。"
    )),
    Term("rent", "rent", Text(
        "The lamports that an account must hold, by its size; the node says how many.",
        "アカウントがサイズに応じて持たなければならない lamports です。額はノードが答えます。",
    )),
    Term("compute unit", "compute unit", Text(
        "What a transaction's work is measured in; a limit and a price for it stand in the "
        "transaction.",
        "トランザクションの処理量の単位です。上限と単価をトランザクションに書きます。",
    ), ("compute units",)),
    Term("record", "記録", Text(
        "The file that a cutover leaves, cutover.json: what was left, what took over, and the "
        "evidence for both.",
        "切り替えの結果を残すファイル `cutover.json` です。元の grant、新しい grant、両方の証拠を示します。",
    )),
)  # fmt: skip

GLOSSARY: dict[str, Term] = {term.word: term for term in _TERMS}
