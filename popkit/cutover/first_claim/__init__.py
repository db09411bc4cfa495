"""The canary: a wallet of the operator's takes the first claim on a new grant, and all of it is
checked.
"""
