"""The words that clinicians use: abbreviations, phrases of codes, and how both are read."""
