"""Keys by reference, and nothing of them in what is shown."""
