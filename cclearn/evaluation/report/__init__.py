"""Reports on an evaluation, with tables, plots and highlighted notes."""
