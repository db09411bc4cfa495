"""Collecting: a live system, or what operators exported from it, becomes a sealed case.

`popkit collect` asks a Solana node and the worker, writes down every request, and states how
complete the answers are. This is the only room that needs a network and secrets; what it leaves
behind holds neither.
"""
