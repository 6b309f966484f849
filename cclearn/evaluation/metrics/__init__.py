"""Metrics of codes and of evidence."""
