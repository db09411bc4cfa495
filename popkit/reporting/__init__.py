"""Notebooks run through papermill and rendered as a write-up; nothing here computes a fact."""
