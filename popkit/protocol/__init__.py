"""What the bytes mean: keys, messages, instructions, accounts, errors, transactions and the
worker's canonical JSON.

Nothing here does I/O, and nothing here judges: a module says what a sequence of bytes states, not
whether it is true.
"""
