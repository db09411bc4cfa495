"""Rules of the worker's claim records against the chain."""
