"""Rules of a claim: its transaction, proof, links, receipt, terms, and what others keep of it."""

ORDER = (
    *("transaction", "era", "signer", "links", "issuer", "tickets"),
    *("receipt", "terms", "allowlist", "record"),
)
"""The modules in the order in which an auditor asks; one that stands not here comes last."""
