"""The worker's own audit-integrity: each of its false alarms and misses (reference §3.10), which of
the two is right, and why.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import popkit
from popkit.audit.server import ServerVerdict, server_verdict
from popkit.diagnosis.result import Diagnosis
from popkit.drill.case import write_case
from popkit.drill.proofs import digest, iso
from popkit.drill.worker import Worker
from popkit.drill.world import World, sound
from popkit.evidence.bundle import Evidence
from popkit.verification.model import Verification
from popkit.verification.verify import verify
from tests.attacks.build import amount_of, claim_row, rehash_from
from tests.simulation.expect import codes
from tests.verification.server import audit_integrity

INTEGRITY, STORAGE, BUCKET, LOGS = (
    "worker/audit-integrity.json",
    "worker/storage.jsonl",
    "worker/r2.jsonl",
    "worker/audit-logs.json",
)
RIGHT = "the recomputed result counts: "
UNBROKEN = "the chain is unbroken from its newest entry to GENESIS"


@dataclass(frozen=True)
class Asked:
    """What the server says of its chain, and what popkit makes of the same case."""

    server: dict[str, Any]
    found: Diagnosis
    verified: Verification

    @property
    def ok(self) -> bool:
        return bool(self.server["body"]["ok"])

    @property
    def said(self) -> str:
        """What popkit says of the server's answer."""
        return self.check("the server's own check says the same").observed

    def check(self, title: str) -> Any:
        [only] = [c for s in self.verified.sections for c in s.checks if str(c.title) == title]
        return only

    def which_is_right(self, ok: bool, why: str) -> None:
        """The server says `ok`, popkit says the contrary and why, in the diagnosis and in the
        verification alike.
        """
        assert self.ok is ok
        assert self.found.audit.verdict == ("violated" if ok else "holds")
        assert self.said.startswith(f"ok {str(ok).lower()}; {RIGHT}")
        assert why in self.said
        [told] = [f for f in self.found.findings if f.code == "server_verdict_differs"]
        assert (told.expected, told.observed) == (f"ok {str(not ok).lower()}", self.said)

    def both_say_the_same(self, ok: bool) -> None:
        assert self.ok is ok
        assert self.said == f"ok {str(ok).lower()}; both say the same"
        assert "server_verdict_differs" not in codes(self.found)


def ask(path: Path, files: dict[str, Any], server: dict[str, Any]) -> Asked:
    case = write_case(path, {**files, INTEGRITY: server})
    return Asked(server, popkit.open_case(case).diagnose(), verify(Evidence(case)))


def collected(
    path: Path,
    world: World,
    limit: int = 200,
    immutable: bool = True,
    mode: str = "required",
    **parts: bool,
) -> Asked:
    """Ask the server, and collect what it shows of itself."""
    server = audit_integrity(world.worker, limit, immutable, mode)
    world.worker.api("GET", "/api/master/audit-integrity")
    return ask(path, world.collect(**{"storage": True, **parts}), server)


def busy(world: World, rows: int) -> None:
    """Ordinary requests, a row each."""
    for _ in range(rows):
        world.worker.api("GET", "/v1/school/events")


def edit(worker: Worker, at: int) -> str:
    """Change a row in the storage and leave its hash; the hash it states."""
    worker.entries[at] = {**worker.entries[at], "actor": {"type": "school", "id": "somebody else"}}
    return str(worker.entries[at]["entry_hash"])


def refit(worker: Worker) -> None:
    """Let the stored heads fit the rows that there are."""
    worker.last = {}
    for entry in worker.entries:
        worker.last["global"] = worker.last[entry["eventId"]] = entry["entry_hash"]


# -- where the two agree --


def test_an_untouched_chain(tmp_path: Path) -> None:
    world, _, _ = sound()
    collected(tmp_path, world).both_say_the_same(True)


def test_an_edit_inside_its_window(tmp_path: Path) -> None:
    world, _, _ = sound()
    stated = edit(world.worker, 3)
    asked = collected(tmp_path, world)
    asked.both_say_the_same(False)
    assert asked.found.audit.edited == [stated]


def test_a_row_gone_from_the_middle(tmp_path: Path) -> None:
    world, _, _ = sound()
    gone = world.worker.entries.pop(5)
    asked = collected(tmp_path, world)
    asked.both_say_the_same(False)
    assert asked.found.audit.removed == [gone["entry_hash"]]


# -- misses --


@pytest.mark.parametrize(
    ("later", "limit", "missed"),
    [(45, 50, False), (60, 50, True), (60, 200, False), (220, 200, True)],
)
def test_what_is_older_than_its_window(
    tmp_path: Path, later: int, limit: int, missed: bool
) -> None:
    world, _, _ = sound()
    stated = edit(world.worker, len(world.worker.entries) - 2)
    busy(world, later)
    asked = collected(tmp_path, world, limit)
    assert asked.found.audit.edited == [stated]
    if missed:
        asked.which_is_right(
            True, f"the worker reads the newest {limit} rows alone and never checks older ones"
        )
    else:
        asked.both_say_the_same(False)


def test_the_newest_rows_deleted_that_a_proof_on_chain_names(tmp_path: Path) -> None:
    world, _, done = sound()
    del world.worker.entries[-4:]
    refit(world.worker)
    asked = collected(tmp_path, world)
    asked.which_is_right(
        True,
        "the worker compares with no stored head and no other source: rows missing from the ends",
    )
    assert done[-1].proof.anchor in asked.found.audit.removed
    assert "audit_end_differs" not in codes(asked.found), "whoever deleted them made the heads fit"


def test_the_newest_rows_deleted_and_the_heads_forgotten(tmp_path: Path) -> None:
    world, _, _ = sound()
    server = audit_integrity(world.worker)
    files = json.loads(json.dumps(world.collect(storage=True, bucket=False)))
    newest = max((e for e in world.worker.entries), key=lambda e: (e["ts"], e["entry_hash"]))[
        "entry_hash"
    ]
    files[STORAGE] = [
        r
        for r in files[STORAGE]
        if not (r["key"].startswith("audit_") and r["value"]["entry_hash"] == newest)
    ]
    asked = ask(tmp_path, files, server)
    ends = {
        f.where[1]: (f.expected, f.observed)
        for f in asked.found.findings
        if f.code == "audit_end_differs"
    }
    before = world.worker.entries[-2]["entry_hash"]
    assert ends["audit:lastHash:global"] == (before, newest)
    title = "every end that the storage names is the newest entry"
    checks = [c for s in asked.verified.sections for c in s.checks if str(c.title) == title]
    assert {c.status for c in checks} == {"violated"}
    assert {c.where[1]: (c.expected, c.observed) for c in checks} == ends
    assert asked.ok


def test_the_newest_rows_deleted_that_nothing_else_names_cannot_be_found(tmp_path: Path) -> None:
    world, _, _ = sound()
    busy(world, 3)
    del world.worker.entries[-2:]
    refit(world.worker)
    asked = collected(tmp_path, world, bucket=False)
    asked.both_say_the_same(True)


@pytest.mark.parametrize("heads", ["kept", "deleted"])
def test_every_row_deleted(tmp_path: Path, heads: str) -> None:
    world, _, done = sound()
    world.worker.entries = []
    if heads == "deleted":
        world.worker.last = {}
    server = audit_integrity(world.worker)
    assert (server["body"]["ok"], server["body"]["checked"]) == (True, 0)
    files = world.collect(storage=True)
    files[LOGS]["body"]["logs"] = []
    files[STORAGE] = [
        row
        for row in files[STORAGE]
        if not row["key"].startswith(("audit_entry:", "audit_history:"))
    ]
    if heads == "deleted":
        files[STORAGE] = [
            row for row in files[STORAGE] if not row["key"].startswith("audit:lastHash:")
        ]
    asked = ask(tmp_path, files, server)
    asked.which_is_right(True, "the worker checked no row at all")
    assert "the worker reads the newest" not in asked.said, "it has no window"
    assert {t.proof.anchor for t in done} <= set(asked.found.audit.removed), (
        "proofs on chain rest on them, and the bucket has them"
    )
    ends = {f.where[1] for f in asked.found.findings if f.code == "audit_end_differs"}
    assert "logs" in ends
    assert ("audit:lastHash:global" in ends) is (heads == "kept")


def test_an_empty_list_of_a_worker_that_nothing_on_chain_rests_on_is_no_deletion(
    tmp_path: Path,
) -> None:
    world = World()
    server = audit_integrity(world.worker)
    files = world.collect()
    files[LOGS]["body"]["logs"] = []
    files["case.json"]["grants"] = [world.grant(link=False).address]
    asked = ask(tmp_path, files, server)
    assert asked.found.audit.removed == []
    assert codes(asked.found, "critical") == set()


@pytest.mark.parametrize("bucket", ["as it was", "rewritten too"])
def test_a_tail_written_anew_with_its_hashes(tmp_path: Path, bucket: str) -> None:
    world, _, done = sound()
    worker, at = world.worker, claim_row(world.worker, done[0])
    old = worker.entries[at]["entry_hash"]
    rehash_from(worker, at, amount_of(worker.entries[at], 7), bucket=bucket != "as it was")
    asked = collected(tmp_path, world, immutable=bucket != "as it was")
    asked.which_is_right(True, "a tail written anew, do not show")
    if bucket == "as it was":
        assert old in asked.found.audit.removed
        assert "the worker did not read the bucket" in asked.said
    else:
        assert done[1].proof.anchor in asked.found.audit.removed, (
            "the proof on chain and the history name it"
        )


@pytest.mark.parametrize("bucket", [True, False])
def test_the_oldest_rows_vanish(tmp_path: Path, bucket: bool) -> None:
    """A storage begins where it begins: what stood before it shows by the bucket, and without that
    it is said that it cannot be told.
    """
    world, _, _ = sound()
    busy(world, 60)
    del world.worker.entries[:3]
    asked = collected(tmp_path, world, bucket=bucket)
    assert asked.ok
    assert asked.found.audit.removed == []
    check = asked.check(UNBROKEN)
    assert check.status == ("holds" if bucket else "cannot tell")
    assert bucket or ("audit_entries", "partial") in {
        (row.part, row.why) for row in asked.found.coverage.not_checked
    }


def test_times_that_fall(tmp_path: Path) -> None:
    world, _, _ = sound()
    busy(world, 1)
    world.ms -= 5000
    busy(world, 1)
    late = world.worker.entries[-1]["entry_hash"]
    world.ms += 10000
    asked = collected(tmp_path, world)
    asked.both_say_the_same(True)
    check = asked.check("no entry is older than the one it follows")
    assert check.status == "cannot tell", "a clock that was set back, or a time that was made up"
    assert late in str(check.observed)
    assert codes(asked.found, "critical") == set()


def test_rows_of_one_millisecond_do_not_fall(tmp_path: Path) -> None:
    world = World()
    world.worker.step_ms = 0
    world.grant()
    assert (
        collected(tmp_path, world).check("no entry is older than the one it follows").status
        == "holds"
    )


def test_a_chain_that_begins_again(tmp_path: Path) -> None:
    world, _, _ = sound()
    world.worker.last = {}
    busy(world, 60)
    again = world.worker.entries[-60]["entry_hash"]
    asked = collected(tmp_path, world, limit=50)
    assert asked.ok
    [told] = [f for f in asked.found.findings if f.code == "audit_chain_restarted"]
    assert (told.where[1], told.severity) == (again, "warning")
    check = asked.check("no second entry begins the chain")
    assert (check.status, check.where[1]) == ("violated", again)


def test_an_append_that_failed_begins_nothing(tmp_path: Path) -> None:
    world = World()
    world.worker.api("GET", "/v1/school/events")
    world.worker.entries, world.worker.last = [], {}  # its first append reached the bucket alone
    world.grant()
    asked = collected(tmp_path, world)
    assert "audit_chain_restarted" not in codes(asked.found)
    assert "bucket_orphan" in codes(asked.found)


def test_stored_heads_of_streams(tmp_path: Path) -> None:
    world, handle, _ = sound()
    event = world.worker.event_of(handle.address)
    world.worker.last[event] = world.worker.entries[0]["entry_hash"]
    asked = collected(tmp_path, world)
    assert asked.ok
    assert asked.said.startswith(f"ok true; {RIGHT}the worker looks at no stored head"), (
        "it never compares with one (reference §3.10)"
    )
    assert "server_verdict_differs" in codes(asked.found)
    [told] = [f for f in asked.found.findings if f.code == "audit_end_differs"]
    newest = next(e["entry_hash"] for e in reversed(world.worker.entries) if e["eventId"] == event)
    assert told.where == (STORAGE, f"audit:lastHash:{event}")
    assert (told.expected, told.observed) == (newest, world.worker.entries[0]["entry_hash"])
    assert asked.check("every end that the storage names is the newest entry").status == "violated"


def test_the_second_copy_of_a_row(tmp_path: Path) -> None:
    world, _, _ = sound()
    server = audit_integrity(world.worker)
    files = json.loads(json.dumps(world.collect(storage=True)))
    row = next(r for r in files[STORAGE] if r["key"].startswith("audit_entry:"))
    row["value"]["event"] = "SOMETHING_ELSE"
    asked = ask(tmp_path, files, server)
    asked.which_is_right(
        True,
        "of the storage's two copies of a row the worker reads one (audit_history, not audit_entry)",
    )
    assert asked.found.audit.edited == [row["value"]["entry_hash"]]


@pytest.mark.parametrize("folder", ["entry", "stream"])
@pytest.mark.parametrize("how", ["edited", "deleted"])
def test_the_bucket_s_second_object(tmp_path: Path, folder: str, how: str) -> None:
    world, _, _ = sound()
    key = sorted(k for k in world.worker.bucket if f"/{folder}/" in k)[4]
    if how == "edited":
        world.worker.bucket[key] += " "
    else:
        del world.worker.bucket[key]
    asked = collected(tmp_path, world)
    named = (
        asked.found.audit.edited_objects if how == "edited" else asked.found.audit.missing_objects
    )
    assert named == [key]
    if folder == "entry":
        asked.both_say_the_same(False)
    else:
        asked.which_is_right(
            True,
            "of the bucket's two objects of an entry the worker reads one: r2_entry, not r2_stream",
        )


@pytest.mark.parametrize("asked_for", [{"immutable": False}, {"mode": "off"}])
def test_a_check_that_was_told_not_to_read_the_bucket(
    tmp_path: Path, asked_for: dict[str, Any]
) -> None:
    world, _, _ = sound()
    key = sorted(k for k in world.worker.bucket if "/entry/" in k)[4]
    world.worker.bucket[key] += " "
    asked = collected(tmp_path, world, **asked_for)
    asked.which_is_right(True, "the worker did not read the bucket")
    assert asked.found.audit.edited_objects == [key]


def test_a_sink_s_time_in_one_of_the_copies(tmp_path: Path) -> None:
    world, _, _ = sound()
    server = audit_integrity(world.worker)
    files = json.loads(json.dumps(world.collect(storage=True)))
    row = next(r for r in files[STORAGE] if r["key"].startswith("audit_entry:"))
    row["value"]["immutable"]["sinks"][0]["at"] = "2020-01-01T00:00:00.000Z"
    asked = ask(tmp_path, files, server)
    asked.which_is_right(True, "and it reads no sink's time")
    assert asked.found.audit.edited == [row["value"]["entry_hash"]]


@pytest.mark.parametrize("receipt", [True, False])
def test_a_sink_s_time_in_every_copy_shows_by_a_ticket_receipt_alone(
    tmp_path: Path, receipt: bool
) -> None:
    world, _, done = sound()
    kept = json.loads(json.dumps(list(world.worker.receipts.values())))
    world.worker.receipts = {}
    at = claim_row(world.worker, done[0])
    world.worker.entries[at] = row = copy.deepcopy(world.worker.entries[at])
    row["immutable"]["sinks"][0]["at"] = "2020-01-01T00:00:00.000Z"
    server = audit_integrity(world.worker)
    files = world.collect(storage=True)
    asked = ask(
        tmp_path, {**files, "worker/ticket-receipts.jsonl": kept} if receipt else files, server
    )
    if receipt:
        asked.which_is_right(True, "the worker looks at no ticket receipt")
        assert asked.found.audit.bad_receipts == [row["entry_hash"]]
    else:
        asked.both_say_the_same(True)


def test_a_payload_hash_that_is_not_the_entry_s(tmp_path: Path) -> None:
    """The server finds this one itself, and so does popkit: no hash of the row covers it."""
    world, _, _ = sound()
    world.worker.entries[4] = row = copy.deepcopy(world.worker.entries[4])
    row["immutable"]["payload_hash"] = "ab" * 32
    asked = collected(tmp_path, world)
    asked.both_say_the_same(False)
    assert asked.found.audit.edited == [row["entry_hash"]]


def test_false_ticket_receipts(tmp_path: Path) -> None:
    world, _, _ = sound()
    receipt = next(iter(world.worker.receipts.values()))
    receipt["subjectCommitment"] = "11" * 32
    receipt["receiptHash"] = digest({k: v for k, v in receipt.items() if k != "receiptHash"})
    asked = collected(tmp_path, world)
    asked.which_is_right(True, "the worker looks at no ticket receipt")
    assert asked.found.audit.server_accepts == [receipt["receiptId"]]


# -- false alarms --


def test_a_window_that_cuts_through_one_millisecond(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World()
    world.worker.step_ms = 0
    for _ in range(40):
        busy(world, 6)
        world.ms += 1
    rows, alarms = len(world.worker.entries), 0
    world.grant()
    files = world.collect(storage=True)
    world.worker.entries = world.worker.entries[:rows]
    sample = [
        limit for limit in range(30, 200) if not audit_integrity(world.worker, limit)["body"]["ok"]
    ][:2]
    for limit in sample:
        ask(tmp_path / str(limit), files, audit_integrity(world.worker, limit)).which_is_right(
            False, "cuts through the rows of one millisecond"
        )
    facts = popkit.open_case(tmp_path / str(sample[0])).facts
    for limit in range(2, 201):
        server = audit_integrity(world.worker, limit)
        body = SimpleNamespace(answers={"audit-integrity": SimpleNamespace(body=server["body"])})
        told = server_verdict(body, facts.audit, facts.tampering, True)  # type: ignore[arg-type]
        assert told is not None
        assert told.recomputed is True
        if not told.says:
            alarms += 1
            assert "cuts through the rows of one millisecond" in told.text, limit
    assert alarms > 50
    with capsys.disabled():
        print(
            f"\naudit-integrity: {alarms} of 199 windows over {rows} rows of an intact chain raise "
            f"a false alarm, each explained"
        )


def test_rows_of_one_millisecond_inside_the_window_raise_nothing(tmp_path: Path) -> None:
    world = World()
    world.worker.step_ms = 0
    world.grant()
    collected(tmp_path, world).both_say_the_same(True)


def test_a_stream_that_is_called_global(tmp_path: Path) -> None:
    world, _, _ = sound()
    for _ in range(2):
        world.worker.api("POST", "/v1/school/claims", "global")
        busy(world, 2)
    asked = collected(tmp_path, world)
    asked.which_is_right(False, "a stream named 'global' shares the key of the global head")
    assert {i["eventId"] for i in asked.server["body"]["issues"]} == {"global"}
    assert codes(asked.found, "critical") == codes(asked.found, "warning") == set()


def older_rows(world: World, events: int, each: int) -> list[dict[str, Any]]:
    """Rows of the first form: chained within their event, no stream_prev_hash, six fields under the
    hash, no immutable part.
    """
    rows = []
    for event in range(events):
        prev = "GENESIS"
        for _ in range(each):
            row = {
                "ts": iso(world.ms),
                "event": "EVENT_CREATE",
                "eventId": f"evt-old{event}",
                "actor": {"type": "master", "id": "master"},
                "data": {},
                "prev_hash": prev,
            }
            row["entry_hash"] = prev = digest(row)
            rows.append(row)
            world.ms += 1000
    return rows


def test_rows_of_the_first_form(tmp_path: Path) -> None:
    world = World()
    world.worker.entries += older_rows(world, 2, 3)
    handle = world.grant()
    world.tickets(handle, "ann")
    asked = collected(tmp_path, world, immutable=False)
    asked.which_is_right(
        False,
        "rows of the first form, without stream_prev_hash, follow their event's last row and not "
        "the global one",
    )
    assert asked.check(UNBROKEN).status == "holds"
    assert "audit_chain_restarted" not in codes(asked.found), (
        "several beginnings are right in an old store"
    )
    assert asked.found.audit.edited == asked.found.audit.removed == []
    assert asked.verified.exit_code == 0


def test_an_edited_row_of_the_first_form_is_found(tmp_path: Path) -> None:
    world = World()
    world.worker.entries += older_rows(world, 2, 3)
    world.grant()
    stated = edit(world.worker, 1)
    asked = collected(tmp_path, world, immutable=False)
    asked.both_say_the_same(False)
    assert asked.found.audit.edited == [stated]


def test_rows_from_before_the_bucket(tmp_path: Path) -> None:
    world, _, _ = sound()
    for row in world.worker.entries[:6]:
        del row["immutable"]
    old = {row["entry_hash"] for row in world.worker.entries[:6]}
    world.worker.bucket = {
        k: v for k, v in world.worker.bucket.items() if not any(entry in k for entry in old)
    }
    asked = collected(tmp_path, world)
    asked.which_is_right(
        False, "rows that were written while no immutable sink was on have no receipt of one"
    )
    assert asked.found.audit.missing_objects == []


# -- an answer that says nothing, and one that cannot be explained --


@pytest.mark.parametrize("body", [None, [], {}, {"ok": "true"}, {"error": "Unauthorized"}])
def test_an_answer_that_is_none(tmp_path: Path, body: Any) -> None:
    world, _, _ = sound()
    files = {**world.collect(), INTEGRITY: {"status": 401, "body": body}}
    verified = verify(Evidence(write_case(tmp_path, files)))
    assert not [
        c
        for s in verified.sections
        for c in s.checks
        if str(c.title) == "the server's own check says the same"
    ]


def test_an_alarm_that_is_not_found_again_is_named(tmp_path: Path) -> None:
    world, _, _ = sound()
    server = audit_integrity(world.worker)
    server["body"] |= {
        "ok": False,
        "issues": [{"code": "entry_hash_mismatch"}, {"code": "global_chain_break"}],
    }
    asked = ask(tmp_path / "codes", world.collect(), server)
    asked.which_is_right(
        False,
        "recomputing finds none of the issues that the worker names: entry_hash_mismatch, "
        "global_chain_break",
    )
    server["body"]["issues"] = []
    ask(tmp_path / "none", world.collect(), server).which_is_right(
        False, "recomputing finds none of the issues that the worker names: none named"
    )


@pytest.mark.parametrize(
    "code", ["entry_hash_mismatch", "immutable_receipt_missing", "global_chain_break"]
)
def test_an_alarm_is_explained_by_what_makes_that_alarm_alone(tmp_path: Path, code: str) -> None:
    """A cut millisecond, rows of the first form and a stream 'global' explain broken links; rows
    without sinks a missing receipt.
    """
    world = World()
    world.worker.step_ms = 0
    world.worker.entries += older_rows(world, 1, 2)
    world.grant()
    busy(world, 9)
    world.worker.api("POST", "/v1/school/claims", "global")
    server = audit_integrity(world.worker, 8)
    server["body"] |= {"ok": False, "issues": [{"code": code, "eventId": "global"}]}
    said = ask(tmp_path / "cut", world.collect(storage=True), server).said
    assert ("cuts through the rows of one millisecond" in said) is (code == "global_chain_break")
    assert "shares the key of the global head" not in said, "that breaks the stream alone"
    assert "no immutable sink was on" not in said, "every row of the window has one"
    server["body"] |= {"checked": 1000, "globalHead": None}
    said = ask(tmp_path / "all", world.collect(storage=True), server).said
    assert ("rows of the first form" in said) is (code == "global_chain_break")
    assert ("no immutable sink was on" in said) is (code == "immutable_receipt_missing")


@pytest.mark.parametrize("checked", [None, "7", 0, -3])
def test_an_answer_that_does_not_say_how_much_it_checked(tmp_path: Path, checked: Any) -> None:
    world = World()
    world.worker.step_ms = 0
    world.grant()
    server = audit_integrity(world.worker, 3)
    server["body"] |= {"ok": False, "issues": [{"code": "global_chain_break"}], "checked": checked}
    ask(tmp_path, world.collect(), server).which_is_right(
        False, "recomputing finds none of the issues that the worker names: global_chain_break"
    )


def test_a_broken_stream_of_another_name(tmp_path: Path) -> None:
    world, _, _ = sound()
    server = audit_integrity(world.worker)
    server["body"] |= {"ok": False, "issues": [{"code": "stream_chain_break", "eventId": "evt"}]}
    ask(tmp_path, world.collect(), server).which_is_right(
        False, "recomputing finds none of the issues that the worker names: stream_chain_break"
    )


@pytest.mark.parametrize(("at", "older"), [(50, False), (51, True)])
def test_the_oldest_row_of_its_window_is_in_it(tmp_path: Path, at: int, older: bool) -> None:
    world, _, _ = sound()
    busy(world, 60)
    server = audit_integrity(world.worker, 50)
    gone = world.worker.entries[-at]
    files = json.loads(json.dumps(world.collect(storage=True)))
    files[STORAGE] = [
        r
        for r in files[STORAGE]
        if not (r["key"].startswith("audit_") and r["value"]["entry_hash"] == gone["entry_hash"])
    ]
    asked = ask(tmp_path, files, server)
    assert asked.found.audit.removed == [gone["entry_hash"]]
    assert ("the worker reads the newest 50 rows alone" in asked.said) is older


def test_what_was_done_after_its_answer(tmp_path: Path) -> None:
    world, _, _ = sound()
    server = audit_integrity(world.worker)
    busy(world, 2)
    key = next(
        k
        for k in world.worker.bucket
        if world.worker.entries[-2]["entry_hash"] in k and "/entry/" in k
    )
    world.worker.bucket[key] += " "
    ask(tmp_path, world.collect(), server).which_is_right(
        True, "the fault may be younger than the worker's answer"
    )


def test_words_of_a_verdict() -> None:
    assert ServerVerdict(True, True, ()).text == "ok true; both say the same"
    assert (
        ServerVerdict(True, False, ("a", "b")).text == "ok true; the recomputed result counts: a; b"
    )
