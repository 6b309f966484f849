"""The report on an evaluation as a page, with its plots."""
