"""Coding rules: aggregation over a note, uncertain diagnoses, and flags."""
