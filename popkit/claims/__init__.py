"""Transactions → one row a claim attempt, accepted or refused, with exact dtypes. Neither prints
nor plots.
"""

from popkit.claims.table import ClaimTable, read_claims

__all__ = ["ClaimTable", "read_claims"]
