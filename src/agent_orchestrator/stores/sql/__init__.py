"""Queries, one file per noun. A file turns rows into domain values and back; no rule lives here.

A noun that a project may have none of is imported where its first row is made:
making a class costs a command more than reading a table.
"""
