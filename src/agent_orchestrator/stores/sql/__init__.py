"""Queries, one file per noun. A file turns rows into domain values and back; no rule lives here."""
