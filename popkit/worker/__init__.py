"""The worker's side: its proofs and its line, its records and reports, event links, tickets, and
what became of each proof.
"""
