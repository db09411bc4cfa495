"""`python -m popkit …`: the same as `popkit …`."""

from __future__ import annotations

import sys

from popkit.cli import main

sys.exit(main())
