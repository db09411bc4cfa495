"""What a diagnosis says of itself: every key of findings.json, the exit code, the order of
findings, and what a notebook shows.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from popkit.causes.model import Cause
from popkit.diagnosis.began import Began, Moment
from popkit.diagnosis.result import (
    AuditDiagnosis,
    Coverage,
    Diagnosis,
    GrantDiagnosis,
    Reconciliation,
    Row,
)
from popkit.evidence.grants import UnknownGrant
from popkit.rules.model import Finding, sorted_findings

HEAD, ZEROS = "ab" * 32, "0" * 64


def judgement(verdict: str = "intact", **change: Any) -> Any:
    """A judgement of which only what a diagnosis repeats is known."""
    state = (
        SimpleNamespace(known=True, unreadable=False, head=HEAD)
        if "state" not in change
        else change["state"]
    )
    chain = SimpleNamespace(state=state, linked=change.get("linked", []), eras_found=["strict"])
    line = SimpleNamespace(chain=chain, head=change.get("worker", "cd" * 32))
    return SimpleNamespace(
        verdict=verdict,
        because="for <this> reason",
        line=line,
        heals_until=change.get("heals_until"),
    )


def grant(address: str = "Grant", verdict: str = "intact", **change: Any) -> GrantDiagnosis:
    fields: dict[str, Any] = {
        "grant": address,
        "judgement": judgement(
            verdict,
            **{
                k: change.pop(k)
                for k in ("state", "linked", "worker", "heals_until")
                if k in change
            },
        ),
        "causes": [],
        "last_good": None,
        "first_bad": None,
        "began": None,
        "missing_entries": [],
        "unseen_entries": [],
        "foreign_entries": [],
        "forged_transactions": [],
        "forks": [],
        "equivocations": [],
        "affected_claimers": [],
        "superseded_by": None,
        "cutover_of": None,
        "paused": None,
        "closed": False,
        "events": [],
        "titles": [],
    }
    return GrantDiagnosis(**(fields | change))


def audit(*findings: Finding, verdict: str = "holds") -> AuditDiagnosis:
    return AuditDiagnosis(
        verdict,
        7,
        ["edited"],
        ["removed"],
        ["object"],
        ["gone"],
        ["bad"],
        ["accepted"],
        list(findings),
    )


def diagnosis(
    *grants: GrantDiagnosis, findings: tuple[Finding, ...] = (), **change: Any
) -> Diagnosis:
    whole: dict[str, Any] = {
        "audit": audit(),
        "reconciliation": Reconciliation(),
        "coverage": Coverage(),
    }
    return Diagnosis("name", 1771830000, list(grants), findings=list(findings), **(whole | change))


CRITICAL, WARNING = (
    Finding("chain_broken", "Grant", ("file", "key")),
    Finding("vault_low", "Grant", ("file", "key")),
)


# -- one finding --


def test_a_finding_in_json_says_everything_but_its_slot() -> None:
    found = Finding(
        "chain_broken",
        "Grant",
        ("rpc/transactions.jsonl", "signature"),
        "this",
        "that",
        "the rest",
        slot=7,
    )
    assert found.as_json() == {
        "code": "chain_broken",
        "severity": "critical",
        "grant": "Grant",
        "where": {"file": "rpc/transactions.jsonl", "key": "signature"},
        "expected": "this",
        "observed": "that",
        "rule": "runbook §4",
        "not_checked": "the rest",
    }
    bare = Finding("proof_lost", None, ("", "")).as_json()
    assert [
        bare[name] for name in ("grant", "expected", "observed", "not_checked", "severity")
    ] == [None, None, None, None, "warning"]
    assert Finding("proof_lost", None, ("", ""), severity="info").severity == "info"
    with pytest.raises(KeyError):
        Finding("no such code", None, ("", ""))


def test_findings_stand_by_grant_slot_code_and_place_and_equal_ones_once() -> None:
    def f(
        code: str = "noise",
        grant: str | None = "b",
        key: str = "k",
        slot: int | None = 5,
        **texts: str,
    ) -> Finding:
        return Finding(code, grant, ("file", key), slot=slot, **texts)

    told = [
        f(grant=None, slot=9),  # of no grant: first
        f(grant="a", slot=9),
        f(slot=None),  # of no slot: before slot 0
        f(slot=0),
        f("fork"),  # the code before the place
        f(key="a", observed="Z"),
        f(key="k"),
        f(key="k", not_checked="A"),
        f(key="k", not_checked="B"),
        f(key="k", observed="A"),
        f(key="k", observed="B"),
        f(key="k", expected="A"),
        f(key="k", expected="A", observed="A"),
        f(key="k", expected="B"),
        f(slot=6),
    ]
    assert sorted_findings([*reversed(told), *told]) == told


# -- one grant --


def test_a_grant_in_json() -> None:
    fork = {"parent": HEAD, "children": ["x", "y"], "kind": "fork"}
    found = grant(
        "Grant",
        "broken",
        heals_until=1771830600,
        linked=[SimpleNamespace(entry_hash=name) for name in ("first", "second", "last")],
        causes=[Cause("unsent_proof", "one"), Cause("grant_reuse", "two")],
        last_good={"signature": "good"},
        first_bad={"signature": "bad"},
        began=Began(Moment(5, None, "worker", "exact"), None, None),
        missing_entries=["missing"],
        unseen_entries=["unseen"],
        foreign_entries=["foreign"],
        forged_transactions=["forged"],
        forks=[fork],
        equivocations=[["x", "y"]],
        affected_claimers=["ann"],
        superseded_by="Later",
        cutover_of="Earlier",
        paused=True,
        closed=True,
    )
    assert found.as_json() == {
        "grant": "Grant",
        "verdict": "broken",
        "eras": ["strict"],
        "causes": ["unsent_proof", "grant_reuse"],
        "last_good": {"signature": "good"},
        "first_bad": {"signature": "bad"},
        "began": {
            "lost_proof_issued": {
                "time": 5,
                "slot": None,
                "source": "worker",
                "certainty": "exact",
            },
            "first_wallet_refused": None,
            "first_refusal_landed": None,
        },
        "missing_entries": ["missing"],
        "unseen_entries": ["unseen"],
        "foreign_entries": ["foreign"],
        "forged_transactions": ["forged"],
        "forks": [fork],
        "equivocations": [["x", "y"]],
        "heads": {"on_chain": HEAD, "worker": "cd" * 32, "last_accepted": "last"},
        "heals_until": 1771830600,
        "affected_claimers": ["ann"],
        "superseded_by": "Later",
        "cutover_of": "Earlier",
        "paused": True,
        "closed": True,
    }
    assert repr(found) == "<broken Grant: unsent_proof, grant_reuse>"
    assert found._repr_html_() == (
        "<table><caption>Grant Grant</caption><tr><th>verdict</th><td>broken</td></tr>"
        "<tr><th>why</th><td>for &lt;this&gt; reason</td></tr>"
        "<tr><th>causes</th><td>unsent_proof: one; grant_reuse: two</td></tr></table>"
    )


def test_a_grant_without_causes_says_so() -> None:
    assert repr(grant()) == "<intact Grant>"
    assert "<tr><th>causes</th><td>none</td></tr></table>" in grant()._repr_html_()


@pytest.mark.parametrize(
    ("known", "unreadable", "head", "told"),
    [
        (True, False, HEAD, HEAD),
        (True, False, None, ZEROS),
        (True, True, None, None),
        (False, False, None, None),
    ],
)
def test_the_head_on_chain(
    known: bool, unreadable: bool, head: str | None, told: str | None
) -> None:
    found = grant(state=SimpleNamespace(known=known, unreadable=unreadable, head=head), worker=None)
    assert found.heads == {"on_chain": told, "worker": None, "last_accepted": None}


# -- audit, reconciliation, coverage --


def test_the_other_parts_in_json() -> None:
    found = Finding("audit_entry_edited", None, ("worker/audit-logs.json", "edited"), "a", "b")
    assert audit(found, verdict="violated").as_json() == {
        "verdict": "violated",
        "checked": 7,
        "edited": ["edited"],
        "removed": ["removed"],
        "edited_objects": ["object"],
        "missing_objects": ["gone"],
        "bad_receipts": ["bad"],
        "server_accepts": ["accepted"],
        "findings": [found.as_json()],
    }
    assert Reconciliation(["a"], ["b"], ["c"]).as_json() == {
        "unbacked_records": ["a"],
        "unsynced_claims": ["b"],
        "abandoned_proofs": ["c"],
    }
    a, b, c, d = (Row(part, None, "why", "in words") for part in "abcd")
    told = Coverage([b, a, b], [d, c, d])
    assert told.as_json() == {
        "complete": False,
        "checked": [r.as_json() for r in (a, b)],
        "not_checked": [r.as_json() for r in (c, d)],
    }
    assert Coverage([a]).as_json() == {
        "complete": True,
        "checked": [a.as_json()],
        "not_checked": [],
    }


# -- the whole --


def test_the_worst_verdict_counts() -> None:
    order = ["broken", "inconclusive", "in_flight", "recovered", "intact", "unused"]
    for place, worst in enumerate(order):
        assert (
            diagnosis(
                *(grant(str(n), verdict) for n, verdict in enumerate(reversed(order[place:])))
            ).verdict
            == worst
        )
    assert diagnosis().verdict == "inconclusive"


@pytest.mark.parametrize(
    ("verdicts", "findings", "code"),
    [
        (["intact"], (), 0),
        (["unused", "recovered", "in_flight"], (WARNING,), 0),
        (["intact"], (WARNING, CRITICAL), 1),
        (["broken"], (), 1),
        (["broken", "inconclusive"], (), 1),
        (["inconclusive"], (CRITICAL,), 1),
        (["intact", "inconclusive"], (WARNING,), 3),
        ([], (), 3),
        ([], (CRITICAL,), 1),
    ],
)
def test_exit_codes(verdicts: list[str], findings: tuple[Finding, ...], code: int) -> None:
    assert (
        diagnosis(
            *(grant(str(n), verdict) for n, verdict in enumerate(verdicts)), findings=findings
        ).exit_code
        == code
    )


def test_a_grant_by_the_beginning_of_its_key() -> None:
    found = diagnosis(grant("AbcX"), grant("AbcY"), grant("Zed"))
    assert [found.grant(name).grant for name in ("AbcX", "AbcY", "Z")] == ["AbcX", "AbcY", "Zed"]
    for name in ("Abc", "ed", ""):
        with pytest.raises(KeyError) as raised:
            found.grant(name)
        assert isinstance(raised.value, UnknownGrant)


def test_a_diagnosis_in_json() -> None:
    bad = Finding("audit_entry_edited", None, ("worker/audit-logs.json", "edited"), "a", "b")
    found = diagnosis(
        grant("Grant", "inconclusive"),
        findings=(bad,),
        audit=audit(bad),
        reconciliation=Reconciliation(["a"]),
        coverage=Coverage([Row("b", None, "checked", "in words")]),
    )
    assert found.as_json() == {
        "schema": "popkit.findings/2",
        "case": "name",
        "as_of": 1771830000,
        "verdict": "inconclusive",
        "exit_code": 1,
        "grants": [grant("Grant", "inconclusive").as_json()],
        "audit": audit(bad).as_json(),
        "reconciliation": Reconciliation(["a"]).as_json(),
        "coverage": Coverage([Row("b", None, "checked", "in words")]).as_json(),
        "findings": [bad.as_json()],
    }
    text = found.dumps()
    assert json.loads(text) == found.as_json()
    assert text == json.dumps(found.as_json(), ensure_ascii=False, sort_keys=True, indent=2) + "\n"


def test_integers_that_not_every_reader_holds_are_written_as_text() -> None:
    numbers = [1 << 53, -(1 << 53), (1 << 53) + 1, -(1 << 53) - 1, 1 << 64, 0]
    said = json.loads(
        diagnosis(
            grant(
                last_good={"numbers": numbers, "true": True, "none": None, "half": 0.5, "text": "7"}
            )
        ).dumps()
    )
    assert said["grants"][0]["last_good"] == {
        "numbers": [
            1 << 53,
            -(1 << 53),
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551616",
            0,
        ],
        "true": True,
        "none": None,
        "half": 0.5,
        "text": "7",
    }
    assert said["grants"][0]["closed"] is False


def test_findings_are_counted_by_severity() -> None:
    found = diagnosis(
        grant(), findings=(CRITICAL, WARNING, Finding("race", "Grant", ("file", "key")), CRITICAL)
    )
    assert [found.count(severity) for severity in ("critical", "warning", "info")] == [2, 1, 1]
    with pytest.raises(AssertionError):
        found.count("grave")


def test_what_a_notebook_shows_of_a_diagnosis() -> None:
    found = diagnosis(grant("One", "broken"), grant("Two"), findings=(CRITICAL,))
    assert repr(found) == "<Diagnosis name: broken, 2 grants, 1 critical finding>"
    assert found._repr_html_() == (
        "<table><caption>Case name: broken</caption><tr><th>One</th><td>broken: for &lt;this&gt; "
        "reason</td></tr>"
        "<tr><th>Two</th><td>intact: for &lt;this&gt; reason</td></tr></table>"
    )
    assert repr(diagnosis(grant())) == "<Diagnosis name: intact, 1 grant, 0 critical findings>"
