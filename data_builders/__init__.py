"""Builders, which turn a source and settings into span pairs or coded notes."""
