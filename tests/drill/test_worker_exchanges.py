"""The living worker against the recorded one: every exchange put to it in order, with the recorded
status and body.

Times, ids, hashes, codes and signatures are the drill's own: each stands for one of the recording,
the same one everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from popkit.drill.desk import Desk
from popkit.drill.stage import MODELS
from popkit.drill.world import World
from tests.conftest import ROOT
from tests.drill.recorded import rows_of

DATA = Path(__file__).parent.parent / "collecting" / "data"
TOKEN = "the operator's"
KINDS = {
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "hash": r"[0-9a-f]{64}",
    "event": r"evt-[0-9a-z]{4,}",
    "code": r"[A-HJ-NP-Z2-9]{6}",
    "object": r"audit/immutable/.*",
    "index": r"audit:immutable:.*",
    "stream": r"pop:evt-.*",
    "key": r"[1-9A-HJ-NP-Za-km-z]{43,44}",
    "warning": r"warn-[0-9a-f]+-\d",
    "bytes": r"[0-9A-Za-z+/]{80,}={0,2}",
}
UNSAID = {"durationMs"}
"""How long a request took."""
SIGNER_MALFORMED = "POP_SIGNER_SECRET_KEY_B64 must decode to 32-byte seed or 64-byte secret key"


class Renaming:
    """One drill value for each recorded one, and back."""

    def __init__(self) -> None:
        self.ours: dict[str, str] = {}
        self.theirs: dict[str, str] = {}

    def differs(self, recorded: Any, answered: Any, where: str = "") -> Iterator[str]:
        """Every place where an answer is another than recorded, after renaming."""
        if isinstance(recorded, dict) and isinstance(answered, dict):
            if recorded.keys() != answered.keys():
                yield f"{where}: keys {sorted(recorded)} recorded, {sorted(answered)} answered"
            for key in recorded.keys() & answered.keys() - UNSAID:
                yield from self.differs(recorded[key], answered[key], f"{where}.{key}")
        elif isinstance(recorded, list) and isinstance(answered, list):
            if len(recorded) != len(answered):
                yield f"{where}: {len(recorded)} items recorded, {len(answered)} answered"
            for at, (one, other) in enumerate(zip(recorded, answered, strict=False)):
                yield from self.differs(one, other, f"{where}[{at}]")
        elif recorded != answered and not self._stands_for(recorded, answered):
            yield f"{where}: {recorded!r} recorded, {answered!r} answered"

    def _stands_for(self, recorded: Any, answered: Any) -> bool:
        if (
            isinstance(recorded, int)
            and isinstance(answered, int)
            and min(recorded, answered) > 1_700_000_000
        ):
            return abs(recorded - answered) <= (
                2 if recorded < 1 << 34 else 5000
            )  # a second of issue, a millisecond of a quota
        if not isinstance(recorded, str) or not isinstance(answered, str):
            return False
        if (of := _told_of_event(recorded)) and of[0] == (_told_of_event(answered) or ("",))[0]:
            return self._stands_for(of[1], (_told_of_event(answered) or ("", ""))[1])
        kind = next((kind for kind, shape in KINDS.items() if re.fullmatch(shape, recorded)), None)
        if kind is None or not re.fullmatch(KINDS[kind], answered):
            return False
        if kind == "time":
            self.ours[recorded] = answered
            return True
        return (
            self.ours.setdefault(recorded, answered) == answered
            and self.theirs.setdefault(answered, recorded) == recorded
        )

    def request(self, value: Any) -> Any:
        """A recorded request in the drill's own names."""
        if isinstance(value, dict):
            return {key: self.request(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.request(item) for item in value]
        if not isinstance(value, str):
            return value
        for recorded, ours in sorted(self.ours.items(), key=lambda pair: -len(pair[0])):
            if recorded in value:
                value = value.replace(recorded, ours)
        return value


def _told_of_event(text: str) -> tuple[str, str] | None:
    found = re.fullmatch(r"(.*linked to event: )(evt-\w+)", text)
    return None if found is None else (found[1], found[2])


@pytest.mark.parametrize("era", ["strict", "strict_v2", "relaxed", "head"])
def test_every_recorded_exchange(era: str) -> None:
    rows = [json.loads(line) for line in (DATA / f"exchanges-{era}.jsonl").read_text().splitlines()]
    world = World(era, MODELS[era], "exchanges", int(rows[0]["at"]) - 1)
    desk, renaming, wrong = Desk(world.worker, TOKEN), Renaming(), []
    for number, row in enumerate(rows):
        world.ms = max(world.ms, int(row["at"] * 1000))
        _as_the_laboratory_did(desk, renaming, row)
        asked = renaming.request(row["request"])
        parts = urlsplit(asked["path"])
        headers = {"Authorization": f"Bearer {TOKEN}"} if row["authorized"] else {}
        body = b"" if asked["body"] is None else json.dumps(asked["body"]).encode()
        status, answer = desk.answer(
            asked["method"], parts.path, dict(parse_qsl(parts.query)), headers, body
        )
        recorded = row["response"]
        if _is_by_chance(recorded["body"]):
            continue
        found = list(renaming.differs(recorded["body"], answer))
        if status != recorded["status"] or found:
            wrong.append(
                f"{number} {asked['method']} {asked['path']}: {recorded['status']} {status} "
                f"{found[:4]}"
            )
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("kind", ["cutover", "refused"])
@pytest.mark.parametrize("era", ["strict", "strict_v2", "relaxed", "head"])
def test_every_request_of_a_recorded_session_from_its_start(era: str, kind: str) -> None:
    """A whole cutover, and everything that goes wrong, put to a worker that was given the recorded
    storage and bucket.
    """
    session, renaming, wrong = f"{era}-{kind}", Renaming(), []
    start = rows_of(ROOT / "data" / "sessions" / f"{era}-start.jsonl")
    world = World(
        era, MODELS[era], session, int(next(row["now"] for row in start if row["kind"] == "world"))
    )
    storage = {row["key"]: row["value"] for row in start if row["kind"] == "storage"}
    world.worker.load(
        storage, {row["key"]: row["text"] for row in start if row["kind"] == "bucket"}
    )
    desk = Desk(world.worker, TOKEN)
    for number, row in enumerate(rows_of(ROOT / "data" / "sessions" / f"{session}.jsonl"), 1):
        if row["to"] != "worker":
            continue
        world.ms = max(world.ms, int(row["at"] * 1000))
        asked, recorded = renaming.request(row["request"]), row["response"]
        parts, headers = urlsplit(asked["path"]), dict(asked.get("headers") or {})
        headers |= {"Authorization": f"Bearer {TOKEN}"} if row["authorized"] else {}
        given = asked.get("body")
        body = (
            b""
            if given is None
            else given.encode()
            if isinstance(given, str)
            else json.dumps(given).encode()
        )
        status, answer = desk.answer(
            asked["method"], parts.path, dict(parse_qsl(parts.query)), headers, body
        )
        if parts.path.endswith("/unlock") and recorded["status"] == 200:
            assert status == 200, "who agreed to the unlocking is left out"
        elif found := [
            *([] if status == recorded["status"] else [status]),
            *renaming.differs(recorded["body"], answer),
        ]:
            wrong.append(
                f"{number} {row['step']} {asked['method']} {asked['path']}: {recorded['status']} "
                f"{found[:4]}"
            )
    assert wrong == [], "\n".join(wrong)


def _is_by_chance(body: Any) -> bool:
    """Whether the recorded worker found its own sound chain broken, as rows of one millisecond are
    ordered by their hashes.
    """
    issues = body.get("issues") if isinstance(body, dict) else None
    return bool(issues) and all(
        str(issue.get("code", "")).endswith("_chain_break") for issue in issues
    )


def _as_the_laboratory_did(desk: Desk, renaming: Renaming, row: dict[str, Any]) -> None:
    """What was done to the recorded worker between two requests: an entry edited in its storage,
    its signing key taken away.
    """
    body, path = row["response"]["body"], row["request"]["path"]
    issues = body.get("issues") or [{}] if isinstance(body, dict) else [{}]
    if (
        path.startswith("/api/master/audit-integrity")
        and issues[0].get("code") == "entry_hash_mismatch"
    ):
        edited = renaming.ours[body["issues"][0]["entryHash"]]
        entry = next(entry for entry in desk.worker.entries if entry["entry_hash"] == edited)
        entry["data"] = {**entry["data"], "status": "edited"}
    if path == "/v1/school/pop-status" and body["signerConfigured"] is False:
        desk.signer_error = SIGNER_MALFORMED if desk.signer_error is None else ""
