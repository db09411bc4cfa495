"""What verbs are made of: options and arguments with words in both languages, help, misuse, places;
`popkit.commands` holds the verbs.
"""
