"""`popkit collect`: its arguments, what it would ask (`--dry-run`), and what it says at the end."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, MissingExtra, UsageError
from popkit.output import tell, write
from popkit.text import page
from popkit.wording import counted

if TYPE_CHECKING:
    from popkit.collecting.collect import Collected
    from popkit.collecting.completeness import Statement
    from popkit.collecting.options import Options


def add_collect_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `popkit collect` takes to a parser."""
    add = parser.add_argument
    add("--rpc", metavar="URL", help="a Solana node; env:NAME reads the URL from an environment variable")
    add("--second-rpc", metavar="URL", help="another provider's node: its lists are held against the first one's")
    add("--rpc-header", action="append", default=[], metavar="NAME=VARIABLE", help="a header for the nodes, its value from the environment")
    add("--worker", metavar="URL", help="the worker")
    add("--worker-token-env", metavar="NAME", help="the environment variable that holds the operator's token")
    add("--ticket-receipts", action="store_true", help="ask the worker for each ticket receipt; every ask appends an audit entry")
    add("--grant", action="append", default=[], metavar="PUBKEY", help="a grant, or AUTHORITY,MINT,GRANT_ID; again for more")
    add("--event", action="append", default=[], metavar="ID", help="an event of the worker, for its grant; again for more")
    add("--program", action="store_true", help="list the whole program too: shows which program was deployed when")
    add("--from", dest="exports", action="append", nargs="+", default=[], metavar="PATH", help="exports: folders, archives, files")
    add("--extend", metavar="CASE", help="an earlier case: what it holds is taken over, and what is newer is asked for")
    add("--out", required=True, metavar="CASE", help="the case to make; must not exist")
    add("--name", help="the case's name; by default that of --out")
    add("--collected-at", type=int, metavar="UNIX", help="with --from alone: when the exports were made, if they do not say so")
    add("--program-id", help=argparse.SUPPRESS)
    add("--rate", metavar="N[/SECONDS]", help="requests to a node in any such window (8/1)")
    add(
        "--limit",
        action="append",
        default=[],
        metavar="METHOD=N[/SECONDS]",
        help="calls of a method, those in a batch each (every=40/10)",
    )
    add("--batch", type=int, default=40, metavar="N", help="transactions asked for in one request (40); shrinks when the node wants it")
    add("--page", type=int, default=1000, metavar="N", help="signatures a page (1000)")
    add("--parallel", type=int, default=4, metavar="N", help="requests at once (4)")
    add("--attempts", type=int, default=8, metavar="N", help="failures in a row before a node is given up (8)")
    add("--timeout", type=float, default=60.0, metavar="SECONDS", help="for one answer (60)")
    add("--dry-run", action="store_true", help="say what would be asked, and ask nothing")
    add("--seal-now", action="store_true", help="ask nothing more: seal what an interrupted collection has, stating what is missing")


def run(args: argparse.Namespace) -> int:
    """Collect; 0 when the case is complete, 3 when something could not be had. Raises PopkitError."""
    try:
        from popkit.collecting.collect import collect
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise MissingExtra("popkit collect", "collect") from None
    from popkit.collecting.progress import Progress

    options = options_of(args)
    if args.dry_run:
        write(dry_run(options))
        return EXIT_FINE
    try:
        collected = collect(options, Progress(sys.stderr))
    except KeyboardInterrupt:
        tell("")
        tell(f"popkit: stopped; what was received is kept in {options.out}.collecting, and the same command goes on")
        raise
    write(summary(collected))
    return EXIT_FINE if collected.complete else EXIT_CANNOT_TELL


def options_of(args: argparse.Namespace) -> Options:
    """The parameters of a collection, checked. Raises UsageError before anything is asked or written."""
    from popkit.collecting.address import bearer, read_address
    from popkit.collecting.limits import read_rate
    from popkit.collecting.names import read_grant
    from popkit.collecting.options import WORKER_CONDUCT, Options
    from popkit.collecting.peer import Conduct
    from popkit.protocol.keys import PROGRAM_ID, is_pubkey

    exports = tuple(Path(path) for group in args.exports for path in group)
    _check(args, exports)
    program = args.program_id or PROGRAM_ID
    if not is_pubkey(program):
        raise UsageError(f"--program-id {program[:60]!r} is not a public key")
    headers = dict(_pair(text, "--rpc-header", "NAME=VARIABLE") for text in args.rpc_header)
    limits = {method: read_rate(rate) for method, rate in (_pair(text, "--limit", "METHOD=N/SECONDS") for text in args.limit)}
    conduct = Conduct(attempts=args.attempts, timeout=args.timeout, methods={m: r for m, r in limits.items() if m != "every"})
    if args.rate:
        conduct = replace(conduct, requests=read_rate(args.rate))
    if "every" in limits:
        conduct = replace(conduct, every_method=limits["every"])
    worker = read_address(args.worker) if args.worker else None
    if worker is not None and args.worker_token_env:
        worker = bearer(worker, args.worker_token_env)
    out = Path(args.out)
    return Options(
        out=out,
        name=args.name or out.name,
        rpc=read_address(args.rpc, headers) if args.rpc else None,
        second=read_address(args.second_rpc, headers) if args.second_rpc else None,
        worker=worker,
        has_token=bool(args.worker_token_env),
        grants=tuple(sorted({read_grant(text, program) for text in args.grant})),
        events=tuple(sorted(set(args.event))),
        list_program=args.program,
        exports=exports,
        extend=Path(args.extend) if args.extend else None,
        program_id=program,
        collected_at=args.collected_at,
        conduct=conduct,
        worker_conduct=replace(WORKER_CONDUCT, timeout=args.timeout),
        batch=args.batch,
        page=args.page,
        parallel=args.parallel,
        seal_now=args.seal_now,
        tickets=args.ticket_receipts,
    )


def _check(args: argparse.Namespace, exports: tuple[Path, ...]) -> None:
    """What does not go together, said before anything is asked."""
    if not args.rpc and not args.worker and not exports:
        raise UsageError("nothing to collect from: give --rpc URL, --worker URL or --from PATH")
    if args.rpc and not (args.grant or args.event or args.extend):
        raise UsageError("--rpc: say which grants, with --grant PUBKEY, --event ID or --extend CASE")
    for flag, value, needs, has in (
        ("--event", args.event, "--worker", args.worker),
        ("--second-rpc", args.second_rpc, "--rpc", args.rpc),
        ("--ticket-receipts", args.ticket_receipts, "--worker", args.worker),
        ("--worker-token-env", args.worker_token_env, "--worker", args.worker),
        ("--extend", args.extend, "--rpc or --from", args.rpc or exports),
    ):
        if value and not has:
            raise UsageError(f"{flag} needs {needs}")
    if args.collected_at is not None and args.rpc:
        raise UsageError("--collected-at is for exports alone: with --rpc the cluster's own clock is read")
    for flag, number in (("--batch", args.batch), ("--page", args.page), ("--parallel", args.parallel), ("--attempts", args.attempts)):
        if number < 1:
            raise UsageError(f"{flag} {number}: expected at least 1")
    if args.timeout <= 0:
        raise UsageError(f"--timeout {args.timeout:g}: expected a number of seconds above 0")
    if args.page > 1000:
        raise UsageError(f"--page {args.page}: a node gives at most 1000 signatures a page")
    for path in (*exports, *([Path(args.extend)] if args.extend else [])):
        if not path.exists():
            raise UsageError(f"{path}: no such file or directory")


def _pair(text: str, flag: str, shape: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"{flag}: expected {shape}")  # never quoted: somebody may have put the secret itself there
    return name, value


def dry_run(options: Options) -> str:
    """What a collection would ask, peer by peer, without asking anything."""
    from popkit.collecting.worker import ENDPOINTS, ONE_MOMENT

    lines = ["popkit collect would ask, and has asked nothing:", ""]
    if options.rpc is not None:
        known = len(options.grants)
        more = f" and those of {len(options.events)} events" if options.events else ""
        lines += [
            f"node {options.rpc.shown}, at most {options.conduct.requests} requests and {options.conduct.every_method} calls of a method"
            + "".join(f", {rate} of {method}" for method, rate in sorted(options.conduct.methods.items())),
            "  getGenesisHash, getVersion, getFirstAvailableBlock, getSlot, getBlockTime   1 each",
            f"  getSignaturesForAddress   pages of {options.page} for {known} grants{more}, for the pop-config of each authority"
            + (", for the program" if options.list_program else ""),
            f"  getTransaction            every listed transaction once, {options.batch} a request (base64, up to version 1)",
            "  getMultipleAccounts       grants, vaults, mints, PopState, PopConfig, receipts, 100 a request (finalized)",
            "  getProgramAccounts        the receipts of each grant (dataSize 88, memcmp at 8)",
            *(f"  grant {grant}" for grant in options.grants),
        ]
    if options.second is not None:
        lines += [f"node {options.second.shown}", "  getSignaturesForAddress   the same lists; getTransaction for what it alone knows"]
    if options.worker is not None:
        asked = [endpoint for endpoint in ENDPOINTS if options.has_token or not endpoint.master]
        lines += [f"worker {options.worker.shown}" + ("" if options.has_token else ", without a token: public endpoints alone")]
        lines += [f"  GET {endpoint.path}" for endpoint in asked]
        if options.has_token and options.rpc is not None:
            lines += [
                f"  The first of these is asked before anything else, and again, alone, where the rest takes over {ONE_MOMENT:.0f} s."
            ]
        appended = sum(endpoint.appends for endpoint in asked)
        if options.tickets:
            lines += [
                "  POST /api/audit/receipts/verify-code, once a confirmation code, and the claimants of each event: an audit entry each"
            ]
        lines += [f"  Each of these {appended} appends an entry to the worker's audit chain; they are counted in the case."]
    if options.exports:
        lines += ["exports", *(f"  {path}" for path in options.exports)]
    if options.extend is not None:
        lines += [f"the case {options.extend}, taken over; lists that it states to be complete are asked for what is newer"]
    return page([*lines, "", f"and would write {options.out}"])


def summary(collected: Collected) -> str:
    """What was collected, how complete each address is and why, and what to do next."""
    head = "✓ complete" if collected.complete else "? incomplete"
    if collected.complete and collected.not_asked:
        head = "✓ complete, as far as it was asked for (what was not stands below)"
    if not collected.statements and not collected.missing and not collected.without_token:
        head = "made, without a node: whether the exports are whole, they do not say"
    lines = [f"{head}   {collected.case}", ""]
    everywhere = set.intersection(*map(_unsure, collected.statements)) if collected.statements else set()
    for statement in collected.statements:
        sign = "✓" if statement.complete else "?"
        lines.append(f"{sign} {statement.role} {statement.address}   {statement.rows} signatures")
        lines += [f"    because {why}" for why in statement.because]
        lines += [f"    cannot tell {name}: {detail}" for name, detail in sorted(_unsure(statement)) if (name, detail) not in everywhere]
    for name, detail in sorted(everywhere):
        lines += ["", f"cannot tell {name}, of any of them: {detail}"]
    lines += _exports(collected.exports)
    parts = (("missing", collected.missing), ("not asked for", collected.not_asked), ("left out by the worker", collected.left_out))
    for what, rows in parts:
        if rows:
            lines += ["", what, *(f"    {row}" for row in rows)]
    if collected.went_by:
        lines += ["", collected.went_by]
    if collected.requests:
        asked = ", ".join(f"{name} {count['requests']} requests ({count['calls']} calls)" for name, count in collected.requests.items())
        lines += ["", f"asked in this run: {asked}; the record is custody.jsonl"]
    lines += ["", f"next: popkit diagnose {collected.case}"]
    return page(lines)


def _unsure(statement: Statement) -> set[tuple[str, str]]:
    return {(check.name, check.detail) for check in statement.checks if check.outcome == "cannot tell"}


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
    lines += [f"    {what}: {counted(files, 'file')}, {counted(rows, 'row')}" for what, (files, rows) in sorted(counts.items())]
    lines += [f"    withheld: {counted(count, 'row')} of {prefix} (credentials)" for prefix, count in exports["withheld"].items()]
    lines += [f"    not used: {row['path']}: {row['why']}" for row in exports["not_used"]]
    return lines
