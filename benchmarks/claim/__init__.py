"""The claim of span-centric learning, tested on real notes at equal numbers of trained tokens.

`python -m benchmarks.claim.run --help` runs an arm, and `python -m benchmarks.claim.tables` writes the
tables and figures from the results of all arms.
"""
