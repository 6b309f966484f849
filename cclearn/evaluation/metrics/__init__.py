"""The metrics of codes and of evidence."""
