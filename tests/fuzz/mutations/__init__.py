"""Mutations of one file: of its bytes, and of the structure of each format."""
