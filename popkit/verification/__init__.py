"""Numbered checks of one claim and of a whole chain, and the stand-alone checker. Trusts no server."""
