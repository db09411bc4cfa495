"""Sent on a living drill, with everything that goes wrong on the way: at most one landing, and
never a guess.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pybase64 import b64encode

from popkit.collecting.address import Address
from popkit.cutover.errors import OutcomeUnknown, Stopped
from popkit.cutover.sending import attempts as on_disk
from popkit.cutover.sending import transactions
from popkit.cutover.sending.attempts import open_attempts, outcome_of, read_attempt
from popkit.cutover.sending.endpoint import Endpoint, Held
from popkit.cutover.sending.sending import Outcome, resume
from popkit.drill.calls import grant_call
from popkit.protocol.keys import SYSTEM_PROGRAM
from popkit.texts import LANGUAGES
from tests.conftest import ROOT
from tests.cutover.rehearsed import BEAT, PATIENCE, Rehearsed, rehearsed


def clean(outcome: Outcome) -> bool:
    return (outcome.kind, outcome.error, outcome.differences, outcome.not_checked) == (
        "landed",
        None,
        (),
        (),
    )


def resumed(r: Rehearsed, file: Path, step: str = "2", **options: Any) -> Outcome:
    options = {"sleep": r.drill.clock.skip, "beat": BEAT, "patience": PATIENCE, **options}
    return resume(file, r.first, r.second, r.journal, step, **options)


def somebody_creates(r: Rehearsed) -> None:
    """The authority's other operator makes the same grant first."""
    where = {
        "grant": r.new.grant,
        "mint": r.new.mint,
        "vault": r.new.vault,
        "authority": r.new.authority,
    }
    terms = {
        "grant_id": 99,
        "amount_per_period": 1,
        "period_seconds": 60,
        "start_ts": r.world.now,
        "expires_at": 0,
    }
    r.world.send([grant_call("create_grant", terms, where)], "school")


@pytest.mark.parametrize(
    ("faults", "second"),
    [
        ((), ()), (("lost-answer:1",), ()), (("late:40:1",), ()), (("null-status:1",), ("null-status:1",)), (("429:0.4",), ("429:0.4",)),
        (("server-error:0.3", "drop:0.3"), ()), (("lost-answer:1", "late:60:1", "null-status:1"), ()), ((), ("forgets",)),
        (("forgets",), ()),
    ],
)  # fmt: skip
def test_it_lands_once_under_every_fault_of_a_node(
    faults: tuple[str, ...], second: tuple[str, ...], tmp_path: Path
) -> None:
    with rehearsed(tmp_path, faults=faults, second=second) as r:
        r.first.attempts = r.second.attempts = 30
        prepared = r.prepared()
        outcome = r.sent(prepared)
        assert clean(outcome)
        (block,) = r.landed(prepared.signature)
        assert (outcome.slot, outcome.fee, outcome.block_time) == (
            block.slot,
            prepared.fee,
            block.time,
        )
        assert outcome.logs
        assert r.journal.kinds()[0] == "attempt"
        assert r.journal.kinds()[-1] == "outcome"
        assert open_attempts(r.attempts) == []


@pytest.mark.parametrize("build", ["strict", "strict_v2", "relaxed"])
def test_it_lands_in_every_era(build: str, tmp_path: Path) -> None:
    with rehearsed(tmp_path, build=build) as r:
        assert clean(r.sent(r.prepared()))


def test_the_bytes_are_on_disk_and_in_the_journal_before_the_first_send(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        prepared, post, order = r.prepared(), r.first.post, []

        def watched(method: str, params: Any) -> Any:
            if method == "sendTransaction":
                attempt = read_attempt(r.attempts / "2-1.json")
                order.append(
                    (
                        attempt.wire,
                        attempt.signature,
                        attempt.blockhash,
                        attempt.last_valid_height,
                        r.journal.kinds()[0],
                    )
                )
                assert params[0] == b64encode(prepared.wire).decode()
                assert params[1]["maxRetries"] == 0
                assert params[1]["skipPreflight"] is False
                assert params[1]["minContextSlot"] >= prepared.slot
            return post(method, params)

        r.first.post = watched  # type: ignore[method-assign]
        assert clean(r.sent(prepared))
        assert order[0] == (
            prepared.wire,
            prepared.signature,
            prepared.blockhash,
            prepared.last_valid_height,
            "attempt",
        )
        (_, _, facts) = r.journal.entries[0]
        assert b64encode(prepared.wire).decode() not in json.dumps(facts)
        assert facts["sha256"] == transactions.digest_of(prepared.wire)


def test_a_dropped_transaction_is_proven_expired_and_a_new_attempt_may_begin(
    tmp_path: Path,
) -> None:
    with rehearsed(tmp_path, faults=("dropped:1",)) as r:
        prepared = r.prepared()
        outcome = r.sent(prepared)
        assert (outcome.kind, outcome.error, outcome.slot) == ("expired", None, None)
        assert r.landed(prepared.signature) == []
        assert min(r.first.height(), r.second.height()) > prepared.last_valid_height
        assert r.sent(r.prepared()).kind == "expired"
        assert sorted(file.name for file in r.attempts.iterdir()) == [
            "2-1.json",
            "2-1.outcome.json",
            "2-2.json",
            "2-2.outcome.json",
        ]


def test_a_landed_failure_is_decoded_and_not_sent_again(tmp_path: Path) -> None:
    with rehearsed(tmp_path, faults=("late:40:1",)) as r:
        prepared, done = r.prepared(), []

        def slept(seconds: float) -> None:
            if not done:
                somebody_creates(r)
            done.append(seconds)
            r.drill.clock.skip(seconds)

        outcome = r.sent(prepared, sleep=slept)
        assert (outcome.kind, outcome.error) == ("failed", "Custom(0)")
        assert any("already in use" in line for line in outcome.logs)
        assert len(r.landed(prepared.signature)) == 1
        assert {row.account for row in outcome.differences} >= {
            r.new.grant
        }  # what the other one made is no effect of a failure
        assert outcome_of(read_attempt(r.attempts / "2-1.json")) == outcome


def test_a_failure_leaves_nothing_but_the_fee(tmp_path: Path) -> None:
    with rehearsed(tmp_path, faults=("late:40:1",)) as r:
        prepared = r.prepared([transactions.fund_grant(r.old, 7)])

        def slept(seconds: float) -> None:  # somebody else empties the source
            held = r.world.ledger.accounts[r.old.tokens]
            r.world.ledger.accounts[r.old.tokens] = replace(
                held, data=held.data[:64] + bytes(8) + held.data[72:]
            )
            r.drill.clock.skip(seconds)

        outcome = r.sent(prepared, sleep=slept)
        assert (outcome.kind, outcome.error, outcome.fee) == ("failed", "Custom(1)", prepared.fee)
        assert {row.account for row in outcome.differences} <= {r.old.tokens}


def test_a_refusal_before_it_is_taken_is_sent_once_and_proven(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        prepared = r.prepared()
        somebody_creates(r)
        r.drill.clock.skip(20)
        outcome = r.sent(prepared)
        assert (outcome.kind, outcome.error) == ("expired", "Custom(0)")
        assert outcome.logs
        assert r.journal.answers() == ["Custom(0)"]
        assert r.landed(prepared.signature) == []


def test_already_processed_means_landed(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        prepared = r.prepared()
        r.first.post("sendTransaction", [b64encode(prepared.wire).decode(), {"encoding": "base64"}])
        r.drill.clock.skip(40)
        assert clean(r.sent(prepared))
        assert r.journal.answers() == ["AlreadyProcessed"]
        assert len(r.landed(prepared.signature)) == 1


def test_an_undeclared_change_stops(tmp_path: Path) -> None:
    with rehearsed(tmp_path, faults=("late:20:1",)) as r:
        prepared, done = r.prepared(), []

        def slept(seconds: float) -> None:
            if not done:
                r.world.airdrop(r.handle.authority, 5)
            done.append(seconds)
            r.drill.clock.skip(seconds)

        outcome = r.sent(prepared, sleep=slept)
        assert outcome.kind == "landed"
        payer = prepared.expected[r.handle.authority]
        assert payer is not None
        assert outcome.differences == (
            on_disk.Difference(r.handle.authority, "lamports", payer.lamports, payer.lamports + 5),
        )


def test_other_bytes_under_the_same_signature_are_seen(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        prepared, fetch = r.prepared(), r.first.transaction

        def other(signature: str) -> dict[str, Any] | None:
            result = fetch(signature)
            return result and {
                **result,
                "transaction": [b64encode(prepared.wire + b"\0").decode(), "base64"],
            }

        r.first.transaction = other  # type: ignore[method-assign]
        outcome = r.sent(prepared)
        assert [row.field for row in outcome.differences] == ["bytes"]


@pytest.mark.parametrize("behind", [60, 200])
def test_a_second_node_that_lags_is_waited_for(behind: int, tmp_path: Path) -> None:
    with rehearsed(tmp_path, behind=behind) as r:
        assert clean(r.sent(r.prepared()))


def test_a_second_node_that_stands_still_is_named_and_nothing_is_taken_for_expired(
    tmp_path: Path,
) -> None:
    with rehearsed(tmp_path, second=("stands-still",)) as r:
        r.second.attempts = 2
        outcome = r.sent(r.prepared())
        assert (outcome.kind, outcome.differences) == ("landed", ())
        assert outcome.not_checked == ("accounts:second",)
        assert ["second" in text for text in outcome.unchecked] == [True]


def test_what_nobody_knows_stays_open_until_somebody_does(tmp_path: Path) -> None:
    with rehearsed(tmp_path, faults=("dropped:1",), second=("stands-still",)) as r:
        r.second.attempts = 2
        prepared = r.prepared()
        outcome = r.sent(prepared)
        assert outcome.kind == "unknown"
        (left,) = open_attempts(r.attempts)
        assert left.signature == prepared.signature
        another, entries = r.prepared(), len(r.journal.entries)
        with pytest.raises(OutcomeUnknown) as caught:
            r.sent(another)
        assert caught.value.exit_code == 3
        assert len({caught.value.in_language(language) for language in LANGUAGES}) == len(LANGUAGES)
        assert len(r.journal.entries) == entries
        assert resumed(r, left.file, patience=3).kind == "unknown"
        r.second = Endpoint(
            "second", Address(r.first.address.url), sleep=r.drill.clock.skip
        )  # a person names another node
        assert resumed(r, left.file).kind == "expired"
        r.second.close()
        assert open_attempts(r.attempts) == []


def test_a_silent_second_node_proves_nothing(tmp_path: Path) -> None:
    with rehearsed(tmp_path, faults=("dropped:1",)) as r:
        prepared = r.prepared()

        def silent(method: str, params: Any) -> Any:
            raise r.second.unanswered("nothing came")

        r.second.post = silent  # type: ignore[method-assign]
        r.second.attempts = 1
        assert r.sent(prepared, patience=15).kind == "unknown"


@pytest.mark.parametrize("second", ["other-genesis", "clock"])
def test_another_second_node_breaks_nothing(second: str, tmp_path: Path) -> None:
    with rehearsed(tmp_path, second=(second,)) as r:
        assert clean(r.sent(r.prepared()))


def test_a_first_node_that_forgets_is_not_believed(tmp_path: Path) -> None:
    """It pruned: null for the status and null for the transaction, while the other one has both."""
    with rehearsed(tmp_path) as r:
        prepared = r.prepared()
        r.first.status = r.first.transaction = lambda signature, **_: None  # type: ignore[method-assign,assignment]
        assert clean(r.sent(prepared))


@pytest.mark.parametrize("what", ["status", "transaction", "signatures"])
def test_one_history_that_has_it_is_enough_to_call_nothing_expired(
    what: str, tmp_path: Path
) -> None:
    """Behind one address stand nodes of different ages: a single answer that has these bytes
    outweighs every null.
    """
    with rehearsed(tmp_path, faults=("dropped:1",)) as r:
        prepared = r.prepared()
        found: dict[str, Any] = {
            "status": {"slot": 1, "err": None, "confirmationStatus": "processed"},
            "transaction": {"slot": 1},
            "signatures": [{"signature": prepared.signature}],
        }
        setattr(r.second, what, lambda *given, **options: found[what])
        assert r.sent(prepared, patience=15).kind == "unknown"


def hidden(endpoint: Endpoint) -> None:
    """Let a node never show a transaction that landed, nor its status; what it did is there to be
    seen.
    """
    post = endpoint.post

    def posted(method: str, params: Any) -> Any:
        answer = post(method, params)
        if method == "getTransaction":
            return None
        if method == "getSignatureStatuses":
            return {**answer, "value": [None]}
        return [] if method == "getSignaturesForAddress" else answer

    endpoint.post = posted  # type: ignore[method-assign]


@pytest.mark.parametrize("fault", [(), ("dropped:1",)])
def test_a_history_that_hides_a_transaction_does_not_hide_what_it_did(
    fault: tuple[str, ...], tmp_path: Path
) -> None:
    with rehearsed(tmp_path, faults=fault) as r:
        prepared = r.prepared()
        hidden(r.first)
        hidden(r.second)
        outcome = r.sent(prepared)
        assert len(r.landed(prepared.signature)) == (not fault)
        assert outcome.kind == ("expired" if fault else "unknown")


def test_what_somebody_else_did_alike_is_no_landing(tmp_path: Path) -> None:
    with rehearsed(tmp_path, faults=("dropped:1",)) as r:
        prepared = r.prepared([transactions.set_paused(r.old)])
        r.world.tick(3)
        r.world.switch(
            r.handle, "set_paused", {"paused": True}
        )  # the same payer, the same call, the same accounts after it
        outcome = r.sent(prepared)
        assert outcome.kind == "expired"
        assert r.first.accounts([r.old.grant])[r.old.grant] == prepared.expected[r.old.grant]


@pytest.mark.parametrize("liar", ["status", "transaction", "both"])
def test_a_contradiction_is_no_failure_that_could_be_tried_again(liar: str, tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        prepared, post = r.prepared(), r.first.post
        err = {"InstructionError": [0, {"Custom": 1}]}

        def lying(method: str, params: Any) -> Any:
            answer = post(method, params)
            if method == "getSignatureStatuses" and liar != "transaction" and answer["value"][0]:
                answer["value"][0]["err"] = err
            if method == "getTransaction" and liar != "status" and answer:
                answer["meta"]["err"] = err
            return answer

        r.first.post = lying  # type: ignore[method-assign]
        outcome = r.sent(prepared)
        assert (outcome.kind, outcome.error) == ("landed", None)
        assert [row.field for row in outcome.differences] == ["err"]


def test_a_status_from_before_the_look_proves_nothing(tmp_path: Path) -> None:
    with rehearsed(tmp_path, faults=("dropped:1",)) as r:
        prepared, post = r.prepared(), r.second.post

        def old(method: str, params: Any) -> Any:
            answer = post(method, params)
            return (
                {**answer, "context": {"slot": 5}} if method == "getSignatureStatuses" else answer
            )

        r.second.post = old  # type: ignore[method-assign]
        assert r.sent(prepared, patience=15).kind == "unknown"


def test_neither_node_gives_the_accounts_so_that_nothing_is_taken_for_equal(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        prepared = r.prepared()

        def silent(keys: Any) -> Any:
            raise r.first.unanswered("nothing came")

        r.first.accounts = r.second.accounts = silent  # type: ignore[method-assign]
        outcome = r.sent(prepared)
        assert outcome.kind == "landed"
        assert {row.field for row in outcome.differences} == {"not_looked_at"}
        assert outcome.not_checked == ("accounts:first", "accounts:second")
        assert (
            len(
                {text.in_language(language) for text in outcome.unchecked for language in LANGUAGES}
            )
            == 4
        )


class Killed(BaseException):
    """The process is gone at this point."""


def killed_at(point: int, r: Rehearsed, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count every fsync, journal entry and send, before and after it; raise Killed at one of them.
    Returns the points as they pass.
    """
    passed: list[str] = []

    def counted(what: str, done: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            for when in ("before", "after"):
                if when == "after":
                    result = done(*args, **kwargs)
                passed.append(f"{when} {what}")
                if len(passed) == point:
                    raise Killed
            return result

        return wrapper

    post, write = r.first.post, r.journal.write

    def posted(method: str, params: Any) -> Any:
        return (
            counted("send", post)(method, params)
            if method == "sendTransaction"
            else post(method, params)
        )

    monkeypatch.setattr(on_disk.os, "fsync", counted("fsync", os.fsync))
    monkeypatch.setattr(on_disk.Path, "replace", counted("rename", Path.replace))
    monkeypatch.setattr(r.first, "post", posted)
    monkeypatch.setattr(r.journal, "write", counted("entry", write))
    return passed


@pytest.mark.parametrize("fault", [(), ("dropped:1",)])
def test_killed_anywhere_it_leaves_nothing_or_an_attempt_that_is_settled(
    fault: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met, kinds = set(), set()
    with rehearsed(tmp_path, faults=fault) as r:
        for point in count(1, 3 if fault else 1):
            r.attempts = tmp_path / str(point)
            calls = [
                transactions.fund_grant(r.old, point)
            ]  # at most once: a second landing would be paid twice
            prepared = r.prepared(calls)
            with monkeypatch.context() as patch:
                passed = killed_at(point, r, patch)
                try:
                    r.sent(prepared)
                except Killed:
                    met.add(passed[-1])
                else:
                    break
            left = open_attempts(r.attempts)
            if left:
                monkeypatch.setattr(r.first, "post", _no_send(r.first.post))
                outcome = resumed(r, left[0].file)
                monkeypatch.undo()
                assert outcome.kind in ("landed", "expired"), passed
                assert (outcome.kind == "landed") == bool(r.landed(prepared.signature))
                assert outcome.differences == ()
                assert resumed(r, left[0].file) == outcome
                kinds.add(outcome.kind)
            assert len(r.landed(prepared.signature)) <= 1
            assert open_attempts(r.attempts) == []
            if not (
                r.attempts.is_dir() and any(file.suffix == ".json" for file in r.attempts.iterdir())
            ):
                assert r.landed(prepared.signature) == []
    if not fault:
        assert met >= {
            f"{when} {what}"
            for when in ("before", "after")
            for what in ("fsync", "rename", "entry", "send")
        }
    assert kinds == ({"expired"} if fault else {"landed", "expired"})


def _no_send(post: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    def posted(method: str, params: Any) -> Any:
        assert method != "sendTransaction"
        return post(method, params)

    return posted


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from popkit.collecting.address import Address
from popkit.cutover.sending.attempts import *
from popkit.cutover.sending.endpoint import Endpoint
from popkit.cutover.sending import sending
from popkit.cutover.sending import transactions
from popkit.cutover.sending.preparing import prepare
from popkit.protocol.keys import PROGRAM_ID
from solders.keypair import Keypair
from tests.cutover.rehearsed import Holder, Notes
first, second = Endpoint("first", Address(sys.argv[1])), Endpoint("second", Address(sys.argv[2]))
key = Keypair.from_bytes(bytes.fromhex(os.environ["DRILL_KEY"]))
place = transactions.GrantPlace(PROGRAM_ID, str(key.pubkey()), sys.argv[3], int(sys.argv[4]))
prepared = prepare(first, [transactions.fund_grant(place, 9)], place.authority, [Holder(key)], fee_cap_lamports=20_000)
post = first.post
def posted(method, params):
    if method == "sendTransaction" and sys.argv[6] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = post(method, params)
    if method == "sendTransaction":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
first.post = posted
sending.send(prepared, first, second, Path(sys.argv[5]), Notes(), "2")
"""


@pytest.mark.parametrize(("when", "kind"), [("before", "expired"), ("after", "landed")])
def test_a_killed_process_leaves_an_attempt_that_another_one_settles(
    when: str, kind: str, tmp_path: Path
) -> None:
    with rehearsed(tmp_path) as r:
        arguments = [
            r.first.address.url,
            r.second.address.url,
            r.old.mint,
            str(r.old.grant_id),
            str(r.attempts),
            when,
        ]
        environment = {**os.environ, "DRILL_KEY": bytes(r.world.key("school")).hex()}
        done = subprocess.run(
            [sys.executable, "-c", CHILD.format(root=str(ROOT)), *arguments],
            env=environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        (left,) = open_attempts(r.attempts)
        outcome = resumed(r, left.file)
        assert (outcome.kind, outcome.differences) == (kind, ())
        assert len(r.landed(left.signature)) == (kind == "landed")


def test_an_attempt_that_was_changed_is_evidence_and_no_attempt(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        r.sent(r.prepared())
        file = r.attempts / "2-1.json"
        whole = file.read_bytes()
        value = json.loads(whole)
        other = {**value, "last_valid_height": value["last_valid_height"] - 1000}
        for changed in (
            whole[:-1],
            whole + b" ",
            whole[:100],
            json.dumps(other).encode(),
            b"[]",
            b"{}",
            b"\xff",
        ):
            file.write_bytes(changed)
            with pytest.raises(Stopped) as caught:
                read_attempt(file)
            assert caught.value.code == "attempt_unreadable"
        file.write_bytes(whole)
        with pytest.raises(ValueError, match="an attempt of step 2"):
            resumed(r, file, "3")
        moved = file.rename(r.attempts / "3-1.json")
        with pytest.raises(Stopped):
            read_attempt(moved)


def test_a_step_s_name_is_no_path(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        prepared = r.prepared()
        for step in ("../2", "", "a/b", ".hidden"):
            with pytest.raises(ValueError, match="a step's id"):
                r.sent(prepared, step)


def test_numbers_beyond_what_json_holds_are_kept() -> None:
    row = on_disk.Difference("1" * 32, "amount", 2**64 - 1, [1, {"a": 2**53}])
    facts = Outcome("landed", "1" * 64, differences=(row,)).facts()
    assert facts["differences"][0]["expected"] == str(2**64 - 1)
    assert facts["differences"][0]["found"] == [1, {"a": str(2**53)}]
    assert Held(2**60, SYSTEM_PROGRAM, b"") == on_disk._read_account(
        on_disk._account(Held(2**60, SYSTEM_PROGRAM, b""))
    )


def test_it_works_in_a_notebook_s_running_loop(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:

        async def cell() -> Outcome:
            return r.sent(r.prepared())

        assert clean(asyncio.run(cell()))


def test_an_interrupt_leaves_an_attempt_that_is_settled(tmp_path: Path) -> None:
    with rehearsed(tmp_path) as r:
        prepared = r.prepared()

        def interrupted(seconds: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            r.sent(prepared, sleep=interrupted)
        (left,) = open_attempts(r.attempts)
        assert clean(resumed(r, left.file))
