"""The command line: parse, call, render, exit. It holds no logic.

Exit codes, in every command: 0 nothing is wrong now, 1 something is, 2 wrong usage, 3 cannot tell, 70 a fault inside popkit.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from popkit import __version__
from popkit.collecting.command import add_collect_arguments
from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_INTERNAL, EXIT_USAGE, CannotWrite, PopkitError, UsageError
from popkit.output import Arguments, drop_stdout, say, tell, write
from popkit.serving.command import add_serve_arguments
from popkit.texts import LANGUAGES, chosen_language

EXIT_INTERRUPTED = 130
_OF_WRITING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""Failures that only an output can have: a full disk, a quota, a place that is read-only."""
ERAS = ("pre_pop", "strict", "strict_v2", "relaxed")


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = Arguments(prog="popkit", description="From the evidence of a PoP chain incident to an answer that can be defended.")
    top.add_argument("--version", action="version", version=f"popkit {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    diagnose = commands.add_parser("diagnose", help="verdict, last good, first bad, cause, impact and what to do now, in seconds")
    diagnose.add_argument("case", help="a case directory")
    diagnose.add_argument("--json", metavar="FILE", help="write findings.json there; - writes it to standard output, and nothing else")
    diagnose.add_argument("--era", choices=ERAS, help="the program version to assume where nothing in the evidence decides")
    diagnose.add_argument("--all", action="store_true", help="list every finding, and lists in full")
    diagnose.add_argument("--lang", choices=LANGUAGES, help="the language of the answer; else POPKIT_LANG's, else the locale's")
    diagnose.set_defaults(run=_diagnose)

    investigate = commands.add_parser("investigate", help="run the notebooks and write report, findings and manifest")
    investigate.add_argument("case", help="a case directory")
    investigate.add_argument(
        "--out", required=True, metavar="DIR", help="where the report goes; must not exist, be empty or hold an earlier report"
    )
    investigate.add_argument("--era", choices=ERAS, help="the program version to assume where nothing in the evidence decides")
    investigate.set_defaults(run=_investigate)

    verify = commands.add_parser("verify", help="numbered checks of a claim, or of everything, that trust no server")
    verify.add_argument("case", help="a case directory")
    verify.add_argument("name", nargs="*", help="a signature, receipt account, entry hash or confirmation code; none: everything")
    verify.add_argument("--json", metavar="FILE", help="write the checks there as JSON; - writes them to standard output, and nothing else")
    verify.add_argument(
        "--standalone", metavar="FILE", help="write check.py, which checks a case without popkit, there and stop; - is standard output"
    )
    verify.add_argument("--era", choices=ERAS, help="the program version to assume where nothing in the evidence decides")
    verify.set_defaults(run=_verify)

    collecting = commands.add_parser("collect", help="turn a live system, or exports of it, into a case, and state how complete it is")
    add_collect_arguments(collecting)
    collecting.set_defaults(run=_collect)

    serving = commands.add_parser("serve", help="replay a case as a Solana node and as the worker, on loopback")
    add_serve_arguments(serving)
    serving.set_defaults(run=_serve)

    explain = commands.add_parser("explain", help="what a verdict, cause, finding code, error, term or cited rule means, and what to do")
    explain.add_argument("word", nargs="*", help="the word, or a rule that a finding cites; without one, the list of all")
    explain.add_argument("--lang", choices=LANGUAGES, help="the language of the answer; else POPKIT_LANG's, else the locale's")
    explain.set_defaults(run=_explain)
    return top


def _diagnose(args: argparse.Namespace) -> int:
    from popkit.case import open_case

    if args.json not in (None, "-"):
        _refuse_inside(Path(args.json), Path(args.case))
    diagnosis = open_case(args.case, args.era).diagnose()
    text = diagnosis.dumps()
    if args.json == "-":
        write(text)
        return diagnosis.exit_code
    if args.json is not None:
        write_file(Path(args.json), text)
    from popkit.terminal import diagnosis_text

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    write(diagnosis_text(diagnosis, colour, language=chosen_language(args.lang, os.environ), every=args.all))
    return diagnosis.exit_code


def _investigate(args: argparse.Namespace) -> int:
    from popkit.reporting.investigate import investigate
    from popkit.terminal import diagnosis_text

    out = Path(args.out)
    _refuse_inside(out, Path(args.case))
    diagnosis = investigate(args.case, out, progress=tell, era=args.era)
    write(diagnosis_text(diagnosis, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    say(["", f"Report: {out / 'report.html'}"])
    return diagnosis.exit_code


def _verify(args: argparse.Namespace) -> int:
    from popkit.evidence.bundle import Evidence
    from popkit.terminal import verification_text
    from popkit.verification.verify import verify

    if args.json not in (None, "-"):
        _refuse_inside(Path(args.json), Path(args.case))
    if args.standalone is not None:
        return _standalone(Path(args.standalone), args)
    verification = verify(Evidence(args.case), args.name, args.era)
    text = verification.dumps()
    if args.json == "-":
        write(text)
        return verification.exit_code
    if args.json is not None:
        write_file(Path(args.json), text)
    write(verification_text(verification, every=bool(args.name)))
    return verification.exit_code


def _standalone(target: Path, args: argparse.Namespace) -> int:
    """Write check.py and stop; what else was asked for would go unanswered."""
    from importlib.resources import files

    if args.name or args.json is not None:
        raise UsageError("--standalone writes check.py and stops: leave out names and --json")
    text = files("popkit.verification").joinpath("check.py").read_text("utf-8")
    if args.standalone == "-":
        write(text)
        return EXIT_FINE
    _refuse_inside(target, Path(args.case))
    write_file(target, text)
    say([f"wrote {target}; run it without popkit:", f"  python3 {target} {args.case} findings.json"])
    return EXIT_FINE


def _collect(args: argparse.Namespace) -> int:
    from popkit.collecting.command import run

    return run(args)


def _serve(args: argparse.Namespace) -> int:
    from popkit.serving.command import run

    return run(args)


def _explain(args: argparse.Namespace) -> int:
    from popkit.vocabulary import explain, vocabulary_lines

    language = chosen_language(args.lang, os.environ)
    say(str(explain(" ".join(args.word), language)).split("\n") if args.word else vocabulary_lines(language))
    return EXIT_FINE


def _refuse_inside(target: Path, case: Path) -> None:
    """A case is evidence: nothing is written into it."""
    if Path(os.path.realpath(target)).is_relative_to(os.path.realpath(case)):
        raise UsageError(f"{target}: lies inside the case, which is read-only evidence; choose a place outside it")


def write_file(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Raises CannotWrite when the place cannot be written.

    What is there and is no file (a pipe, a terminal, a device) is written to as it is, and not replaced by a file.
    """
    data = text.encode("utf-8", "replace")
    partial = path.parent / f".{path.name}.partial"
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise CannotWrite(str(path), error) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. Errors go to standard error, without a traceback."""
    args = parser().parse_args(argv)
    try:
        return int(args.run(args))
    except PopkitError as error:
        tell(f"popkit: {error}")
        return error.exit_code
    except BrokenPipeError:
        drop_stdout()  # whoever read us has gone
        return EXIT_INTERNAL
    except OSError as error:
        is_output = error.errno in _OF_WRITING
        tell(f"popkit: {error.filename or 'a file'}: cannot be {'written' if is_output else 'read'}: {error.strerror or error}")
        return EXIT_USAGE if is_output else EXIT_CANNOT_TELL
    except KeyboardInterrupt:
        tell("popkit: interrupted")
        return EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get("POPKIT_TRACEBACK"):
            raise
        tell(f"popkit: a fault inside popkit: {type(error).__name__}: {str(error)[:1000]} (POPKIT_TRACEBACK=1 shows where)")
        return EXIT_INTERNAL


if __name__ == "__main__":
    sys.exit(main())
