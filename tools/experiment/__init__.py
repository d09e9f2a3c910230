"""Experiments with migrations that can be repeated: the command tools/lab.

A file names the values of keys (keys.py); lists make a sweep over all
combinations (description.py), each of which is a point (points.py). Points that
need the same hosts are served by one pair of them (session.py), in a process of
its own (worker.py); the command keeps what they say (store.py, running.py) and
draws conclusions (measures.py, stats.py, report.py, compare.py). docs/lab.md is
the manual.
"""
