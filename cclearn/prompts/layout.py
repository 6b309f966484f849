"""The marks of the `paired` layout, shared by the templates, the grammar and the parser."""

LINE_START = "- "
BETWEEN = " => "
NOTHING = "none"
"""The answer to a note that holds nothing to be coded."""
