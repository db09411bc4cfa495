"""Rules of the case itself: its seal and custody, lines that cannot be read or contradict each other, records of cutovers."""
