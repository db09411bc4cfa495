"""`python -m popkit.serving CASE …`: the same as `popkit serve CASE …`."""

from __future__ import annotations

import argparse
import sys

from popkit.errors import EXIT_CANNOT_TELL, PopkitError
from popkit.serving.command import add_serve_arguments, run


def main() -> int:
    """Run the command; errors go to standard error, without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m popkit.serving", description="Replay a case as a Solana RPC node and as the worker.")
    add_serve_arguments(parser)
    try:
        return run(parser.parse_args())
    except PopkitError as error:
        print(f"popkit: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"popkit: {error.filename or 'the case'}: cannot be read: {error.strerror}", file=sys.stderr)
        return EXIT_CANNOT_TELL


if __name__ == "__main__":
    sys.exit(main())
