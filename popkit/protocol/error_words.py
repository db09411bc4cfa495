"""What each error of the program means, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from popkit.texts import Text

_COMPARE = Text(
    "Compare the proof and its place in the transaction with what the program asks for, in the "
    "order of checks in a claim.",
    "proof とそのトランザクション内の位置を、claim の検査順に沿って、プログラムの要件と比較してください。",
)


class ErrorWords(NamedTuple):
    """An error of the program in words."""

    meaning: Text
    advice: Text = _COMPARE


ERROR_WORDS: dict[str, ErrorWords] = {
    "Unauthorized": ErrorWords(
        Text(
            "The caller may not do this to the grant or the account.",
            "この grant またはアカウントを操作する権限がありません。",
        ),
    ),
    "InsufficientFunds": ErrorWords(
        Text("The vault holds too few tokens.", "vault の残高が足りません。"),
        Text(
            "The vault holds less than amount_per_period: fund the grant.",
            "vault の残高が amount_per_period に足りません。grant に入金してください。",
        ),
    ),
    "InvalidAmount": ErrorWords(
        Text("The amount is not one that the program takes.", "金額が不正です。"),
    ),
    "InvalidPeriod": ErrorWords(
        Text(
            "The length of a period is not one that the program takes.",
            "期間の長さが不正です。",
        ),
    ),
    "InvalidStartTs": ErrorWords(
        Text("The start is not one that the program takes.", "開始時刻が不正です。"),
    ),
    "InvalidPeriodIndex": ErrorWords(
        Text(
            "The claim names another period than the cluster's clock.",
            "claim の期間がクラスターの時計と一致しません。",
        ),
        Text(
            "The period is not floor((now - start_ts) / period_seconds): check the wallet's clock "
            "and the grant's terms.",
            "期間が「floor((now - start_ts) / period_seconds)」と一致しません。ウォレットの時計と grant の条件を確認してください。",
        ),
    ),
    "MintMismatch": ErrorWords(
        Text("The token account is of another mint.", "トークンアカウントの mint が異なります。"),
    ),
    "Paused": ErrorWords(
        Text("The grant is paused.", "grant は一時停止中です。"),
        Text(
            "The grant is paused: unpause it in time, as a proof that was issued for it is lost "
            "after 600 s.",
            "grant は一時停止中です。発行済みの proof は 600 秒で失われるため、それまでに再開してください。",
        ),
    ),
    "GrantExpired": ErrorWords(
        Text("The grant has expired.", "grant は期限切れです。"),
        Text(
            "The grant's expires_at has passed: claim from another grant.",
            "grant の expires_at を過ぎています。別の grant で claim してください。",
        ),
    ),
    "GrantNotStarted": ErrorWords(
        Text("The grant has not begun.", "grant はまだ開始していません。"),
    ),
    "MathOverflow": ErrorWords(
        Text("A number grew past its type.", "数値があふれました。"),
    ),
    "AllowlistRequired": ErrorWords(
        Text(
            "The grant has an allowlist, and the claim shows no place in it.",
            "この grant の claim には許可リストの証明が必要です。",
        ),
    ),
    "AllowlistNotEnabled": ErrorWords(
        Text(
            "The claim shows a place in an allowlist that the grant does not have.",
            "この grant では許可リストが有効になっていません。",
        ),
    ),
    "NotInAllowlist": ErrorWords(
        Text(
            "The claimer is not in the grant's allowlist.",
            "claimer が許可リストに含まれていません。",
        ),
        Text(
            "The claimer is not under the grant's Merkle root: check the allowlist.",
            "claimer が grant の許可リストに含まれていません。許可リストを確認してください。",
        ),
    ),
    "InvalidPopConfigAuthority": ErrorWords(
        Text("The pop-config is of another authority.", "pop-config の authority が異なります。"),
    ),
    "MissingPopSignatureInstruction": ErrorWords(
        Text(
            "No instruction stands before the claim.",
            "claim の直前に署名検証の命令がありません。",
        ),
    ),
    "InvalidPopSignatureProgram": ErrorWords(
        Text(
            "The instruction before the claim is not of the ed25519 program.",
            "claim の直前の命令が ed25519 プログラムのものではありません。",
        ),
    ),
    "InvalidPopSignatureData": ErrorWords(
        Text(
            "The ed25519 instruction does not hold one signature of one message.",
            "ed25519 命令のデータが不正です。",
        ),
    ),
    "InvalidPopSigner": ErrorWords(
        Text(
            "The proof is signed by another key than pop-config names.",
            "proof の signer が pop-config と異なります。",
        ),
        Text(
            "The message's signer is not the one in pop-config at that slot: compare pop-status "
            "with the pop-config account.",
            "メッセージの signer が、そのスロットの pop-config と異なります。pop-status と pop-config アカウントを比較してください。",
        ),
    ),
    "InvalidPopMessageVersion": ErrorWords(
        Text(
            "The proof's message is of a version that the program does not know.",
            "proof のメッセージのバージョンが不正です。",
        ),
    ),
    "InvalidPopMessageLength": ErrorWords(
        Text(
            "The proof's message has another length than its version.",
            "proof のメッセージの長さが不正です。",
        ),
    ),
    "PopProofGrantMismatch": ErrorWords(
        Text("The proof names another grant.", "proof が別の grant を指しています。"),
    ),
    "PopProofClaimerMismatch": ErrorWords(
        Text("The proof names another claimer.", "proof が別の claimer を指しています。"),
    ),
    "PopProofPeriodMismatch": ErrorWords(
        Text(
            "The proof names another period than the claim.",
            "proof の期間が claim と異なります。",
        ),
    ),
    "PopProofExpired": ErrorWords(
        Text(
            "The proof is more than 600 s from the cluster's clock.",
            "proof の発行時刻がクラスターの時計から 600 秒を超えてずれています。",
        ),
        Text(
            "Clock and issued_at differ by more than 600 s, in either direction: check the "
            "worker's clock and the time until sending.",
            "クラスターの時計と issued_at が（前後を問わず）600 秒を超えてずれています。worker の時計と送信までの時間を確認してください。",
        ),
    ),
    "PopEntryHashMismatch": ErrorWords(
        Text(
            "The proof's entry hash is not that of its fields.",
            "proof の entry hash が各フィールドと一致しません。",
        ),
    ),
    "PopHashChainBroken": ErrorWords(
        Text(
            "The proof's global link does not name the grant's head.",
            "proof の global リンクが grant の head を指していません。",
        ),
        Text(
            "The proof does not follow the grant's head: run popkit diagnose on the grant's case "
            "to see which proof is missing.",
            "proof が grant の head に続いていません。"
            "grant のケースに `popkit diagnose` を実行し、"
            "どの proof が欠けているか確認してください。",
        ),
    ),
    "PopStreamChainBroken": ErrorWords(
        Text(
            "The proof's stream link does not name the grant's stream head.",
            "proof の stream リンクが grant の stream head を指していません。",
        ),
        Text(
            "The global link held and the stream link did not: compare the worker's two heads.",
            "global リンクは合っていますが、stream リンクが合いません。worker の 2 つの head を比較してください。",
        ),
    ),
    "PopGenesisMismatch": ErrorWords(
        Text(
            "The grant's first proof does not start from GENESIS.",
            "grant の最初の proof が GENESIS から始まっていません。",
        ),
        Text(
            "The grant has no state yet and the proof does not start from GENESIS: look for an "
            "earlier first proof that never landed.",
            "grant にまだ状態がなく、proof が GENESIS から始まっていません。取り込まれなかった最初の proof を探してください。",
        ),
    ),
    "PopStateGrantMismatch": ErrorWords(
        Text("The PopState is of another grant.", "PopState が別の grant のものです。"),
    ),
    "PopReceiptCommitmentRequired": ErrorWords(
        Text(
            "The proof is of the first version, which commits to no ticket receipt.",
            "proof が参加券レシートを含まない旧バージョンです。",
        ),
    ),
    "PopAuditHashMissing": ErrorWords(
        Text("The proof's audit hash is all zeros.", "proof の audit hash が空です。"),
    ),
}
"""By the error's name, as `popkit.protocol.errors.PROGRAM_ERRORS` has it."""
