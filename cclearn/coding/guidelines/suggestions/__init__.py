"""Suggestions for the provider: values and drugs of conditions that a note does not document."""
