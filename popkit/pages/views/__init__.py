"""The tables and notes that the notebooks show: each function takes a case (and a grant) and
returns one block.
"""
