"""One file a verb: what it takes, what it does with it, and its words in both languages.

Every module here is a verb, by its name: it holds `VERB`, and imports what its work needs inside of
`run`. A package is a verb that has verbs of its own, a module each.
"""
