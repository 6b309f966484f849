"""Synthetic notes for the rare codes of a training corpus."""
