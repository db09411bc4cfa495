"""What the worker's refusals mean and what to do about each, in words; which refusal an answer is
stands in `answers`.

The facts are those of the recorded sessions with the real worker of four eras.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from popkit.texts import Text

Kind = Literal[
    "created",
    "done",
    "already_linked",
    "warned",
    "frozen",
    "limited",
    "refused",
    "no_route",
    "not_known",
]
"""How a request ended. `created` a new event; `done` anything else that was asked for; `not_known`:
it may or may not have been done.
"""


class Meaning(NamedTuple):
    """The kind of an answer, what it means, and what to do (and not to do) about it."""

    kind: Kind
    sentence: Text
    advice: Text


MEANINGS: dict[str, Meaning] = {
    "created": Meaning(
        "created",
        Text("The worker made the event {event}.", "worker がイベント {event} を作成しました。"),
        Text(
            "Compare the answer and a GET of the event with the plan, all three Solana fields.",
            "この応答とイベントの GET の結果を、Solana の 3 項目すべてについて計画と比べてください。",
        ),
    ),
    "done": Meaning(
        "done",
        Text("The worker did what was asked.", "worker は要求どおりに処理しました。"),
        Text(
            "Nothing needs to be done about this answer.", "この応答について行うことはありません。"
        ),
    ),
    "already_linked": Meaning(
        "already_linked",
        Text(
            "The worker made no event, as the grant is linked to the event {event} already.",
            "grant がすでにイベント {event} に紐づいているため、worker はイベントを作成しませんでした。",
        ),
        Text(
            "Read that event and compare it with the plan: an earlier attempt, or somebody else, "
            "may have made it. Do not try another "
            "spelling of the grant id. An ended event keeps its link, so that the grant can have "
            "no other event.",
            "そのイベントを読み、計画と比べてください。以前の試行か別の人が作成した可能性があります。grant ID の表記を変えて"
            "試さないでください。終了したイベントも紐づけを保つため、その grant に別のイベントは作れません。",
        ),
    ),
    "warned": Meaning(
        "warned",
        Text(
            "The worker made no event and warned of misuse ({signals}).",
            "worker はイベントを作成せず、不正の疑いを警告しました（{signals}）。",
        ),
        Text(
            "Wait 121 seconds until the warning has lapsed, remove its cause (words in title or "
            "host, more than two attempts a minute, a "
            "user agent that looks like a robot), look whether the event exists, and try once. "
            "Never send the header that overrides the "
            "warning: it freezes the operator's account.",
            "警告が消えるまで 121 秒待ち、原因（タイトルや主催者の語、1 分間に 3 回以上の試行、自動ツールに見える User-Agent）を"
            "取り除き、イベントの有無を確かめてから 1 回だけ試してください。警告を無視するためのヘッダーは決して送らないで"
            "ください。運営者のアカウントが凍結されます。",
        ),
    ),
    "frozen": Meaning(
        "frozen",
        Text(
            "The worker did nothing, as this operator's account is frozen.",
            "この運営者のアカウントが凍結されているため、worker は何も行いませんでした。",
        ),
        Text(
            "Ask the master operator to lift the freeze on the worker's admin page; waiting does "
            "not lift it. Claims go on meanwhile. Do "
            "not try with another operator's token: the event would belong to them.",
            "マスター運営者に、worker の管理画面で凍結を解除してもらってください。待っても解除されません。その間も claim は"
            "続けられます。別の運営者のトークンで試さないでください。イベントがその運営者のものになります。",
        ),
    ),
    "day_limit": Meaning(
        "limited",
        Text(
            "The worker made no event, as this operator has made as many as it allows in 24 hours; "
            "the next is allowed in {seconds} "
            "seconds.",
            "この運営者が 24 時間に作れるイベント数の上限に達したため、worker はイベントを作成しませんでした。次に作れるのは"
            " {seconds} 秒後です。",
        ),
        Text(
            "Wait that long. The new grant stays usable, and nothing else of the cutover is lost "
            "by waiting.",
            "その時間だけ待ってください。新しい grant はそのまま使え、待つことで切替の他の部分が失われることはありません。",
        ),
    ),
    "too_many": Meaning(
        "limited",
        Text(
            "The worker answered nothing but that it is asked too often; it may be asked again in "
            "{seconds} seconds.",
            "worker は、要求が多すぎるとだけ答えました。{seconds} 秒後に再び要求できます。",
        ),
        Text(
            "Wait that long, stop other programs that ask this worker from the same place, and "
            "look again.",
            "その時間だけ待ち、同じ場所からこの worker に要求している他のプログラムを止め、もう一度確認してください。",
        ),
    ),
    "unauthorized": Meaning(
        "refused",
        Text(
            "The worker did nothing, as it does not accept the operator's token.",
            "worker が運営者のトークンを受け付けないため、何も行われませんでした。",
        ),
        Text(
            "Check that the environment variable holds the token of this worker's operator, "
            "without spaces or a line end. Do not guess: "
            "the worker counts failed logins.",
            "環境変数に、この worker の運営者のトークンが空白や改行なしで入っていることを確かめてください。推測で試さないで"
            "ください。worker はログインの失敗を数えています。",
        ),
    ),
    "bad_request": Meaning(
        "refused",
        Text(
            "The worker did nothing, as it does not accept the request: {words}.",
            "worker は要求を受け付けませんでした: 「{words}」。",
        ),
        Text(
            "Nothing was changed. Compare the request with the plan; a plan that the worker does "
            "not accept must be made anew.",
            "何も変更されていません。要求を計画と比べてください。worker が受け付けない計画は作り直す必要があります。",
        ),
    ),
    "not_found": Meaning(
        "refused",
        Text(
            "The worker did nothing, as it does not know what was named: {words}.",
            "指定された対象を worker が知りません: 「{words}」。",
        ),
        Text(
            "Check the event's id and the worker's address: another worker, or one whose storage "
            "was put back, does not know it.",
            "イベント ID と worker のアドレスを確かめてください。別の worker や、ストレージを戻された worker はその対象を知りません。",
        ),
    ),
    "no_route": Meaning(
        "no_route",
        Text("This worker has no such function.", "この worker にその機能はありません。"),
        Text(
            "Nothing was changed. An older worker can neither close nor change an event: leave the "
            "old event as it is, and announce that "
            "it is not to be used. If this worker is not an old one, check its address.",
            "何も変更されていません。古い worker はイベントの終了も変更もできません。旧イベントはそのままにし、使わないよう"
            "告知してください。この worker が古いものでなければ、アドレスを確かめてください。",
        ),
    ),
    "conflict": Meaning(
        "refused",
        Text(
            "The worker refused, as its records say otherwise: {words}.",
            "worker の記録と合わないため拒否されました: 「{words}」。",
        ),
        Text(
            "Nothing was changed. Keep the answer, and look at what the worker's records say "
            "before anything is tried again.",
            "何も変更されていません。この応答を保存し、再び試す前に worker の記録を確認してください。",
        ),
    ),
    "wants_code": Meaning(
        "refused",
        Text(
            "The worker did not register the transaction, as its confirmation code did not come "
            "with it.",
            "確認コードが添えられていないため、worker はトランザクションを登録しませんでした。",
        ),
        Text(
            "Send the same transaction again with the confirmation code of the participation; this "
            "can be repeated without harm.",
            "参加時の確認コードを添えて、同じトランザクションをもう一度登録してください。繰り返しても害はありません。",
        ),
    ),
    "too_large": Meaning(
        "refused",
        Text(
            "The worker did nothing, as the request is too large (413).",
            "要求が大きすぎるため、worker は何も行いませんでした（413）。",
        ),
        Text(
            "Shorten the event's title and host, and plan anew.",
            "イベントのタイトルと主催者を短くし、計画を作り直してください。",
        ),
    ),
    "sink_down": Meaning(
        "refused",
        Text(
            "The worker did nothing, as the store for its audit records does not work.",
            "監査記録の保存先が動作していないため、worker は何も行いませんでした。",
        ),
        Text(
            "Have the worker's audit store repaired before going on: without it every claim is "
            "refused too.",
            "先へ進む前に、worker の監査記録の保存先を直してください。直るまでは claim もすべて拒否されます。",
        ),
    ),
    "failed": Meaning(
        "not_known",
        Text(
            "The worker failed (HTTP {status}), and it is not known whether it had done what was "
            "asked before it failed.",
            "worker で障害が起きました（HTTP {status}）。要求された処理が障害の前に行われたかどうかは分かりません。",
        ),
        Text("{look}", "{look}"),
    ),
    "unreadable": Meaning(
        "not_known",
        Text(
            "What came back cannot be read as the worker's answer ({how}), and it is not known "
            "whether the worker did what was asked.",
            "返されたものを worker の応答として読めません（{how}）。要求された処理が行われたかどうかは分かりません。",
        ),
        Text("{look}", "{look}"),
    ),
}

LOOK: dict[str, Text] = {
    "event": Text(
        "Do not send it again: look first whether an event is linked to the grant, and only when a "
        "look shows that there is none, try once "
        "more.",
        "再送しないでください。まず grant に紐づくイベントの有無を確認し、ないと確かめられた場合だけもう 1 回試してください。",
    ),
    "close": Text(
        "Read the event: its state says whether it was closed. Closing it again does no harm.",
        "イベントを読んでください。終了したかどうかは `state` で分かります。もう一度終了しても害はありません。",
    ),
    "proof": Text(
        "The worker's head may have moved though no proof came back. Do not ask again in an era "
        "whose program wants an unbroken chain: "
        "look for an anchor that names the grant first. If there is one, the first claim can only "
        "be made by that lost proof, and the "
        "new grant must be given up.",
        "proof が返らなくても、worker の head は進んだ可能性があります。プログラムが連続したチェーンを求める era では、再び要求"
        "しないでください。まず、この grant を指すアンカーの有無を確認してください。あれば、失われたその proof でしか最初の claim を"
        "行えないため、新しい grant は破棄する必要があります。",
    ),
    "participation": Text(
        "Ask once more for the same wallet and event: the worker keeps one participation for them, "
        "and answers with its code.",
        "同じウォレットとイベントでもう 1 回要求してください。worker は参加を 1 件だけ保持し、そのコードを返します。",
    ),
    "registration": Text(
        "Register the same transaction once more: the worker keeps one participation for a wallet "
        "and an event. The claim itself is on the "
        "chain and is not touched by this.",
        "同じトランザクションをもう 1 回登録してください。worker は 1 つのウォレットとイベントにつき参加を 1 件だけ保持します。"
        "claim 自体はチェーン上にあり、影響を受けません。",
    ),
    "reading": Text(
        "Ask once more, a little later. Reading changes nothing but one entry of the worker's "
        "audit records for each request.",
        "少し待ってもう 1 回要求してください。読み取りで増えるのは、要求ごとに worker の監査記録のエントリ 1 件だけです。",
    ),
}
