"""Signed credentials altered in every small way: whatever is accepted says what was issued.

`make test` takes a sample by a fixed seed; `python -m tests.mutation` (or `make fuzz`) takes them all.
"""
