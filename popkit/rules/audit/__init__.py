"""Rules of the worker's audit chain, its bucket, its storage, and ticket receipts."""
