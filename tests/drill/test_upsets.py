"""What can be made to go wrong in a running drill: what a client then meets, and what was done all
the same.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pytest

from popkit.command_line.grammar import Argument
from popkit.commands.drill.upset import VERB as UPSET
from popkit.drill.live import Addresses, Drill
from popkit.drill.people import UPSETS, Hands
from popkit.drill.rehearsal import background
from popkit.drill.world import GrantHandle, sound

TOKEN = "the drill's own"


@contextmanager
def running(build: str = "relaxed", model: str = "D") -> Iterator[tuple[Hands, Addresses]]:
    world, _, _ = sound(build, model)
    world.live(50)
    drill = Drill(world, TOKEN)
    with background(drill) as listening:
        yield Hands(drill, "nothing", "{}", ""), listening


@pytest.fixture
def night() -> Iterator[tuple[Hands, Addresses]]:
    with running() as found:
        yield found


def upset(hands: Hands, what: str, value: str | None = None) -> dict[str, str]:
    return dict(hands.answer("upset", {"upset": what, "value": value})["done"])


@dataclass
class Reply:
    """What a client was answered."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def request(url: str, body: Any = None, timeout: float = 20, **headers: str) -> Reply:
    """A GET, or with a body a POST. Raises OSError or HTTPException where no answer comes."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(
        url, data, {"Content-Type": "application/json", "User-Agent": "popkit/0.1.0", **headers}
    )
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            return Reply(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.headers, error.read())


def link(
    listening: Addresses,
    handle: GrantHandle,
    number: int,
    title: str = "Event",
    timeout: float = 20,
) -> Reply:
    """Make an event as an operator does."""
    links = {
        "solanaMint": handle.mint,
        "solanaAuthority": handle.authority,
        "solanaGrantId": str(number),
    }
    body = {"title": title, "datetime": "2026/03/20", "host": "Council", **links}
    return request(
        f"{listening.worker}/v1/school/events", body, timeout, Authorization=f"Bearer {TOKEN}"
    )


def ask(url: str, method: str, *given: Any) -> Reply:
    return request(url, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(given)})


def linked(hands: Hands, number: int) -> int:
    return sum(
        row.get("solanaGrantId") == str(number) for row in hands.drill.worker.events.values()
    )


def test_a_502_after_it_was_done(night: tuple[Hands, Addresses]) -> None:
    hands, listening = night
    grant, _ = hands.newest()
    upset(hands, "answer-502")
    answer = link(listening, grant, 51)
    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (502, "text/html")
    assert linked(hands, 51) == 1
    assert link(listening, grant, 51).status == 409, "once, and then as ever"
    assert request(f"{listening.worker}/v1/school/events").status == 200


def test_an_answer_that_never_comes_and_one_that_comes_too_late(
    night: tuple[Hands, Addresses],
) -> None:
    hands, listening = night
    grant, _ = hands.newest()
    upset(hands, "answer-lost")
    with pytest.raises((OSError, http.client.HTTPException)):
        link(listening, grant, 52)
    upset(hands, "answer-late", "5")
    with pytest.raises(TimeoutError):
        link(listening, grant, 53, timeout=0.3)
    assert (linked(hands, 52), linked(hands, 53)) == (1, 1)


def test_limited_warned_frozen_and_linked_by_somebody_else(night: tuple[Hands, Addresses]) -> None:
    hands, listening = night
    grant, _ = hands.newest()
    upset(hands, "limited", "30")
    answer = link(listening, grant, 54)
    assert (answer.status, answer.json()["code"], answer.headers["Retry-After"]) == (
        429,
        "rate_limited",
        "30",
    )
    hands.answer("clock", {"seconds": 31})
    upset(hands, "warned")
    assert link(listening, grant, 54).json()["warning"]["signals"] == ["rapid_issue_attempts"]
    hands.answer("clock", {"seconds": 200})
    upset(hands, "frozen")
    assert (link(listening, grant, 54).status, linked(hands, 54)) == (423, 0)
    upset(hands, "thawed")
    assert link(listening, grant, 54).status == 201
    hands.answer("clock", {"seconds": 61})
    upset(hands, "linked", "55")
    refused = link(listening, grant, 55)
    assert (refused.status, re.sub(r"evt-\w+", "evt", refused.json()["error"])) == (
        409,
        "on-chain grant config already linked to event: evt",
    )


def test_a_large_body_reaches_the_worker_s_own_limit(night: tuple[Hands, Addresses]) -> None:
    hands, listening = night
    grant, _ = hands.newest()
    assert link(listening, grant, 56, "t" * 60_000).status == 201
    assert link(listening, grant, 57, "t" * 66_000).json()["code"] == "payload_too_large"


def test_somebody_else_makes_the_grant_or_asks_for_its_first_proof(
    night: tuple[Hands, Addresses],
) -> None:
    hands, listening = night
    grant, _ = hands.newest()
    new = hands.drill.world.handle(grant.authority, grant.mint, 58)

    def found():
        return ask(
            listening.rpc,
            "getAccountInfo",
            new.address,
            {"commitment": "processed", "encoding": "base64"},
        ).json()

    assert found()["result"]["value"] is None
    upset(hands, "made", "58")
    assert found()["result"]["value"]["space"] == 178
    upset(hands, "asked-early", new.address)
    anchors = [
        entry for entry in hands.drill.worker.entries if entry["data"].get("grant") == new.address
    ]
    assert [entry["event"] for entry in anchors] == ["POP_CLAIM_PROOF_ANCHOR"]
    assert hands.drill.worker.heads[new.address][0] != "0" * 64


def test_nodes_that_are_upset_and_well_again(night: tuple[Hands, Addresses]) -> None:
    hands, listening = night
    upset(hands, "node", "html-502:1")
    assert ask(listening.rpc, "getSlot").status == 502
    upset(hands, "node", "429:1:7")
    assert ask(listening.rpc, "getSlot").headers["Retry-After"] == "7"
    upset(hands, "node", "well")
    first = ask(listening.rpc, "getSlot").json()["result"]
    upset(hands, "second-behind", "100")
    assert ask(listening.second_rpc, "getSlot").json()["result"] < first - 50
    upset(hands, "second-behind", "0")
    upset(hands, "second-node", "other-genesis,clock:60")
    genesis = [
        ask(url, "getGenesisHash").json()["result"] for url in (listening.rpc, listening.second_rpc)
    ]
    assert genesis[0] == hands.drill.genesis != genesis[1]


def test_a_program_that_is_deployed_in_the_night() -> None:
    with running("strict", "A") as (hands, _):
        worker = hands.drill.worker
        grant, event = hands.newest()
        worker.issue(grant.address, hands.drill.world.address("nobody"), event=event)
        hands.answer("clock", {"seconds": 700})
        assert hands.answer("claim", {"count": 1})["outcomes"] == {
            "simulation refused: PopHashChainBroken": 1
        }
        upset(hands, "program", "relaxed")
        assert hands.answer("claim", {"count": 1})["outcomes"] == {"accepted": 1}


def test_a_key_by_the_calendar(night: tuple[Hands, Addresses]) -> None:
    hands, listening = night
    upset(hands, "key-by-calendar", "1")

    def page():
        return request(
            f"{listening.worker}/v1/school/pop-status", Authorization=f"Bearer {TOKEN}"
        ).json()

    first = page()
    assert (
        first["signerMode"],
        first["legacySignerEnabled"],
        first["signerRotation"]["intervalDays"],
    ) == ("hd", False, 1)
    assert hands.answer("claim", {"count": 1})["outcomes"] == {
        "simulation refused: InvalidPopSigner": 1
    }
    hands.answer(
        "clock", {"seconds": first["signerRotation"]["nextRotateAtUnix"] - hands.drill.world.now}
    )
    second = page()
    assert second["signerRotation"]["index"] == first["signerRotation"]["index"] + 1
    assert second["signerPubkey"] != first["signerPubkey"]
    assert "signerRotation" not in request(f"{listening.worker}/v1/school/pop-status").json(), (
        "the public sees the key alone"
    )


def test_what_cannot_be_upset() -> None:
    world, _, _ = sound("strict", "A")
    hands = Hands(Drill(world, TOKEN), "nothing", "{}", "")
    for what, value in (
        ("everything", None), ("restore", None), ("warned", None), ("frozen", None), ("limited", None), ("key-by-calendar", None),
        ("answer-502", "-1"), ("answer-late", "99999"), ("linked", "a"), ("made", None), ("program", "newest"), ("node", "well"),
        ("second-behind", "3"), ("asked-early", "no key"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"."):
            hands.answer("upset", {"upset": what, "value": value})
    assert not hands.drill.desk.fates
    shown = next(argument for argument in UPSET.params if argument.name == "what")
    assert isinstance(shown, Argument)
    for words in (str(shown.words), shown.words.ja):
        assert set(UPSETS) <= set(re.findall(r"[a-z][a-z0-9-]+", words)), "the help names every one"
