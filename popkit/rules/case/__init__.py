"""Rules of the case itself: its seal, its custody, its lines, and records of cutovers."""
