"""Notes from facts: coding policies decide the codes, and templates write the text."""
