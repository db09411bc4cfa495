"""The case on disk: its files, its manifest, and its rows with the place each came from. Judges
nothing.
"""
