"""SQLite: schema, migrations, and functions of a connection and values.

The writer alone opens a database for writing (``open.py``); functions here never open, begin or commit anything.
Amounts are integer millionths in columns ending in ``_e6``; the views ``<table>_plain`` show dollars and shares.
"""
