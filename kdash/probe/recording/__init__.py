"""Recordings: what a recorder was told, in a file, so that it can be told once more."""
