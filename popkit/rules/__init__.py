"""The rules: each with its code, its severity, its words and the function that answers whether it
holds.
"""
