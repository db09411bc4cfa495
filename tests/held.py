"""What holds for every diagnosis of whatever case: it says why, fills what its codes promise, names
places that the case holds, and is whole in Japanese.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema

import popkit
from popkit.chain.history import LATEST
from popkit.diagnosis.result import Diagnosis, GrantDiagnosis
from popkit.diagnosis.schema import findings_schema
from popkit.facts import Facts
from popkit.pages.places import Places
from popkit.rules.model import Finding
from popkit.rules.registry import RULES
from popkit.verdict.judgement import Judgement
from tests.japanese import whole_in_japanese

OF_WHAT_IS_NOT_THERE = (
    "proof_lost",
    "entry_unseen",
    "audit_entry_removed",
    "transaction_missing",
    "bucket_object_missing",
    "bucket_folder_not_exported",
    "storage_export_partial",
    "evidence_unreadable",
    "fork",
    "race",
)
"""Codes whose findings may be about what no file of the case holds."""


OF_THE_CASE = (
    *("audit_", "bucket_", "storage_", "server_", "outcome_", "transaction_missing", "evidence_"),
    *("ticket_receipt_bad", "ticket_receipt_server", "ticket_receipt_unchecked"),
)
"""How the codes begin of which no finding is of one grant."""
OF_EITHER = ("evidence_contradictory", "history_record_false")
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
VALIDATOR = jsonschema.Draft202012Validator(findings_schema())


def held_to_its_words(path: Path) -> Diagnosis:
    """The diagnosis of the case in a folder, held to what every diagnosis must say."""
    case = popkit.open_case(path)
    found = case.diagnose()
    for judgement in (grant.judgement for grant in found.grants):
        said = [judgement.because, *judgement.missing_evidence]
        assert all(isinstance(text, str) and text for text in said), said
        assert bool(judgement.missing_evidence) == (judgement.verdict == "inconclusive")
        assert (judgement.heals_until is not None) == (judgement.verdict == "in_flight")
        _heals_in_time(judgement, case.facts, found.as_of)
    for grant in found.grants:
        assert (grant.affected_claimers is None) or grant.verdict != "inconclusive", (
            "whom it affects is not known"
        )
        assert grant.verdict != "in_flight" or grant.affected_claimers == []
        _began_as_it_says(grant)
    _rows_say_what_they_are_about(found)
    said = json.loads(found.dumps())
    assert list(VALIDATOR.iter_errors(said)) == []
    assert (said["verdict"], said["exit_code"], said["case"]) == (
        found.verdict,
        found.exit_code,
        case.name,
    )
    assert [row["code"] for row in said["findings"]] == [finding.code for finding in found.findings]
    places = Places(case)
    raw = {
        str(file.relative_to(path)): file.read_text("utf-8", "replace")
        for file in path.rglob("*")
        if file.is_file()
    }
    transactions = case.facts.claims.transactions
    slots = dict(zip(transactions.signature, transactions.slot, strict=True))
    for finding in found.findings:
        told = {name for name in ("expected", "observed", "not_checked") if getattr(finding, name)}
        assert told == set(RULES[finding.code].context), finding
        assert all(
            isinstance(text, str | None)
            for text in (finding.expected, finding.observed, finding.not_checked)
        ), finding
        assert finding.expected is None or finding.expected != finding.observed, finding
        if finding.code not in OF_EITHER:
            assert (finding.grant is None) == finding.code.startswith(OF_THE_CASE), finding
        assert finding.grant is None or finding.grant in case.facts.header.grants, finding
        if (
            finding.where[1] in slots and finding.code != "outcome_contradictory"
        ):  # there two answers tell two slots
            assert finding.slot == slots[finding.where[1]], finding
        assert finding.code in OF_WHAT_IS_NOT_THERE or _is_there(finding, places, raw), finding
    whole_in_japanese(found)
    return found


def _heals_in_time(judgement: Judgement, facts: Facts, as_of: int) -> None:
    """A time to heal is not over, and no later than the last second of any proof on the way: by its
    age, its period and the grant.
    """
    if judgement.heals_until is None:
        return
    ends = [proof.issued_at + 600 for proof in judgement.line.path]
    for terms in facts.history.terms_during(judgement.grant, LATEST)[-1:]:
        ends += [
            terms.start_ts + (proof.period_index + 1) * terms.period_seconds - 1
            for proof in judgement.line.path
        ]
        ends += [terms.expires_at] if terms.expires_at > 0 else []
    assert as_of <= judgement.heals_until <= min(ends)


def _began_as_it_says(grant: GrantDiagnosis) -> None:
    """What is said of the beginning: nothing where nothing broke, and of each moment who says so
    and how sure that is.
    """
    began = grant.began
    if grant.verdict in ("in_flight", "unused") or (
        grant.verdict == "intact" and grant.first_bad is None
    ):
        assert began is None
    if grant.verdict == "recovered":
        assert began is not None
    if began is None:
        return
    moments = began.lost_proof_issued, began.first_wallet_refused, began.first_refusal_landed
    assert any(moments), "no moment: then it is null"
    for moment, sources in zip(
        moments, (("worker", "chain"), ("client",), ("chain",)), strict=True
    ):
        if moment is not None:
            assert moment.source in sources
            assert moment.certainty in ("exact", "at_latest", "at_earliest")
            assert (moment.slot is not None) == (moment is began.first_refusal_landed)
    assert began.first_wallet_refused is None or began.first_wallet_refused.certainty != "exact", (
        "nobody signs a report"
    )


def _rows_say_what_they_are_about(found: Diagnosis) -> None:
    """Every row of the coverage: its part, its grant, a code and a sentence; each once, and what
    decides a grant among them.
    """
    coverage = found.as_json()["coverage"]
    assert coverage["complete"] == (not coverage["not_checked"])
    names = {grant.grant for grant in found.grants}
    for kind in ("checked", "not_checked"):
        rows = [tuple(row.values()) for row in coverage[kind]]
        assert len(rows) == len(set(rows))
        for part, grant, why, detail in rows:
            assert part
            assert detail
            assert grant is None or grant in names
            assert (why == "checked") == (kind == "checked")
            assert CODE.fullmatch(why), why
    undecided = {
        (row["grant"], row["detail"]) for row in coverage["not_checked"] if row["part"] == "verdict"
    }
    assert undecided == {
        (g.grant, text) for g in found.grants for text in g.judgement.missing_evidence
    }


def _is_there(finding: Finding, places: Places, raw: dict[str, str]) -> bool:
    """Whether a finding's key stands in its file; a grant's own and an empty key name the file as a
    whole.
    """
    file, key = finding.where
    if key in ("", finding.grant) or places.place(key, file) is not None:
        return True
    return any(key in text for name, text in raw.items() if name.startswith(file))
