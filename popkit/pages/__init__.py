"""What a person looks at: views, pictures, blocks and the terminal's pages. They read results and
compute none.
"""
