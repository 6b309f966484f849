"""Coded notes in the formats that others read: one module a format."""

from cclearn.outputs.output import Output, find_output, format_names

__all__ = ["Output", "find_output", "format_names"]
