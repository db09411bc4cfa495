"""`python -m popkit.serving CASE …`: the same as `popkit serve CASE …`."""

from __future__ import annotations

import sys

from popkit.cli import main

sys.exit(main(["serve", *sys.argv[1:]]))
