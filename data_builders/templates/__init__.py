"""Notes from templates: text with the exact offsets of every mention."""
