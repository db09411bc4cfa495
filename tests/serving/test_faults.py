"""Faults: read from their words, decided by the seed alone, and visible in what the node says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from popkit.errors import UsageError
from popkit.serving.faults import KINDS, UNAVAILABLE_CODES, Fault, Faults, parse_fault
from popkit.serving.hindered import Hindered, jumbled
from popkit.serving.params import RpcError
from popkit.serving.replay import Replay
from tests.conftest import CASES

WIRE = {"encoding": "base64", "maxSupportedTransactionVersion": 0}


class Node:
    """A hindered node over a recorded case; remembers which faults showed."""

    def __init__(self, *specs: str, seed: int = 1, case: str = "many-periods") -> None:
        self.replay = Replay(CASES / case)
        self.node, self.number, self.shown = (
            Hindered(self.replay, Faults(seed, specs)),
            0,
            set[str](),
        )

    def ask(self, method: str, *given: Any) -> Any:
        self.number += 1
        return json.loads(bytes(self.node.answer(method, list(given), self.number, self.shown)))

    def listed(self, limit: int = 1000) -> list[str]:
        found, before = [], None
        while page := self.ask(
            "getSignaturesForAddress",
            self.replay.header.grants[0],
            {"limit": limit, "before": before},
        ):
            found += [row["signature"] for row in page]
            before = found[-1]
        return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_with_and_without_its_values(kind: str) -> None:
    assert parse_fault(kind).kind == kind
    names = [part for part in KINDS[kind].values.split(":") if part]
    values = {
        "rate": "0.5",
        "seconds": "0.25",
        "url": "http://other.invalid:81/a",
        "calls": "3",
        "code": "-32019",
    }
    fault = parse_fault(":".join([kind, *(values[name] for name in names)]))
    assert fault.rate == (0.5 if "rate" in names else 1.0)
    own = [values[name] for name in names if name != "rate"]
    assert fault.value == (own[0] if own else "")


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "x",
        "429:0",
        "429:1.1",
        "429:-1",
        "429:nan",
        "429:x",
        "429:0.5:-1",
        "429:0.5:x",
        "gap:0.5:1",
        "no-gpa:1",
        "slow:inf",
        "slow:nan",
        "too-large:0",
        "too-large:x",
        "unavailable:1",
        "unavailable:x",
        "html:0.5:0.5",
        "null:",
    ],
)
def test_a_fault_that_is_none_is_refused(spec: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--fault {spec}")):
        parse_fault(spec)


def test_a_fault_is_given_once() -> None:
    with pytest.raises(UsageError, match="give it once"):
        Faults(0, ["gap", "gap:0.5"])


def test_the_same_seed_gives_the_same_faults_and_another_gives_others() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = Faults(seed, ["429", "drop:0.5"])
        return [
            faults.strikes(kind, number) is not None
            for kind in ("429", "drop")
            for number in range(500)
        ]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    assert drawn(7)[:500] != drawn(7)[500:]
    assert 0.2 < sum(drawn(7)[:500]) / 500 < 0.4
    assert 0.4 < sum(drawn(7)[500:]) / 500 < 0.6


def test_a_rate_of_one_takes_everything_and_no_fault_nothing() -> None:
    assert all(
        Faults(0, ["gap:1"]).strikes("gap", number) == Fault("gap", 1.0) for number in range(300)
    )
    assert not any(Faults(0, ["gap:1"]).strikes("null", number) for number in range(300))
    assert not Faults()


def test_gaps_stay_gaps_whatever_the_page() -> None:
    whole = Node().listed()
    for limit in (1, 5, 1000):
        node = Node("gap")
        found = node.listed(limit)
        assert found == Node("gap").listed()
        assert 0 < len(found) < len(whole)
        assert set(found) < set(whole)
        assert node.shown == {"gap"}
    assert Node("gap", seed=2).listed() != found
    missing = next(iter(set(whole) - set(found)))
    assert node.ask("getTransaction", missing, WIRE) is not None


def test_pages_lose_the_row_where_they_join() -> None:
    whole, node = Node().listed(), Node("page-gap:1")
    found = node.listed(5)
    assert found == [signature for at, signature in enumerate(whole) if at < 5 or at % 6 != 5]
    assert node.shown == {"page-gap"}
    assert Node("page-gap:1").listed() == whole  # one page has no borders


def test_null_stays_and_null_once_passes() -> None:
    signatures = list(Node().replay.ledger.transactions)
    for spec, second in (("null", True), ("null-once", False)):
        node = Node(spec)
        first = [node.ask("getTransaction", signature, WIRE) is None for signature in signatures]
        assert 0 < sum(first) < len(first)
        assert node.shown == {spec}
        again = [node.ask("getTransaction", signature, WIRE) is None for signature in signatures]
        assert again == (first if second else [False] * len(first))


def test_a_wrong_question_stays_one() -> None:
    for spec in ("null:1", "null-once:1", "unavailable:-32011:1", "gap:1", "page-gap:1"):
        for method in ("getTransaction", "getSignaturesForAddress"):
            with pytest.raises(RpcError) as caught:
                Node(spec).ask(method, "x")
            assert caught.value.code == -32602


@pytest.mark.parametrize("code", UNAVAILABLE_CODES)
def test_a_node_without_history_says_so(code: int) -> None:
    node = Node(f"unavailable:{code}:1")
    signature, landed = next(iter(node.replay.ledger.transactions.items()))
    grant, refused = node.replay.header.grants[0], {}
    codes: set[int] = set()
    for what, method, given in (
        ("transaction", "getTransaction", [signature, WIRE]),
        ("list", "getSignaturesForAddress", [grant]),
        ("cursor", "getSignaturesForAddress", [grant, {"before": signature}]),
        ("mark", "getSignaturesForAddress", [grant, {"until": signature}]),
    ):
        try:
            node.ask(method, *given)
        except RpcError as error:
            refused[what] = error.message
            codes.add(error.code)
    assert codes == {code}
    assert "{" not in "".join(refused.values())
    if code == -32020:
        assert set(refused) == {"cursor", "mark"}
        assert signature in refused["cursor"]
    elif code in (-32011, -32019):
        assert len(refused) == 4
    else:
        assert set(refused) == {"transaction"}
        assert str(landed.slot) in refused["transaction"]
    assert node.shown == {"unavailable"}


def test_storage_that_cannot_be_reached_can_be_asked_again() -> None:
    node, outcomes = Node("unavailable:-32019"), []
    signature = next(iter(node.replay.ledger.transactions))
    for _ in range(30):
        try:
            outcomes.append(node.ask("getTransaction", signature, WIRE) is not None)
        except RpcError:
            outcomes.append(False)
    assert 0 < sum(outcomes) < 30


def test_the_slot_goes_back_and_never_ahead() -> None:
    node = Node("slot-back")
    slots = [node.ask("getSlot") for _ in range(40)]
    contexts = [
        node.ask("getMultipleAccounts", [node.replay.header.grants[0]])["context"]["slot"]
        for _ in range(40)
    ]
    for seen in (slots, contexts):
        assert max(seen) == node.replay.slot
        assert len(set(seen)) > 3
    assert slots == [Node("slot-back").node._slot(number, set()) for number in range(1, 41)]


def test_program_accounts_are_refused() -> None:
    node = Node("no-gpa")
    with pytest.raises(RpcError) as caught:
        node.ask("getProgramAccounts", node.replay.header.program_id)
    assert caught.value.code == -32010
    assert "excluded from account secondary indexes" in caught.value.message


def test_batches_are_jumbled() -> None:
    answers = [{"jsonrpc": "2.0", "result": number, "id": number} for number in range(4)]

    def seen(
        spec: str, found: list[dict[str, Any]], is_batch: bool = True
    ) -> list[tuple[Any, Any]]:
        told = jumbled(found, Faults(0, [f"{spec}:1"]), 0, is_batch, set())
        return [(answer["id"], answer["result"]) for answer in told]

    assert seen("wrong-ids", answers) == [(1, 0), (2, 1), (3, 2), (0, 3)]
    assert seen("wrong-ids", answers[1:2], False) == [("not-the-id-that-was-asked", 1)]
    assert seen("duplicate", answers) == [(number, number) for number in (0, 1, 2, 3, 0, 1, 2, 3)]
    assert seen("reorder", answers) == [(number, number) for number in (3, 2, 1, 0)]
    for spec in ("duplicate", "reorder"):
        assert seen(spec, answers[:1], False) == [(0, 0)]
    assert seen("wrong-ids", []) == []
