"""Words that several rules share."""

from __future__ import annotations

from popkit.texts import Text

NOTHING_TO_DO = Text("Nothing to do.", "対応は不要です。")
