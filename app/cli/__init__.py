"""The operator's door: one file per command, opened by manage.py.

Exit codes: 0 done, 1 refused or failed with one sentence on stderr, 2 wrong usage.
"""
