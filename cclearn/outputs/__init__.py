"""Coded notes in the formats of other programs, with one module for each format."""

from cclearn.outputs.output import Output, find_output, format_names

__all__ = ["Output", "find_output", "format_names"]
