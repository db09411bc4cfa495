"""One file a verb: what it takes, what it does with it, and its words in both languages.

A verb is a module with `VERB`, and a line here. Modules are loaded when their verb is typed (all of them for `popkit --help`), so each
imports what its work needs inside of `run`.
"""

from __future__ import annotations

VERBS = ("collect", "serve", "diagnose", "investigate", "verify", "explain", "cutover", "drill", "completion")
"""Names of verbs, which are those of their modules too, in the order of their use."""
