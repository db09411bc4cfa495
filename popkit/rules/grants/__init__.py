"""Rules of a grant: its verdict, its chain and heads, its proofs and their issuers, its terms and
vault.
"""
