"""`python -m popkit.serving CASE …`: the same as `popkit serve CASE …`."""

from __future__ import annotations

import sys

from popkit.errors import EXIT_CANNOT_TELL, PopkitError
from popkit.output import Arguments, tell
from popkit.serving.command import add_serve_arguments, run


def main() -> int:
    """Run the command; errors go to standard error, without a traceback."""
    parser = Arguments(prog="python -m popkit.serving", description="Replay a case as a Solana RPC node and as the worker.")
    add_serve_arguments(parser)
    try:
        return run(parser.parse_args())
    except PopkitError as error:
        tell(f"popkit: {error}")
        return error.exit_code
    except OSError as error:
        tell(f"popkit: {error.filename or 'a file'}: cannot be read: {error.strerror or error}")
        return EXIT_CANNOT_TELL


if __name__ == "__main__":
    sys.exit(main())
