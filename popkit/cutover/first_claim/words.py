"""What a canary says when it stops, and what to do then."""

from __future__ import annotations

from typing import NamedTuple

from popkit.texts import Text


class Words(NamedTuple):
    """Why it stopped, and what to do."""

    sentence: Text
    advice: Text


COUNTDOWN = Text(
    "The canary's proof was issued and its claim has not landed: it can be sent for {seconds} more "
    "seconds. In the strict eras the new "
    "grant is lost after that.",
    "カナリアの proof は発行済みですが、claim がまだ取り込まれていません。あと {seconds} 秒の間だけ送信できます。strict の era では、"
    "それを過ぎると新しい grant は使えなくなります。",
)
RESUME = Text(
    "Remove the cause and run this step again within {seconds} seconds: it sends the same proof. "
    "Do not ask for another proof.",
    "原因を取り除き、{seconds} 秒以内にこの手順をもう一度実行してください。同じ proof を送信します。別の proof は要求しないでください。",
)
BURNT = Words(
    Text(
        "The canary's proof can land no more, and in this era nobody can claim on the new grant "
        "before it has landed: the new grant is "
        "lost.",
        "カナリアの proof はもう取り込まれません。この era のプログラムでは、その proof が取り込まれるまで新しい grant で誰も claim "
        "できないため、新しい grant は使えません。",
    ),
    Text(
        "Do not announce the new grant. Give it up (`popkit cutover abandon`), which brings its "
        "tokens back, and plan anew.",
        "新しい grant を告知しないでください。`popkit cutover abandon` で破棄するとトークンが戻ります。その後、計画し直してください。",
    ),
)
NOT_FIRST = Words(
    Text(
        "Somebody has claimed on the new grant already, so that the canary would not be first.",
        "新しい grant ではすでに誰かが claim しているため、カナリアは最初の claim になりません。",
    ),
    Text(
        "Verify that claim instead; when it holds, the grant works. Find out who learned of the "
        "grant before it was announced.",
        "代わりにその claim を検証してください。成立していれば grant は機能しています。告知前に grant を知った人がいる理由も"
        "調べてください。",
    ),
)
NOT_READY = Words(
    Text(
        "The canary was not begun, as its claim would fail: {checks}. No proof was asked for.",
        "claim が失敗する状態のため、カナリアを始めていません: 「{checks}」。proof は要求していません。",
    ),
    Text(
        "Put right what is named (the journal has what was expected and found) and run this step "
        "again. Nothing is lost by waiting.",
        "挙げられた点を直し（期待した値と実際の値はジャーナルにあります）、この手順をもう一度実行してください。待っても失われるものはありません。",
    ),
)
NO_TICKET = Words(
    Text(
        "The worker gave no sound ticket receipt for the canary's participation: {checks}. No "
        "proof was asked for.",
        "カナリアの参加について、worker から正しい参加券レシートが得られていません: 「{checks}」。proof は要求していません。",
    ),
    Text(
        "Look whether the worker's audit store works (runtime-status), then run this step again; "
        "if it stays so, let another wallet of "
        "yours take the first claim.",
        "worker の監査記録の保存先が動作しているか（runtime-status）を確認し、この手順をもう一度実行してください。変わらない場合は、"
        "別のご自身のウォレットで最初の claim を行ってください。",
    ),
)
PROOF_WRONG = Words(
    Text(
        "The worker's proof is not what the first proof of the new grant must be: {checks}. It was "
        "not sent.",
        "worker の proof は、新しい grant の最初の proof として正しくありません: 「{checks}」。送信していません。",
    ),
    Text(
        "Do not announce the new grant. Where the links do not begin at GENESIS, a proof was "
        "issued before: to somebody else, or to an "
        "earlier run of this step whose answer was lost. Give the grant up (`popkit cutover "
        "abandon`) and plan anew. Where the signer "
        "differs, compare the worker's key with pop-config first.",
        "新しい grant を告知しないでください。リンクが GENESIS から始まっていなければ、先に別の proof が発行されています（別の人への"
        "発行か、この手順の以前の実行で応答が失われたもの）。`popkit cutover abandon` で破棄し、計画し直してください。signer が異なる"
        "場合は、まず worker の鍵と pop-config を比べてください。",
    ),
)
OUTCOMES = {
    "failed": Words(
        Text(
            "The canary's claim landed and was refused: {error}.",
            "カナリアの claim は取り込まれましたが、拒否されました: {error}。",
        ),
        Text(
            "Remove the cause, and run this step again.",
            "原因を取り除き、この手順をもう一度実行してください。",
        ),
    ),
    "expired": Words(
        Text(
            "The canary's claim never landed, which is proven on both endpoints ({error}).",
            "カナリアの claim は取り込まれていません。両方のノードで確認済みです（{error}）。",
        ),
        Text("Run this step again.", "この手順をもう一度実行してください。"),
    ),
    "unknown": Words(
        Text(
            "Whether the canary's claim landed is not known.",
            "カナリアの claim が取り込まれたかどうかは分かりません。",
        ),
        Text(
            "Run this step again: it looks for the claim on the chain first, and sends nothing new "
            "while that is not known.",
            "この手順をもう一度実行してください。まずチェーン上の claim を確認し、分からない間は新しい送信を行いません。",
        ),
    ),
}
WITHOUT_TRACE = Words(
    Text(
        "The canary's receipt and the transaction that made it are not both visible at this node.",
        "カナリアのレシートと、それを作ったトランザクションの両方を、このノードで見ることができません。",
    ),
    Text(
        "Run this step again, a little later, or with another node.",
        "少し待つか、別のノードで、この手順をもう一度実行してください。",
    ),
)
OTHER_CANARY = Words(
    Text(
        "An earlier run of this step had another {fields}; a canary is gone on with as it was "
        "begun.",
        "この手順の以前の実行とは {fields} が異なります。カナリアは始めたときと同じ条件で続ける必要があります。",
    ),
    Text(
        "Use the same wallet and event as before.",
        "以前と同じウォレットとイベントを使ってください。",
    ),
)
