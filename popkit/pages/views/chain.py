"""Where a chain broke and why; forks and what follows from them (runbook Steps 1, 2 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from popkit.causes.model import Cause
from popkit.causes.registry import CAUSES
from popkit.pages.blocks import Block, Cell, Code, Facts, Group, Lines, Mark, Note, Table
from popkit.pages.naming import ISSUERS, YES_NO, fate_of, grant_mark, known, named
from popkit.pages.places import Places
from popkit.pages.text import NOT_KNOWN, count, short, utc
from popkit.pages.views.choice import examined

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.extent import TwoHeads
    from popkit.diagnosis.proof_rows import Awaited
    from popkit.diagnosis.result import GrantDiagnosis

SOURCES = {
    "chain": "a landed transaction",
    "worker": "the worker's records",
    "client": "wallets' reports",
}
MAX_ROWS = 50
"""Rows of a list shown at most; findings.json has them all."""
_NO_TRANSACTIONS = "not known: no transactions are in the case"


def last_good(case: Case, grant: str = "") -> Block:
    """The last accepted claim of each grant: the signature and receipt that the runbook asks to be
    noted.
    """
    places = Places(case)
    without = case.diagnose().without_last_good
    return Group([_last_good(g, places, named(g), without(g)) for g in examined(case, grant)])


def _last_good(g: GrantDiagnosis, places: Places, title: str, without: str) -> Block:
    if g.last_good is None:
        return Note(f"{title}: last good claim {without}.")
    return Facts(
        f"{title}: last good claim",
        {
            "txSignature": Code(g.last_good["signature"]),
            "receiptPubkey": Code(g.last_good["receipt"]),
            "entry hash": Code(g.last_good["entry_hash"])
            if g.last_good["entry_hash"]
            else "none: a claim without a proof",
            "landed": utc(g.last_good["block_time"]),
            "slot": g.last_good["slot"],
            "stands in": _code(places.spot(g.last_good["signature"])),
        },
    )


def first_bad(case: Case, grant: str = "") -> Block:
    """The first claim that could not go on from the last good one, and the proof it waited for."""
    places = Places(case)
    return Group([_first_bad(g, places) for g in examined(case, grant)])


def _first_bad(g: GrantDiagnosis, places: Places) -> Block:
    title, bad, more = named(g), g.first_bad, g.bad
    if bad is None or more is None:
        if g.is_undecided:
            return Note(
                f"{title}: which claim was the first bad one, or whether there was any, is not "
                f"known.",
                "unsure",
            )
        return Note(f"{title}: no claim was refused by a chain rule or burnt.")
    proof = more.proof
    rows: dict[str, Cell] = {
        "error": Code(bad["error"]) if bad["error"] else "not on record",
        "known from": SOURCES[bad["source"]],
        "txSignature": Code(bad["signature"]) if bad["signature"] else _no_signature(g),
        "claimer": Code(proof.claimer) if proof else NOT_KNOWN,
        "proof issued": utc(proof.issued_at) if proof else NOT_KNOWN,
        "landed": utc(more.landed_at) if more.has_landed else None,
        "entry hash": Code(bad["entry_hash"]) if bad["entry_hash"] else NOT_KNOWN,
        "names as parent": Code(bad["prev_hash"]) if bad["prev_hash"] else NOT_KNOWN,
        "the chain's head is": Code(known(g.two_heads.on_chain)),
        "stands in": _code(places.spot(bad["signature"] or bad["entry_hash"] or "")),
    }
    return Facts(f"{title}: first bad claim", rows)


def _no_signature(g: GrantDiagnosis) -> str:
    """What it means that no transaction of the first bad claim is in the case."""
    return (
        "none: it never landed"
        if g.counts.are_whole
        else "not known: not every transaction of the grant is in the case"
    )


def waiting_for(case: Case, grant: str = "") -> Block:
    """The proofs that a strict chain waits for: issued on its head and never accepted. Nothing
    brings them back after 600 seconds.
    """
    shown = examined(case, grant)
    rows = [_awaited_row(g, one) for g in shown for one in g.waits_for]
    columns = ("grant", "entry hash", "held by", "issued", "age when collected", "entry hash is")
    undecided = ", ".join(short(g.grant) for g in shown if g.is_undecided and not g.waits_for)
    note = f"Whether a proof is waited for is not known of {undecided}." if undecided else ""
    empty = (
        f"not known of {undecided}" if undecided else "none: no grant shown here waits for a proof"
    )
    return Table("Proofs that the chain waits for", columns, rows, empty=empty, note=note)


def _awaited_row(g: GrantDiagnosis, one: Awaited) -> list[Cell]:
    proof = one.proof
    return [
        Code(short(g.grant)),
        Code(one.entry),
        Code(proof.claimer) if proof else "not in the evidence",
        utc(proof.issued_at) if proof else NOT_KNOWN,
        f"{one.age} s" if one.age is not None else NOT_KNOWN,
        ("exact" if proof.is_exact else "assumed from the anchor's second") if proof else None,
    ]


def heads_table(case: Case, grant: str = "") -> Block:
    """The chain's head and the worker's, side by side."""
    return Group([_heads(g) for g in examined(case, grant)])


def _heads(g: GrantDiagnosis) -> Block:
    last, takes_parents = (
        g.heads["last_accepted"],
        g.two_heads.worker is None and g.two_heads.follows_chain,
    )
    rows: dict[str, Cell] = {
        "on chain (PopState)": _hash(g.heads["on_chain"]),
        "last accepted claim": None if last is None and g.counts.linked == 0 else _hash(last),
        "the worker's next parent": None if takes_parents else _hash(g.heads["worker"]),
        "known from": None if takes_parents else known(g.two_heads.source),
        "one head": _one_head(g.two_heads),
    }
    return Facts(f"{named(g)}: two heads", rows)


def _one_head(heads: TwoHeads) -> str:
    """Whether the two heads are one; where they are not, how far they are apart."""
    if heads.worker is None and heads.follows_chain:
        return "the worker takes its parents from the chain"
    if heads.are_one is not False:
        return YES_NO[heads.are_one]
    if heads.ahead is not None:
        return f"no: {count(heads.ahead, 'proof')} off the chain's head"
    if heads.behind is not None:
        return f"no: {count(heads.behind, 'accepted link')} behind the chain's head"
    return "no: how far they are apart is not known"


def _code(text: str | None) -> Cell:
    return None if text is None else Code(text)


def _hash(value: str | None) -> Cell:
    return NOT_KNOWN if value is None else "GENESIS" if value == "0" * 64 else Code(value)


def causes(case: Case, grant: str = "") -> Block:
    """Why: each cause with what shows it, what it means, and what would have ruled it out."""
    shown = [
        _cause(f"{named(g)}: {cause.name}", cause)
        for g in examined(case, grant)
        for cause in g.causes
    ]
    if shown:
        return Group(shown)
    if any(g.is_undecided for g in examined(case, grant)):
        return Note("No cause is named: whether something broke is not known.", "unsure")
    return Note("No cause is named: nothing shown here broke.")


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
    """Every proof that shares its parent with another: who issued it and what became of it. A race
    breaks no rule; a fork does.
    """
    shown = examined(case, grant)
    rows = [
        _child_row(g, fork, child) for g in shown for fork in g.forks for child in fork["children"]
    ]
    columns = ("grant", "kind", "parent", "child", "issued by", "fate", "issued", "claimer")
    note = (
        f"{count(len(rows) - MAX_ROWS, 'more row')} in findings.json."
        if len(rows) > MAX_ROWS
        else ""
    )
    empty = _NO_TRANSACTIONS if _lack_transactions(shown) else "none: every parent has one child"
    return Table("Proofs that share a parent", columns, rows[:MAX_ROWS], empty=empty, note=note)


def _child_row(g: GrantDiagnosis, fork: dict[str, Any], child: str) -> list[Cell]:
    proof = g.proofs[child]
    issuer = NOT_KNOWN if proof.issuer == "unknown" else ISSUERS[proof.issuer]
    return [
        Code(short(g.grant)),
        fork["kind"],
        Code(short(fork["parent"])),
        Code(child),
        issuer,
        fate_of(proof),
        utc(proof.issued_at),
        Code(proof.claimer),
    ]


def _lack_transactions(shown: list[GrantDiagnosis]) -> bool:
    """Whether no transactions were collected, so that nothing shows what two claims share."""
    return any(g.counts.accepted is None for g in shown)


def equivocations(case: Case, grant: str = "") -> Block:
    """Pairs of validly signed proofs for one grant, claimer and period on one parent: the two
    messages alone show it.
    """
    rows: list[list[Cell]] = []
    shown = examined(case, grant)
    for g in shown:
        for first, second in g.equivocations:
            one = g.proofs[first]
            rows.append(
                [Code(short(g.grant)), Code(one.claimer), one.period, Code(first), Code(second)]
            )
    empty = _NO_TRANSACTIONS if _lack_transactions(shown) else "none"
    return Table(
        "Equivocations", ("grant", "claimer", "period", "one proof", "the other"), rows, empty=empty
    )


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
        begins = "no claim yet" if new.counts.linked == 0 else YES_NO[new.begins_at_genesis]
        rows.append(
            [
                Code(old.grant),
                Mark(old.verdict),
                Code(new.grant),
                grant_mark(diagnosis, new),
                begins,
                YES_NO[new.paused],
            ]
        )
    columns = ("old grant", "verdict", "new grant", "its verdict", "begins at GENESIS", "paused")
    if not rows and diagnosis.verdict == "inconclusive":
        return Note(
            "Whether a cutover is needed is not decided yet: see what was not checked.", "unsure"
        )
    empty = "no grant shown here needs a cutover"
    return Table("From old grant to new", columns, rows, empty=empty)


def frozen_as(case: Case) -> Block:
    """The bytes that stand for the old chain: the case's files with their digests."""
    digests = case.diagnose().collection.digests
    if digests is None:
        return Note(
            "The case has no manifest: that its bytes are those collected cannot be shown.",
            "unsure",
        )
    shown = [[Code(name), Code(sha256)] for name, sha256 in sorted(digests.items())]
    note = (
        f"{count(len(shown) - MAX_ROWS, 'more file')} in manifest-sha256.txt."
        if len(shown) > MAX_ROWS
        else ""
    )
    return Table("Files of the case", ("file", "sha256"), shown[:MAX_ROWS], note=note)
