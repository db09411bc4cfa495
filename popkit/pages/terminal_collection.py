"""What `popkit collect` would ask, and what it collected, as text for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from popkit.evidence.layout import ENDPOINTS, VERIFY_CODE, appends_entry
from popkit.text import page
from popkit.texts import Language
from popkit.wording import counted

if TYPE_CHECKING:
    from popkit.collecting.collect import Collected
    from popkit.collecting.completeness import Statement
    from popkit.collecting.options import Options


def dry_run(options: Options, language: Language = "en") -> str:
    """What a collection would ask, peer by peer, without asking anything."""
    from popkit.collecting.worker import ONE_MOMENT

    lines = ["popkit collect would ask, and has asked nothing:", ""]
    if options.rpc is not None:
        known = len(options.grants)
        more = f" and those of {len(options.events)} events" if options.events else ""
        lines += [
            f"node {options.rpc.shown}, at most {options.conduct.requests} requests and "
            f"{options.conduct.every_method} calls of a method"
            + "".join(
                f", {rate} of {method}" for method, rate in sorted(options.conduct.methods.items())
            ),
            "  getGenesisHash, getVersion, getFirstAvailableBlock, getSlot, getBlockTime   1 each",
            f"  getSignaturesForAddress   pages of {options.page} for {known} grants{more}, for "
            f"the pop-config of each authority"
            + (", for the program" if options.list_program else ""),
            f"  getTransaction            every listed transaction once, {options.batch} a request "
            f"(base64, up to version 1)",
            "  getMultipleAccounts       grants, vaults, mints, PopState, PopConfig, receipts, 100 "
            "a request (finalized)",
            "  getProgramAccounts        the receipts of each grant (dataSize 88, memcmp at 8)",
            *(f"  grant {grant}" for grant in options.grants),
        ]
    if options.second is not None:
        lines += [
            f"node {options.second.shown}",
            "  getSignaturesForAddress   the same lists; getTransaction for what it alone knows",
        ]
    if options.worker is not None:
        asked = [
            endpoint for endpoint in ENDPOINTS if options.has_token or not endpoint.needs_token
        ]
        lines += [
            f"worker {options.worker.shown}"
            + ("" if options.has_token else ", without a token: public endpoints alone")
        ]
        lines += [f"  GET {endpoint.address}" for endpoint in asked]
        if options.has_token and options.rpc is not None:
            lines += [
                f"  The first of these is asked before anything else, and again, alone, where the "
                f"rest takes over {ONE_MOMENT:.0f} s."
            ]
        appended = sum(appends_entry(endpoint.path) for endpoint in asked)
        if options.tickets:
            lines += [
                f"  POST {VERIFY_CODE}, once a confirmation code, and the claimants of each event: "
                f"an audit entry each"
            ]
        lines += [
            f"  Each of these {appended} appends an entry to the worker's audit chain; they are "
            f"counted in the case."
        ]
    if options.exports:
        lines += ["exports", *(f"  {path}" for path in options.exports)]
    if options.extend is not None:
        lines += [
            f"the case {options.extend}, taken over; lists that it states to be complete are asked "
            f"for what is newer"
        ]
    return page([*lines, "", f"and would write {options.out}"])


def summary(collected: Collected, language: Language = "en") -> str:
    """What was collected, how complete each address is and why, and what to do next."""
    head = "✓ complete" if collected.complete else "? incomplete"
    if collected.complete and collected.not_asked:
        head = "✓ complete, as far as it was asked for (what was not stands below)"
    if not collected.statements and not collected.missing and not collected.without_token:
        head = "made, without a node: whether the exports are whole, they do not say"
    lines = [f"{head}   {collected.case}", ""]
    everywhere = (
        set.intersection(*map(_unsure, collected.statements)) if collected.statements else set()
    )
    for statement in collected.statements:
        sign = "✓" if statement.complete else "?"
        lines.append(f"{sign} {statement.role} {statement.address}   {statement.rows} signatures")
        lines += [f"    because {why}" for why in statement.because]
        lines += [
            f"    cannot tell {name}: {detail}"
            for name, detail in sorted(_unsure(statement))
            if (name, detail) not in everywhere
        ]
    for name, detail in sorted(everywhere):
        lines += ["", f"cannot tell {name}, of any of them: {detail}"]
    lines += _exports(collected.exports)
    parts = (
        ("missing", collected.missing),
        ("not asked for", collected.not_asked),
        ("left out by the worker", collected.left_out),
    )
    for what, rows in parts:
        if rows:
            lines += ["", what, *(f"    {row}" for row in rows)]
    if collected.went_by:
        lines += ["", collected.went_by]
    if collected.requests:
        asked = ", ".join(
            f"{name} {count['requests']} requests ({count['calls']} calls)"
            for name, count in collected.requests.items()
        )
        lines += ["", f"asked in this run: {asked}; the record is custody.jsonl"]
    lines += ["", f"next: popkit diagnose {collected.case}"]
    return page(lines)


def _unsure(statement: Statement) -> set[tuple[str, str]]:
    return {
        (check.name, check.detail) for check in statement.checks if check.outcome == "cannot tell"
    }


def _exports(exports: dict[str, Any]) -> list[str]:
    """What exports gave, by what they were recognised as, and every file that gave nothing."""
    if not exports:
        return []
    counts: dict[str, list[int]] = {}
    for row in exports["used"]:
        count = counts.setdefault(row["as"], [0, 0])
        count[0] += 1
        count[1] += row["rows"]
    lines = ["exports"]
    lines += [
        f"    {what}: {counted(files, 'file')}, {counted(rows, 'row')}"
        for what, (files, rows) in sorted(counts.items())
    ]
    lines += [
        f"    withheld: {counted(count, 'row')} of {prefix} (credentials)"
        for prefix, count in exports["withheld"].items()
    ]
    lines += [f"    not used: {row['path']}: {row['why']}" for row in exports["not_used"]]
    return lines
