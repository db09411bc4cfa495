"""What was done: hash-chained lines that survive a kill, a lock, and the confirmations that live in
them.
"""
