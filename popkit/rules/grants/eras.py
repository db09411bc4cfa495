"""Which program was deployed when: what behaviour shows of it, and what had to be assumed."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.chain.attempts import Attempt
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import TRANSACTIONS, GrantSide
from popkit.texts import Listed, Text

_DECIDED_BY = {
    "worker model": Text("the worker's model", "worker のモデル"),
    "date": Text("the date", "日付"),
    "option": Text("an option", "オプション"),
}
_EACH_BY_A_NEWER = Text(
    "each program is replaced by a newer one", "プログラムが新しいものへ順に置き換わること"
)
_OLDER_AFTER_NEWER = Text(
    "an older program's behaviour after a newer one's",
    "新しいプログラムの後に古いプログラムの挙動が見られます",
)
_BEHAVIOUR = Text("behaviour that shows one of {eras}", "{eras} のいずれかを示す挙動")
_ASSUMED = Text("{era} is assumed, by {by}", "{by} により {era} と仮定しました")


def _has_attempts(side: GrantSide) -> bool:
    return bool(side.chain.accepted or side.chain.refused)


ERA_CONTRADICTORY = Rule(
    "era_contradictory",
    "warning",
    "grant",
    source="design §5",
    holds=Text(
        "no older program's behaviour follows a newer one's",
        "新しいプログラムの後に、古いプログラムの挙動が見られないこと",
    ),
    meaning=Text(
        "An older program's behaviour follows a newer one's.",
        "新しいプログラムの後に、古いプログラムの挙動が見られます。",
    ),
    advice=Text(
        "Check for a rollback of the program, or false logs.",
        "プログラムの巻き戻しまたはログの誤りがないか確認してください。",
    ),
    applies=_has_attempts,
)


@ERA_CONTRADICTORY.asks
def era_contradictory(side: GrantSide) -> Iterator[Answer]:
    """Whether the programs that behaviour shows stand in the order of their versions."""
    if side.chain.eras.is_contradictory:
        where = TRANSACTIONS, side.grant
        yield ERA_CONTRADICTORY.violated(where, _EACH_BY_A_NEWER(), _OLDER_AFTER_NEWER())


ERA_ASSUMED = Rule(
    "era_assumed",
    "info",
    "grant",
    source="design §5",
    holds=Text(
        "behaviour shows which program judged each claim",
        "各 claim を判定したプログラムが挙動から分かること",
    ),
    meaning=Text(
        "No behaviour shows which program was deployed; the era is taken from the worker's "
        "model, the date or an option.",
        "どのプログラムがデプロイされていたかを示す挙動がありません。worker のモデル、日付、"
        "またはオプションから era を仮定しました。",
    ),
    advice=Text(
        "Add a program dump or a log line of that time to settle it.",
        "確定するには、プログラムのダンプまたは当時のログ行を追加してください。",
    ),
    applies=_has_attempts,
)


@ERA_ASSUMED.asks
def era_assumed(side: GrantSide) -> Iterator[Answer]:
    """Each era that was assumed, with what decided, at the first attempt that was judged by it."""
    chain, first = side.chain, dict[tuple[str, str], Attempt]()
    for attempt in [*chain.accepted, *chain.refused]:
        at = chain.eras.at(attempt.slot, attempt.block_time)
        if at.decided_by != "behaviour":
            first.setdefault((at.era, at.decided_by), attempt)
    for (era, by), attempt in sorted(first.items()):
        possible = tuple(chain.eras.at(attempt.slot, attempt.block_time).possible)
        wanted = _BEHAVIOUR(eras=Listed(possible, or_=True))
        where, assumed = (TRANSACTIONS, attempt.signature), _ASSUMED(era=era, by=_DECIDED_BY[by])
        yield ERA_ASSUMED.violated(where, wanted, assumed, slot=attempt.slot)
