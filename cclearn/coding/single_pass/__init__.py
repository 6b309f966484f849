"""The coder that generates all codes of a note in one pass."""
