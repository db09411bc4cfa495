"""Rules of a claim: its transaction, proof, links, receipt, terms, and what others keep of it."""
