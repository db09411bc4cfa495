"""Exports of the published program, read: what `popkit collect --from` takes out of files."""

from __future__ import annotations

from functools import partial

from popkit.collecting import exports
from popkit.protocol.keys import PROGRAM_ID

read_exports = partial(exports.read_exports, program=PROGRAM_ID)
links_in = partial(exports.links_in, program=PROGRAM_ID)
grants_in = partial(exports.grants_in, program=PROGRAM_ID)
