"""Texts for people who are not there: what claimants are to be told, and what a draft could not
check.
"""

from __future__ import annotations

from collections.abc import Sequence

from popkit.cutover.plan import Event, NewGrant, Words
from popkit.texts import Text, speak

TELL = Text(
    "{title}: tickets are given out anew. Please take part again: the old code and the old QR do "
    "not work any more. "
    "Open the new QR of “{new}” ({when}, {host}). A ticket that you have already stays yours.",
    "{title} の参加券は、新しい受付に切り替わります。以前のコードと QR は使えません。お手数ですが、"
    "新しい「{new}」（{when}、{host}）の QR からもう一度参加してください。すでに受け取った参加券はそのまま有効です。",
)
PAUSED = Text(
    "{title}: claims are paused while we look at a problem. Attendance is taken by hand; nobody "
    "loses a ticket by it. "
    "Please do not try again until we say so.",
    "{title} の参加券の受け取りを、不具合の確認のため一時停止しています。出席は手作業で記録しており、参加券が失われることはありません。"
    "再開のお知らせまで、再試行はお待ちください。",
)
UNTITLED = Text("The event", "イベント")
NOT_LOOKED = (
    Text("no node was asked: cluster, program and accounts are those of the case", "ノードには問い合わせていません。クラスター・プログラム・アカウントはケースのものです"),  # noqa: E501
    Text("no worker was asked: its signer, events and audit list are not known", "worker には問い合わせていません。署名者・イベント・監査一覧は不明です"),  # noqa: E501
    Text("the new grant's addresses were not looked at", "新しい grant のアドレスは確認していません"),
    Text("money, fees and rent were not reckoned", "残高・手数料・口座の最低残高は計算していません"),
)  # fmt: skip


def announcement(titles: Sequence[str], event: Event | None, new: NewGrant | None) -> Words:
    """What claimants are told: while it is paused, and when the new grant is verified (not before)."""
    title = next(iter(titles), None) or UNTITLED
    paused = PAUSED(title=title)
    if event is None or new is None:
        return words(paused)
    return words(
        TELL(title=title, new=event.title, when=event.datetime or "-", host=event.host or "-")
    )


def pause_notice(titles: Sequence[str]) -> Words:
    """What claimants are told before the old grant is paused."""
    return words(PAUSED(title=next(iter(titles), None) or UNTITLED))


def of_draft() -> list[Words]:
    """What a draft from the case alone could not check."""
    return [words(text) for text in NOT_LOOKED]


def words(text: str) -> Words:
    """A text in both languages, as a plan keeps it."""
    return Words(en=str(text), ja=speak(text, "ja"))
