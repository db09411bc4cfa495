"""The verdict of a grant: its links and heads alone, and whether the evidence decides."""
