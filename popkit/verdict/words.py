"""The words of verdicts: how each heads an answer, what it means, and what to do now."""

from __future__ import annotations

from typing import NamedTuple

from popkit.texts import Text


class VerdictWords(NamedTuple):
    """A verdict in words; `mark` heads an answer: the code word, in Japanese with what it means."""

    mark: Text
    meaning: Text
    advice: Text


VERDICT_WORDS: dict[str, VerdictWords] = {
    "broken": VerdictWords(
        Text("BROKEN", "BROKEN（断絶: 今後の proof は受理されません）"),
        Text(
            "The worker's head cannot become the chain's head any more: the program will accept "
            "no proof that the worker issues now on this grant.",
            "worker の head がチェーンの head になることはもうありません。この grant では、worker が今後発行する proof は受理されません。",
        ),
        Text(
            "Freeze the event, note the last good claim, cut over to a new grant from GENESIS, "
            "keep the old chain read-only.",
            "イベントを凍結し、直近正常点を控え、新しい grant に切り替えて GENESIS から再開し、"
            "旧チェーンは読み取り専用で保全してください。",
        ),
    ),
    "inconclusive": VerdictWords(
        Text("INCONCLUSIVE", "INCONCLUSIVE（判定不能: 証拠が足りません）"),
        Text(
            "The evidence does not decide. The answer says what is missing.",
            "証拠からは判定できません。足りないものを回答に示しています。",
        ),
        Text(
            "Collect what is missing before deciding; until then do not cut over and do not call "
            "it fine.",
            "判断する前に、足りないものを収集してください。それまでは切り替えず、正常とも扱わないでください。",
        ),
    ),
    "in_flight": VerdictWords(
        Text("IN_FLIGHT", "IN_FLIGHT（未確定: まだ取り込まれる可能性があります）"),
        Text(
            "Every proof between the chain's head and the worker's head can still land: each was "
            "issued at most 600 s before the evidence was taken.",
            "チェーンの head から worker の head までの proof は、"
            "すべてまだ取り込まれる可能性があります。"
            "どれも証拠の取得前 600 秒以内に発行されています。",
        ),
        Text(
            "Hold new claims until the time that 'can heal' names, then collect again. Do not cut "
            "over yet.",
            "「回復の見込み」に示した時刻まで新しい claim を止め、その後に再収集してください。まだ切り替えないでください。",
        ),
    ),
    "recovered": VerdictWords(
        Text("RECOVERED", "RECOVERED（回復済み: 現在は健全です）"),
        Text(
            "A chain rule refused claims, and the chain went on past them: the chain is sound now.",
            "チェーンの規則により claim が拒否されましたが、チェーンはその後も続いており、現在は健全です。",
        ),
        Text(
            "See who was refused, and whether they claimed again; the chain itself needs nothing.",
            "拒否された人と、その人が claim し直したかどうかを確認してください。チェーン自体の対応は不要です。",
        ),
    ),
    "intact": VerdictWords(
        Text("INTACT", "INTACT（健全）"),
        Text(
            "Every accepted claim follows an accepted one (or GENESIS) as its era's rules ask, "
            "the claims lead to PopState, and the worker's next proof will follow the chain's "
            "head.",
            "受理された claim はすべて、"
            "era の規則どおり受理された claim（または GENESIS）に続いており、"
            "たどると PopState に一致し、worker の次の proof はチェーンの head に続きます。",
        ),
        Text("The chain needs nothing.", "チェーンの対応は不要です。"),
    ),
    "unused": VerdictWords(
        Text("UNUSED", "UNUSED（未使用）"),
        Text(
            "Nobody has claimed from the grant and nobody holds a proof for it.",
            "この grant から claim した人も、この grant の proof を持っている人もいません。",
        ),
        Text("Nothing to do.", "対応は不要です。"),
    ),
}
"""Worst first: a case's verdict is the worst of its grants."""
