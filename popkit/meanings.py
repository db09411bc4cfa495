"""What verdicts, causes and program errors mean, and what to do about each, in both languages."""

from __future__ import annotations

from popkit.texts import Text

VERDICT_MARKS: dict[str, Text] = {
    "broken": Text("BROKEN", "BROKEN（断絶: 今後の proof は受理されません）"),
    "inconclusive": Text("INCONCLUSIVE", "INCONCLUSIVE（判定不能: 証拠が足りません）"),
    "in_flight": Text("IN_FLIGHT", "IN_FLIGHT（未確定: まだ取り込まれる可能性があります）"),
    "recovered": Text("RECOVERED", "RECOVERED（回復済み: 現在は健全です）"),
    "intact": Text("INTACT", "INTACT（健全）"),
    "unused": Text("UNUSED", "UNUSED（未使用）"),
}
"""A verdict as a headline: the code word, and in Japanese what it means beside it."""

AUDIT_VERDICTS: dict[str, Text] = {
    "holds": Text("holds", "holds（異常なし）"),
    "violated": Text("violated", "violated（異常あり）"),
    "cannot tell": Text("cannot tell", "判断できません"),
}

VERDICT_MEANINGS: dict[str, tuple[Text, Text]] = {
    "broken": (
        Text(
            "The worker's head cannot become the chain's head any more: the program will accept no proof that the worker issues now on "
            "this grant.",
            "worker の head がチェーンの head になることはもうありません。この grant では、worker が今後発行する proof は受理されません。",
        ),
        Text(
            "Freeze the event, note the last good claim, cut over to a new grant from GENESIS, keep the old chain read-only.",
            "イベントを凍結し、直近正常点を控え、新しい grant に切り替えて GENESIS から再開し、"
            "旧チェーンは読み取り専用で保全してください。",
        ),
    ),
    "inconclusive": (
        Text(
            "The evidence does not decide. The answer says what is missing.",
            "証拠からは判定できません。足りないものを回答に示しています。",
        ),
        Text(
            "Collect what is missing before deciding; until then do not cut over and do not call it fine.",
            "判断する前に、足りないものを収集してください。それまでは切り替えず、正常とも扱わないでください。",
        ),
    ),
    "in_flight": (
        Text(
            "Every proof between the chain's head and the worker's head can still land: each was issued at most 600 s before the "
            "evidence "
            "was taken.",
            "チェーンの head から worker の head までの proof は、すべてまだ取り込まれる可能性があります。どれも証拠の取得前 600 "
            "秒以内に発行されています。",
        ),
        Text(
            "Hold new claims until the time that 'can heal' names, then collect again. Do not cut over yet.",
            "「回復の見込み」に示した時刻まで新しい claim を止め、その後に再収集してください。まだ切り替えないでください。",
        ),
    ),
    "recovered": (
        Text(
            "A chain rule refused claims, and the chain went on past them: the chain is sound now.",
            "チェーンの規則により claim が拒否されましたが、チェーンはその後も続いており、現在は健全です。",
        ),
        Text(
            "See who was refused, and whether they claimed again; the chain itself needs nothing.",
            "拒否された人と、その人が claim し直したかどうかを確認してください。チェーン自体の対応は不要です。",
        ),
    ),
    "intact": (
        Text(
            "Every accepted claim follows an accepted one (or GENESIS) as its era's rules ask, the claims lead to PopState, and the "
            "worker's next proof will follow the chain's head.",
            "受理された claim はすべて、era の規則どおり受理された claim（または GENESIS）に続いており、たどると PopState に一致し、"
            "worker の次の proof はチェーンの head に続きます。",
        ),
        Text("The chain needs nothing.", "チェーンの対応は不要です。"),
    ),
    "unused": (
        Text(
            "Nobody has claimed from the grant and nobody holds a proof for it.",
            "この grant から claim した人も、この grant の proof を持っている人もいません。",
        ),
        Text("Nothing to do.", "対応は不要です。"),
    ),
}

CAUSE_MEANINGS: dict[str, tuple[Text, Text]] = {
    "abandoned_proof": (
        Text(
            "A proof of this worker past the chain's head was never accepted and can land no more: it was never sent, or it was burnt.",
            "チェーンの head より先にある worker の proof が受理されず、もう取り込まれません。送信されなかったか、失効しています。",
        ),
        Text(
            "Cut over to a new grant; ask why the wallet did not send the proof.",
            "新しい grant に切り替え、ウォレットが proof を送信しなかった理由を確認してください。",
        ),
    ),
    "genesis_mismatch": (
        Text(
            "The lost proof was the grant's first, so that no claim of the grant can ever be accepted.",
            "失われた proof がこの grant の最初のものだったため、この grant では claim が一切受理されません。",
        ),
        Text("Cut over to a new grant.", "新しい grant に切り替えてください。"),
    ),
    "out_of_order": (
        Text(
            "The program refused a claim because an earlier proof was still on its way; both landed later.",
            "先に取り込まれるはずの proof がまだ届いていなかったため、claim が拒否されました。どちらも後で取り込まれています。",
        ),
        Text(
            "Nothing to repair. Let fewer wallets claim at once, or use the relaxed program, to avoid it.",
            "修復は不要です。避けるには、同時に claim するウォレットを減らすか、relaxed のプログラムを使ってください。",
        ),
    ),
    "foreign_issuer": (
        Text(
            "A proof is validly signed by the configured key, but this worker's complete audit chain does not hold it: a second issuer "
            "has the key.",
            "設定された鍵で正しく署名された proof が、完全な worker の監査チェーンにありません。別の発行者が鍵を持っています。",
        ),
        Text(
            "Stop the other issuer and rotate the key before the new grant opens.",
            "新しい grant を始める前に、もう一方の発行者を止め、鍵を交換してください。",
        ),
    ),
    "worker_head_reset": (
        Text(
            "This worker issued from GENESIS on a grant that already had state: its storage was emptied.",
            "すでに状態のある grant に対して、worker が GENESIS から発行しました。ストレージが空になっています。",
        ),
        Text(
            "Cut over to a new grant; find out what emptied the storage.",
            "新しい grant に切り替え、ストレージが空になった原因を調べてください。",
        ),
    ),
    "worker_head_rollback": (
        Text(
            "This worker issued from an entry older than its own newest one: a backup was restored.",
            "worker が、自身の最新のエントリより古いエントリから発行しました。バックアップが復元されています。",
        ),
        Text(
            "Cut over to a new grant; never restore the worker's heads alone.",
            "新しい grant に切り替えてください。worker の head だけを復元しないでください。",
        ),
    ),
    "stream_divergence": (
        Text(
            "The global link names the chain's head and the stream link names another entry; no sound worker writes that.",
            "global リンクはチェーンの head を指し、stream リンクは別のエントリを指しています。正常な worker では起こりません。",
        ),
        Text(
            "Cut over to a new grant; find out who wrote the worker's storage.",
            "新しい grant に切り替え、worker のストレージを誰が書き換えたか調べてください。",
        ),
    ),
    "signer_mismatch": (
        Text(
            "The worker's signer was not the one that pop-config named at that slot.",
            "worker の signer が、そのスロットの pop-config の signer と異なっていました。",
        ),
        Text(
            "Set pop-config with upsert_pop_config; proofs burnt meanwhile stay burnt, so that a strict grant needs a cutover as well.",
            "upsert_pop_config で pop-config を設定してください。その間に失効した proof は元に戻らないため、strict の grant "
            "では切り替えも必要です。",
        ),
    ),
    "proof_expired": (
        Text(
            "A proof on the chain's head was sent more than 600 s from its issue.",
            "チェーンの head の上の proof が、発行から 600 秒を過ぎて送信されました。",
        ),
        Text("Cut over; check clocks and slow wallets.", "切り替えたうえで、時計と遅いウォレットを確認してください。"),
    ),
    "duplicate_claim": (
        Text(
            "A proof was issued for a period whose receipt already existed: the account creation failed and the proof is burnt.",
            "レシートがすでに存在する期間に対して proof が発行されました。アカウントの作成に失敗し、proof は失効しました。",
        ),
        Text(
            "Cut over; let the page check the receipt before it asks for a proof.",
            "切り替えたうえで、proof を要求する前に画面側でレシートの有無を確認するようにしてください。",
        ),
    ),
    "not_in_allowlist": (
        Text(
            "A proof was issued for a wallet outside the allowlist, and the program refused the claim.",
            "許可リストにないウォレットに proof が発行され、claim が拒否されました。",
        ),
        Text("Cut over; check wallets before issuing.", "切り替えたうえで、発行前にウォレットを確認してください。"),
    ),
    "paused": (
        Text(
            "A wallet held a proof while the grant was paused; the program refused the proof and the wallet did not send it again in time.",
            "grant の一時停止中に proof を持っていたウォレットの claim が拒否され、期限内に再送されませんでした。",
        ),
        Text("Cut over; stop proofs before pausing.", "切り替えてください。今後は一時停止の前に proof の発行を止めてください。"),
    ),
    "grant_expired": (
        Text("A proof was issued for a grant past its expiry.", "期限を過ぎた grant に対して proof が発行されました。"),
        Text("Close the event before the grant expires.", "grant の期限より前にイベントを終了してください。"),
    ),
    "vault_empty": (
        Text(
            "The vault held less than one period's amount when the proof was sent.",
            "proof の送信時に、vault の残高が 1 期間分の金額に足りませんでした。",
        ),
        Text("Fund the new grant for all claims.", "新しい grant には、すべての claim に足りる額を入金してください。"),
    ),
    "wrong_period": (
        Text("A proof was sent in another period than it was issued for.", "proof が、発行時とは別の期間に送信されました。"),
        Text("Cut over; take the period from the cluster's clock.", "切り替えたうえで、期間はクラスターの時計から求めてください。"),
    ),
    "grant_reuse": (
        Text(
            "Two events are linked to one grant: the chain may hold, the guard of one event per grant does not.",
            "1 つの grant に 2 つのイベントが紐付けられています。チェーンが健全でも、1イベント = 1grant のガードは破られています。",
        ),
        Text(
            "Give the later event a grant of its own: one event, one grant.",
            "後のイベントには専用の grant を用意してください（1イベント = 1grant）。",
        ),
    ),
    "unexplained": (
        Text(
            "The grant is broken and the evidence shows no cause; the answer names what was ruled out.",
            "grant は断絶していますが、証拠から原因が分かりません。除外した原因を回答に示しています。",
        ),
        Text("Collect what the coverage names.", "カバレッジに示したものを収集してください。"),
    ),
}

PROOF_CHECK = Text(
    "Compare the proof and its place in the transaction with what the program asks for, in the order of checks in a claim.",
    "proof とそのトランザクション内の位置を、claim の検査順に沿って、プログラムの要件と比較してください。",
)
ERROR_ADVICE: dict[str, Text] = {
    "PopHashChainBroken": Text(
        "The proof does not follow the grant's head: run popkit diagnose on the grant's case to see which proof is missing.",
        "proof が grant の head に続いていません。grant のケースに `popkit diagnose` を実行し、どの proof が欠けているか確認してください。",
    ),
    "PopStreamChainBroken": Text(
        "The global link held and the stream link did not: compare the worker's two heads.",
        "global リンクは合っていますが、stream リンクが合いません。worker の 2 つの head を比較してください。",
    ),
    "PopGenesisMismatch": Text(
        "The grant has no state yet and the proof does not start from GENESIS: look for an earlier first proof that never landed.",
        "grant にまだ状態がなく、proof が GENESIS から始まっていません。取り込まれなかった最初の proof を探してください。",
    ),
    "InvalidPopSigner": Text(
        "The message's signer is not the one in pop-config at that slot: compare pop-status with the pop-config account.",
        "メッセージの signer が、そのスロットの pop-config と異なります。pop-status と pop-config アカウントを比較してください。",
    ),
    "PopProofExpired": Text(
        "Clock and issued_at differ by more than 600 s, in either direction: check the worker's clock and the time until sending.",
        "クラスターの時計と issued_at が（前後を問わず）600 秒を超えてずれています。worker の時計と送信までの時間を確認してください。",
    ),
    "InvalidPeriodIndex": Text(
        "The period is not floor((now - start_ts) / period_seconds): check the wallet's clock and the grant's terms.",
        "期間が「floor((now - start_ts) / period_seconds)」と一致しません。ウォレットの時計と grant の条件を確認してください。",
    ),
    "Paused": Text(
        "The grant is paused: unpause it in time, as a proof that was issued for it is lost after 600 s.",
        "grant は一時停止中です。発行済みの proof は 600 秒で失われるため、それまでに再開してください。",
    ),
    "NotInAllowlist": Text(
        "The claimer is not under the grant's Merkle root: check the allowlist.",
        "claimer が grant の許可リストに含まれていません。許可リストを確認してください。",
    ),
    "InsufficientFunds": Text(
        "The vault holds less than amount_per_period: fund the grant.",
        "vault の残高が amount_per_period に足りません。grant に入金してください。",
    ),
    "GrantExpired": Text(
        "The grant's expires_at has passed: claim from another grant.",
        "grant の expires_at を過ぎています。別の grant で claim してください。",
    ),
}

ERROR_MEANINGS: dict[str, Text] = {
    "Unauthorized": Text("The caller may not do this to the grant or the account.",
                         "この grant またはアカウントを操作する権限がありません。"),
    "InsufficientFunds": Text("The vault holds too few tokens.", "vault の残高が足りません。"),
    "InvalidAmount": Text("The amount is not one that the program takes.", "金額が不正です。"),
    "InvalidPeriod": Text("The length of a period is not one that the program takes.", "期間の長さが不正です。"),
    "InvalidStartTs": Text("The start is not one that the program takes.", "開始時刻が不正です。"),
    "InvalidPeriodIndex": Text("The claim names another period than the cluster's clock.",
                               "claim の期間がクラスターの時計と一致しません。"),
    "MintMismatch": Text("The token account is of another mint.", "トークンアカウントの mint が異なります。"),
    "Paused": Text("The grant is paused.", "grant は一時停止中です。"),
    "GrantExpired": Text("The grant has expired.", "grant は期限切れです。"),
    "GrantNotStarted": Text("The grant has not begun.", "grant はまだ開始していません。"),
    "MathOverflow": Text("A number grew past its type.", "数値があふれました。"),
    "AllowlistRequired": Text("The grant has an allowlist, and the claim shows no place in it.",
                              "この grant の claim には許可リストの証明が必要です。"),
    "AllowlistNotEnabled": Text("The claim shows a place in an allowlist that the grant does not have.",
                                "この grant では許可リストが有効になっていません。"),
    "NotInAllowlist": Text("The claimer is not in the grant's allowlist.", "claimer が許可リストに含まれていません。"),
    "InvalidPopConfigAuthority": Text("The pop-config is of another authority.",
                                      "pop-config の authority が異なります。"),
    "MissingPopSignatureInstruction": Text("No instruction stands before the claim.",
                                           "claim の直前に署名検証の命令がありません。"),
    "InvalidPopSignatureProgram": Text("The instruction before the claim is not of the ed25519 program.",
                                       "claim の直前の命令が ed25519 プログラムのものではありません。"),
    "InvalidPopSignatureData": Text("The ed25519 instruction does not hold one signature of one message.",
                                    "ed25519 命令のデータが不正です。"),
    "InvalidPopSigner": Text("The proof is signed by another key than pop-config names.",
                             "proof の signer が pop-config と異なります。"),
    "InvalidPopMessageVersion": Text("The proof's message is of a version that the program does not know.",
                                     "proof のメッセージのバージョンが不正です。"),
    "InvalidPopMessageLength": Text("The proof's message has another length than its version.",
                                    "proof のメッセージの長さが不正です。"),
    "PopProofGrantMismatch": Text("The proof names another grant.", "proof が別の grant を指しています。"),
    "PopProofClaimerMismatch": Text("The proof names another claimer.", "proof が別の claimer を指しています。"),
    "PopProofPeriodMismatch": Text("The proof names another period than the claim.",
                                   "proof の期間が claim と異なります。"),
    "PopProofExpired": Text("The proof is more than 600 s from the cluster's clock.",
                            "proof の発行時刻がクラスターの時計から 600 秒を超えてずれています。"),
    "PopEntryHashMismatch": Text("The proof's entry hash is not that of its fields.",
                                 "proof の entry hash が各フィールドと一致しません。"),
    "PopHashChainBroken": Text("The proof's global link does not name the grant's head.",
                               "proof の global リンクが grant の head を指していません。"),
    "PopStreamChainBroken": Text("The proof's stream link does not name the grant's stream head.",
                                 "proof の stream リンクが grant の stream head を指していません。"),
    "PopGenesisMismatch": Text("The grant's first proof does not start from GENESIS.",
                               "grant の最初の proof が GENESIS から始まっていません。"),
    "PopStateGrantMismatch": Text("The PopState is of another grant.", "PopState が別の grant のものです。"),
    "PopReceiptCommitmentRequired": Text("The proof is of the first version, which commits to no ticket receipt.",
                                         "proof が参加券レシートを含まない旧バージョンです。"),
    "PopAuditHashMissing": Text("The proof's audit hash is all zeros.", "proof の audit hash が空です。"),
}  # fmt: skip
"""What each error of the program says, beside the program's own English message."""
