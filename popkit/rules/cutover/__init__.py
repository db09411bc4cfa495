"""A record of a cutover against the chain: each statement holds, is violated, or cannot be told."""
