"""What an answer may be: the true one as of a moment that its parts agree with, or "cannot tell";
and nothing named that did not happen.

The allowed verdicts of a grant, with their reasons:

1. Every verdict that is true at some moment from PopState's on to the newest part's (design §4: a
   part is said as of its moment, and a proof is lost only by a PopState read after it could land no
   more). Without PopState the chain's list takes its place.
2. `intact`, `recovered` and `unused` also where they were true up to sixty seconds before (design
   §5: records must reach the accounts' moment, the newest at most 60 s before it).
3. `inconclusive`, always: it is weaker than every other word.
4. `intact` for `recovered` where a transaction of a refusal is not in the evidence: the word then
   tells less.
5. Where no whole storage of the accounts' moment is in the evidence, what is true by the newest
   anchor: heads that were put back show in no record until the next proof is issued (design §5
   names the newest anchor for the worker's head then).
6. Where the program changed and transactions that would show it are not in the evidence, what is
   true by either reading of the rules.
7. Where evidence contradicts itself: `inconclusive` with a critical finding, or `broken` where a
   break is true (design §5).

A second either way is granted on every edge: the clocks of chain and worker are not one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.worlds.changes import ACCOUNTS, MISSING, SIGNATURES, TRANSACTIONS
from tests.worlds.parts import Taken
from tests.worlds.plays import Play
from tests.worlds.timed import STRICT, Moment
from tests.worlds.truth import CHAIN_RULES, NAMES, Truth

SOUND = {"intact", "recovered", "unused"}
REACH = 60
EDGE = 2
CRITICAL_OF = {
    "foreign": {"foreign_issuer", "equivocation"},
    "signer": {"signer_mismatch"},
    "rollback": {"equivocation"},
    "reset": {"equivocation"},
}
"""Critical findings that are true of a world in which something happened."""
OF_REMOVAL = {
    "audit_entry_removed",
    "bucket_object_missing",
    "history_record_missing",
    "storage_copy_missing",
}
"""What may be raised of an export that lacks things here and there: it looks like one from which
they were removed.
"""
OF_RESTORES = (
    "audit",
    "history",
    "bucket",
    "storage",
    "equivocation",
    "ticket_receipt",
    "record",
    "foreign",
)
"""What the names of critical findings hold that may be raised where a backup of the storage was put
back over younger rows.
"""
OF_TOKEN_HOLDERS = ("anchor", "history", "audit", "equivocation", "bucket", "storage")
"""What the names of critical findings hold that may be raised of entries which the audit log's
token wrote.
"""


@dataclass(frozen=True)
class Problem:
    """One thing that an answer says wrongly. `kind` groups failures; `weak` ones say too little,
    and are no failures.
    """

    kind: str
    text: str
    weak: bool = False


@dataclass(frozen=True)
class Range:
    """The moments that a grant's answer may be of."""

    low: Moment
    high: Moment
    low_now: int
    high_now: int


def moments_of(play: Play, taken: Taken, state: str) -> Range:
    """The moments from PopState's (else the list's, else the oldest part's) to the newest part's."""
    files, at = taken.files, taken.moments
    has_state = any(row["pubkey"] == state for row in files.get(ACCOUNTS) or [])
    has_chain = bool(files.get(TRANSACTIONS) or files.get(SIGNATURES))
    present = [m for part, m in at.items() if part != "accounts"] + list(taken.rows.values())
    if has_state:
        low = taken.rows[state]
    elif has_chain:
        low = at["chain"]
    else:
        low = min(present, key=lambda m: m.ms)
    high = max(present, key=lambda m: m.ms)
    return Range(low, high, low.now, max(high.now, files["case.json"]["collected_at"]))


def true_words(
    play: Play, truth: Truth, low: Moment, low_now: int, high: Moment, high_now: int
) -> set[str]:
    """Every verdict that is true at some time of a range, edges included."""
    found: set[str] = set()
    moments = play.world.moments
    for number, moment in enumerate(moments):
        until = moments[number + 1].now if number + 1 < len(moments) else max(high_now, moment.now)
        start, end = max(moment.now, low_now - EDGE), min(until, high_now + EDGE)
        if moment.ms > high.ms or end < start or (until < low_now - EDGE):
            continue
        if moment.ms < low.ms and until <= low_now and moment is not low:
            continue
        found |= truth.verdicts(moment, start) | truth.verdicts(moment, end)
    # The lowest moment itself, at its time and a little after: an edge of a proof's ten minutes may stand there.
    for now in (low_now, low_now + EDGE):
        found |= truth.verdicts(low, now)
    return found


def allowed(play: Play, truth: Truth, taken: Taken) -> dict[str, str]:
    """The verdicts that an answer may give of a grant, each with why."""
    grant, state = truth.grant, truth.handle.state
    span = moments_of(play, taken, state)
    base = true_words(play, truth, span.low, span.low_now, span.high, span.high_now)
    reach = max(span.low.ms - REACH * 1000, _records_end(taken))
    before = play.world.at(reach)
    sound = (
        true_words(play, truth, before, reach // 1000, span.low, span.low_now) & SOUND
        if reach < span.low.ms
        else set()
    )
    found = dict.fromkeys(base, "true within the moments of the parts")
    for word in sound - base:
        found[word] = "true at most sixty seconds before the accounts' moment"
    if {what for _, what in play.world.happened} & {
        "reset",
        "rollback",
        "stream",
    } and not _has_storage(taken, span, grant):
        anchored = Truth(play, truth.handle)
        anchored.by_anchors = True
        for word in true_words(
            play, anchored, span.low, span.low_now, span.high, span.high_now
        ) - set(found):
            found[word] = (
                "true by the newest anchor, and no storage tells of heads that were put back"
            )
    if "recovered" in found and _refusals_missing(truth, taken):
        found.setdefault("intact", "recovered, and a refusal is not in the evidence")
    if {what for _, what in play.world.happened} & {
        "upgrade",
        "downgrade",
    } and _transactions_missing(truth, taken, span):
        for relaxed in (False, True):
            for word in truth.under(span.low, span.low_now, relaxed) | truth.under(
                span.high, span.high_now, relaxed
            ):
                found.setdefault(
                    word,
                    "true by one reading of the rules, and what shows the other is not in the "
                    "evidence",
                )
    if f"contradicts {state}" in taken.notes or "program" in taken.notes:
        found = {word: why for word, why in found.items() if word == "broken"}
    found.setdefault("inconclusive", "weaker than any other")
    return found


def _has_storage(taken: Taken, span: Range, grant: str) -> bool:
    """Whether the storage is there, whole, as young as PopState, and holds a head: one that holds
    none may have been exported so.
    """
    return (
        "worker/storage.jsonl" in taken.files
        and grant in taken.moments["storage"].heads
        and taken.moments["storage"].ms >= span.low.ms
        and not set(taken.ops) & set(MISSING)
    )


def _records_end(taken: Taken) -> int:
    """When the worker's records were taken at the latest (unix ms); 0 where they may end earlier,
    as something is missing of them.
    """
    files = {
        "bucket": "worker/r2.jsonl",
        "storage": "worker/storage.jsonl",
        "list": "worker/audit-logs.json",
    }
    present = [taken.moments[part].ms for part, file in files.items() if file in taken.files]
    return 0 if set(taken.ops) & set(MISSING) else max(present, default=0)


def _held(taken: Taken) -> set[str]:
    return {
        row["signature"] for row in taken.files.get(TRANSACTIONS) or [] if row["result"] is not None
    }


def _transactions_missing(truth: Truth, taken: Taken, span: Range) -> bool:
    held = _held(taken)
    return any(t.landed.signature not in held for t in truth.world.tried[: span.high.tried])


def _refusals_missing(truth: Truth, taken: Taken) -> bool:
    held = _held(taken)
    late = truth.world.moments[-1]
    return any(t.landed.signature not in held for t in truth.refused(late) if t.code in CHAIN_RULES)


def check(play: Play, taken: Taken, found: dict[str, Any], strict: bool) -> list[Problem]:
    """Everything that an answer (findings.json) says wrongly of a case. With `strict` it must not
    be weaker than the truth either.
    """
    problems = []
    rows = {row["grant"]: row for row in found["grants"]}
    worst = set()
    for handle in play.handles:
        truth = Truth(play, handle)
        row = rows[handle.address]
        may = allowed(play, truth, taken)
        worst.add(row["verdict"])
        if row["verdict"] not in may:
            words = "/".join(sorted(set(may) - {"inconclusive"})) or "inconclusive"
            problems.append(
                Problem(
                    f"says {row['verdict']}, is {words}",
                    f"{handle.address[:6]}: {row['verdict']}, allowed {sorted(may)}",
                )
            )
        elif (
            strict and row["verdict"] == "inconclusive" and may["inconclusive"].startswith("weaker")
        ):
            problems.append(
                Problem(
                    f"cannot tell {'/'.join(sorted(set(may) - {'inconclusive'}))}",
                    handle.address[:6],
                    weak=True,
                )
            )
        problems += _names(play, truth, taken, row)
    problems += _criticals(play, taken, found)
    return problems


def _names(play: Play, truth: Truth, taken: Taken, row: dict[str, Any]) -> list[Problem]:
    """Causes, people, entries and transactions that an answer names of a grant and that were not
    so.
    """
    span, found = moments_of(play, taken, truth.handle.state), []
    late = play.world.at(max(span.high.ms, *(m.ms for m in taken.moments.values())))
    oldest = min([*taken.moments.values(), *taken.rows.values()], key=lambda m: m.ms)

    def wrong(kind: str, text: str) -> None:
        found.append(Problem(kind, text))

    happened = {what for _, what in play.world.happened}
    # Where a backup was put back, the storage knows nothing of what was issued since, as if another had: only the bucket tells.
    restored = "restore" in happened and (
        "no bucket" in taken.ops
        or set(taken.ops) & set(MISSING)
        or any("age" in op for op in taken.ops)
    )
    false_causes = (
        set(row["causes"]) - truth.causes(late) - ({"foreign_issuer"} if restored else set())
    )
    if "reports" not in taken.notes:
        for cause in sorted(false_causes):
            wrong(
                f"names the cause {cause}",
                f"{row['verdict']}: {row['causes']}, true {sorted(truth.causes(late))}",
            )
    if row["heals_until"] is not None:
        anchored = Truth(play, truth.handle)
        anchored.by_anchors = True
        moments = [m for m in play.world.moments if span.low.ms <= m.ms <= late.ms]
        ends = {known.way(m, m.now).heals for m in moments for known in (truth, anchored)}
        if row["verdict"] != "in_flight":
            wrong("heals_until without in_flight", str(row["heals_until"]))
        elif row["heals_until"] not in ends and any(ends):
            wrong(
                "heals_until is another",
                f"{row['heals_until']}, true {sorted(e for e in ends if e)}",
            )
    elif row["verdict"] == "in_flight":
        wrong("in_flight without heals_until", "")
    extra = set(row["affected_claimers"] or []) - truth.waiting(
        span.low if span.low.ms < late.ms else late, late
    )
    if extra:
        wrong(
            "names people who are not affected", f"{row['verdict']}: {sorted(e[:6] for e in extra)}"
        )
    extra = set(row["missing_entries"] or []) - truth.unlanded(
        oldest if oldest.ms < span.low.ms else span.low, late
    )
    if extra:
        wrong(
            "names missing entries that are none",
            f"{row['verdict']}: {sorted(e[:8] for e in extra)}",
        )
    accepted = {t.proof.entry: t for t in truth.accepted(late)}
    # Where the relaxed program took a proof whose parent never landed, the strict reading names that parent.
    parents = {
        t.proof.prev for t in accepted.values() if t.proof.prev != t.head and t.build not in STRICT
    }
    extra = set(row["unseen_entries"] or []) - set(accepted) - parents
    contradicted = any(note.startswith("contradicts") or note == "program" for note in taken.notes)
    if extra and not contradicted:
        wrong("names unseen entries that were not accepted", f"{sorted(e[:8] for e in extra)}")
    foreign = {entry for entry, issued in truth.proofs.items() if issued.issuer != "worker"}
    extra = set(row["foreign_entries"] or []) - foreign
    if extra and not restored:
        wrong("names foreign entries that are the worker's", f"{sorted(e[:8] for e in extra)}")
    if not contradicted:
        found += _last_and_first(truth, taken, row, late)
    return found


def _last_and_first(truth: Truth, taken: Taken, row: dict[str, Any], late: Moment) -> list[Problem]:
    held, found = _held(taken), []
    seen = [t.landed.signature for t in truth.accepted(late) if t.landed.signature in held]
    wanted = seen[-1] if seen else None
    got = row["last_good"]["signature"] if row["last_good"] is not None else None
    if got != wanted:
        found.append(
            Problem(
                "last_good is another",
                f"{row['verdict']}: {got and got[:8]}, held {wanted and wanted[:8]}",
            )
        )
    first = row["first_bad"]
    if first is None:
        return found
    refused = {t.landed.signature: t for t in truth.refused(late)}
    if first["signature"] is not None and first["signature"] not in refused:
        found.append(Problem("first_bad is no refusal of ours", f"{first}"))
    elif first["signature"] is not None:
        t = refused[first["signature"]]
        name = NAMES.get(t.code or 0, f"Custom({t.code})")
        if first["error"] not in (None, name) or first["entry_hash"] != t.proof.entry:
            found.append(
                Problem(
                    "first_bad has another error or entry",
                    f"{first}, true {name} {t.proof.entry[:8]}",
                )
            )
    elif (
        first["entry_hash"] is not None
        and first["entry_hash"] not in truth.proofs
        and "reports" not in taken.notes
    ):
        found.append(Problem("first_bad is no proof of ours", f"{first}"))
    return found


def _criticals(play: Play, taken: Taken, found: dict[str, Any]) -> list[Problem]:
    """Critical findings on true evidence, and an exit code that does not follow from verdict and
    findings.
    """
    problems, happened = [], {what for _, what in play.world.happened}
    broken = {row["grant"] for row in found["grants"] if row["verdict"] == "broken"}
    may = {code for what, codes in CRITICAL_OF.items() if what in happened for code in codes}
    critical = [
        f for f in [*found["findings"], *found["audit"]["findings"]] if f["severity"] == "critical"
    ]
    contradicted = {
        note for note in taken.notes if note.startswith("contradicts") or note == "program"
    }
    for finding in critical:
        code = finding["code"]
        if code in may or (finding["grant"] in broken and "broken" in code) or contradicted:
            continue
        if code in OF_REMOVAL and set(taken.ops) & {"bucket some", "storage rows"}:
            continue
        if "restore" in happened and any(part in code for part in OF_RESTORES):
            continue
        if "forged anchor" in happened and any(part in code for part in OF_TOKEN_HOLDERS):
            continue
        problems.append(
            Problem(
                f"critical {code} on true evidence",
                str({k: str(v)[:90] for k, v in finding.items()}),
            )
        )
    if contradicted and not critical:
        problems.append(Problem("no critical finding of a contradiction", str(sorted(taken.notes))))
    wanted = 1 if broken or critical else 3 if found["verdict"] == "inconclusive" else 0
    if found["exit_code"] != wanted and not (wanted == 0 and found["exit_code"] == 3):
        problems.append(
            Problem("exit code does not follow", f"{found['exit_code']}, want {wanted}")
        )
    return problems
