"""The claim of span-centric learning, tested on real notes at equal numbers of trained tokens.

`benchmarks.claim.run` runs an arm, `baselines` the systems without a language model, `compare` paired
tests, `tables` writes the tables of `docs/results.md`, and `figure` draws its figure.
"""
