"""Queries, one file per noun. A file turns rows into domain values and back; no rule lives here.

A noun of which a project may have no rows is imported where its first row is made: a command spends more time on
creating a class than on reading a table.
"""
