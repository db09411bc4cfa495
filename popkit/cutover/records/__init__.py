"""The record of a cutover, its schemas, and how a stranger verifies it."""
