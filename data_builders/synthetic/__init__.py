"""Builders that write text: notes from templates, and joined spans."""
