"""Exports that operators made (a copy of the bucket, storage, saved answers, receipts, reports) as
the rows of a case.
"""

from popkit.collecting.exports.grants import grants_in, links_in
from popkit.collecting.exports.reading import read_exports
from popkit.collecting.exports.result import (
    EarlierAnswer,
    Exports,
    ExportTooLarge,
    Limits,
    NotUsed,
    Used,
)

__all__ = [
    "EarlierAnswer",
    "ExportTooLarge",
    "Exports",
    "Limits",
    "NotUsed",
    "Used",
    "grants_in",
    "links_in",
    "read_exports",
]
