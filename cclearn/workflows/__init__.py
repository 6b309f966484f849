"""Whole commands without a terminal: score, benchmark, calibrate, quickstart."""
