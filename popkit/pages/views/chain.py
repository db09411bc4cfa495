"""Where a chain broke and why; forks and what follows from them (runbook Steps 1, 2 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit.causes.model import Cause
from popkit.causes.registry import CAUSES
from popkit.pages.blocks import Block, Cell, Code, Facts, Group, Lines, Mark, Note, Table
from popkit.pages.places import Places
from popkit.pages.text import count, short, utc
from popkit.pages.views.choice import examined, grant_mark, named

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.result import GrantDiagnosis

SOURCES = {"chain": "a landed transaction", "worker": "the worker's records", "client": "wallets' reports"}
ISSUERS = {"this_worker": "this worker", "foreign": "another issuer", "unknown": "not known"}
MAX_ROWS = 50
"""Rows of a list shown at most; findings.json has them all."""


def last_good(case: Case, grant: str = "") -> Block:
    """The last accepted claim of each grant: the signature and receipt that the runbook asks to be noted."""
    places = Places(case)
    without = case.diagnose().without_last_good
    return Group([_last_good(g, places, named(case, g), without(g)) for g in examined(case, grant)])


def _last_good(g: GrantDiagnosis, places: Places, title: str, without: str) -> Block:
    if g.last_good is None:
        return Note(f"{title}: last good claim {without}.")
    return Facts(
        f"{title}: last good claim",
        {
            "txSignature": Code(g.last_good["signature"]),
            "receiptPubkey": Code(g.last_good["receipt"]),
            "entry hash": Code(g.last_good["entry_hash"]) if g.last_good["entry_hash"] else "none: a claim without a proof",
            "landed": utc(g.last_good["block_time"]),
            "slot": g.last_good["slot"],
            "stands in": _code(places.spot(g.last_good["signature"])),
        },
    )


def first_bad(case: Case, grant: str = "") -> Block:
    """The first claim that could not go on from the last good one, and the proof it waited for."""
    places = Places(case)
    return Group([_first_bad(case, g, places) for g in examined(case, grant)])


def _first_bad(case: Case, g: GrantDiagnosis, places: Places) -> Block:
    title, bad = named(case, g), g.first_bad
    if bad is None:
        return Note(f"{title}: no claim was refused by a chain rule or burnt.")
    line = case.facts.line(g.grant)
    proof = line.proofs.get(bad["entry_hash"] or "")
    attempt = next((a for a in line.chain.attributed if a.signature == bad["signature"]), None)
    rows: dict[str, Cell] = {
        "error": Code(bad["error"]) if bad["error"] else "not on record",
        "known from": SOURCES[bad["source"]],
        "txSignature": Code(bad["signature"]) if bad["signature"] else "none: it never landed",
        "claimer": Code(proof.claimer) if proof else None,
        "proof issued": utc(proof.issued_at) if proof else None,
        "landed": utc(attempt.block_time) if attempt else None,
        "entry hash": Code(bad["entry_hash"]) if bad["entry_hash"] else None,
        "names as parent": Code(bad["prev_hash"]) if bad["prev_hash"] else None,
        "the chain's head is": Code(line.chain.head),
        "stands in": _code(places.spot(bad["signature"] or bad["entry_hash"] or "")),
    }
    return Facts(f"{title}: first bad claim", rows)


def waiting_for(case: Case, grant: str = "") -> Block:
    """The proofs that a strict chain waits for: issued on its head and never accepted. Nothing brings them back after 600 seconds."""
    rows: list[list[Cell]] = []
    for g in examined(case, grant):
        line = case.facts.line(g.grant)
        for entry in g.missing_entries:
            proof = line.proofs.get(entry)
            known = "" if proof is None else "exact" if proof.confirmed else "assumed from the anchor's second"
            rows.append(
                [
                    Code(short(g.grant)),
                    Code(entry),
                    Code(proof.claimer) if proof else "not in the evidence",
                    utc(proof.issued_at) if proof else None,
                    (f"{case.collected_at - proof.issued_at} s" if proof else None),
                    known or None,
                ]
            )
    columns = ("grant", "entry hash", "held by", "issued", "age when collected", "entry hash is")
    return Table("Proofs that the chain waits for", columns, rows, empty="none: no grant shown here waits for a proof")


def heads_table(case: Case, grant: str = "") -> Block:
    """The chain's head and the worker's, side by side."""
    return Group([_heads(case, g) for g in examined(case, grant)])


def _heads(case: Case, g: GrantDiagnosis) -> Block:
    line = case.facts.line(g.grant)
    if line.head is None:
        same = "the worker takes its parents from the chain" if line.follows_chain else "not known"
    else:
        same = "yes" if line.head == line.chain.head else f"no: {count(len(line.path), 'proof')} off the chain's head"
    rows: dict[str, Cell] = {
        "on chain (PopState)": _hash(g.heads["on_chain"]),
        "last accepted claim": _hash(g.heads["last_accepted"]),
        "the worker's next parent": _hash(g.heads["worker"]),
        "known from": line.head_source,
        "one head": same,
    }
    return Facts(f"{named(case, g)}: two heads", rows)


def _code(text: str | None) -> Cell:
    return None if text is None else Code(text)


def _hash(value: str | None) -> Cell:
    return None if value is None else "GENESIS" if value == "0" * 64 else Code(value)


def causes(case: Case, grant: str = "") -> Block:
    """Why: each cause with what shows it, what it means, and what would have ruled it out."""
    shown = [_cause(f"{named(case, g)}: {cause.name}", cause) for g in examined(case, grant) for cause in g.causes]
    return Group(shown) if shown else Note("No cause is named: nothing shown here broke.")


def _cause(title: str, cause: Cause) -> Block:
    keys = (*cause.signatures, *cause.entries)
    more = [f"and {len(keys) - 4} more"] if len(keys) > 4 else []
    kind = CAUSES[cause.name]
    rows: dict[str, Cell] = {
        "seen": cause.because,
        "which means": kind.meaning,
        "what to do": kind.advice,
        "rests on": Lines((*map(Code, keys[:4]), *more)) if keys else None,
        "ruled out if": kind.ruled_out_by,
    }
    return Facts(title, rows)


def forks(case: Case, grant: str = "") -> Block:
    """Every proof that shares its parent with another: who issued it and what became of it. A race breaks no rule; a fork does."""
    rows: list[list[Cell]] = []
    for g in examined(case, grant):
        line = case.facts.line(g.grant)
        for fork in g.forks:
            for child in fork["children"]:
                proof = line.proofs[child]
                fate = "accepted" if proof.accepted else next((f"refused: {a.error}" for a in proof.refused if a.error), "never accepted")
                rows.append(
                    [
                        Code(short(g.grant)),
                        fork["kind"],
                        Code(short(fork["parent"])),
                        Code(child),
                        ISSUERS[proof.issuer],
                        fate,
                        utc(proof.issued_at),
                        Code(proof.claimer),
                    ]
                )
    columns = ("grant", "kind", "parent", "child", "issued by", "fate", "issued", "claimer")
    note = f"{count(len(rows) - MAX_ROWS, 'more row')} in findings.json." if len(rows) > MAX_ROWS else ""
    return Table("Proofs that share a parent", columns, rows[:MAX_ROWS], empty="none: every parent has one child", note=note)


def equivocations(case: Case, grant: str = "") -> Block:
    """Pairs of validly signed proofs for one grant, claimer and period on one parent: the two messages alone show it."""
    rows: list[list[Cell]] = []
    for g in examined(case, grant):
        proofs = case.facts.line(g.grant).proofs
        for first, second in g.equivocations:
            rows.append([Code(short(g.grant)), Code(proofs[first].claimer), proofs[first].period_index, Code(first), Code(second)])
    return Table("Equivocations", ("grant", "claimer", "period", "one proof", "the other"), rows, empty="none")


def successors(case: Case, grant: str = "") -> Block:
    """Which grant took over from which, and whether the new one is sound."""
    diagnosis = case.diagnose()
    rows: list[list[Cell]] = []
    for old in examined(case, grant):
        if old.verdict not in ("broken", "inconclusive") and not old.superseded_by:
            continue
        if old.superseded_by is None:
            rows.append([Code(old.grant), Mark(old.verdict), "none in this case", None, None, None])
            continue
        new = diagnosis.grant(old.superseded_by)
        first = case.facts.chain(new.grant).linked[:1]
        begins = ("yes" if first[0].prev_hash == "0" * 64 else "no") if first else "no claim yet"
        paused = {True: "yes", False: "no", None: "not known"}[new.paused]
        rows.append([Code(old.grant), Mark(old.verdict), Code(new.grant), grant_mark(case, new), begins, paused])
    columns = ("old grant", "verdict", "new grant", "its verdict", "begins at GENESIS", "paused")
    if not rows and case.diagnose().verdict == "inconclusive":
        return Note("Whether a cutover is needed is not decided yet: see what was not checked.", "unsure")
    empty = "no grant shown here needs a cutover"
    return Table("From old grant to new", columns, rows, empty=empty)


def frozen_as(case: Case) -> Block:
    """The bytes that stand for the old chain: the case's files with their digests."""
    digests = case.evidence.digests
    if digests is None:
        return Note("The case has no manifest: that its bytes are those collected cannot be shown.", "unsure")
    shown = [[Code(name), Code(sha256)] for name, sha256 in sorted(digests.items())]
    note = f"{count(len(shown) - MAX_ROWS, 'more file')} in manifest-sha256.txt." if len(shown) > MAX_ROWS else ""
    return Table("Files of the case", ("file", "sha256"), shown[:MAX_ROWS], note=note)
