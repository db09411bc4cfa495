"""Transactions: built, worked out, simulated, signed, sent at most once, and looked at until their
end is proven.
"""
