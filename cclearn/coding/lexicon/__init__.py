"""The coder that finds the phrases of the code system in a note, without a model."""
