"""A record of a cutover against the chain: each statement of it holds, is violated, or cannot be told."""
