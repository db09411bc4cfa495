"""The worker's own verdict on its audit chain."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import Answer, Rule
from popkit.rules.sides import CaseSide
from popkit.texts import Text

_OK = Text("ok {ok}", "ok {ok}")

SERVER_VERDICT_DIFFERS = Rule(
    "server_verdict_differs",
    "info",
    "audit",
    source="reference §3.10",
    holds=Text("the server's own check says the same", "サーバー自身の検査結果が同じであること"),
    meaning=Text(
        "The worker's own audit-integrity answer differs from what was recomputed.",
        "worker 自身の audit-integrity の応答が、再計算の結果と異なります。",
    ),
    advice=Text(
        "Use the recomputed result: the server's false alarms and misses are known.",
        "再計算の結果を使ってください。サーバーの誤検知と見逃しは既知のものです。",
    ),
    is_optional=True,
    applies=lambda side: side.server_verdict is not None,
)


@SERVER_VERDICT_DIFFERS.asks
def server(side: CaseSide) -> Iterator[Answer]:
    """The worker's audit-integrity, and which of the two is right where they differ."""
    found = side.server_verdict
    if found is not None:
        rule, where = SERVER_VERDICT_DIFFERS, ("worker/audit-integrity.json", "ok")
        answer = rule.held if found.agrees else rule.violated
        yield answer(where, _OK(ok=str(found.recomputed).lower()), found.text)
