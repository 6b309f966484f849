"""The coder that finds phrases of the code system in a note, without a model."""
