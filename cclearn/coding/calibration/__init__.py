"""Calibration of scores and the decision to accept, review or reject a code."""
