"""The coder that reads a note once and writes all of its codes."""
