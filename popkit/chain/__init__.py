"""What the chain shows: claim attempts, the administrators' history, the program's eras, links and
heads, and slots as times.
"""
