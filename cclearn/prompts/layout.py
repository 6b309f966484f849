"""The marks of the two layouts, shared by the templates, the grammar and the parser.

`paired`: each line one evidence and its code, so that every code is cited. `listed`: all evidence, then
all codes, the n-th code that of the n-th evidence.
"""

from typing import Literal

Template = Literal["paired", "listed"]

LINE_START = "- "
BETWEEN = " => "
EVIDENCE_HEAD = "Evidence:"
CODES_HEAD = "Codes:"
NOTHING = "none"
"""The answer to a note that holds nothing to be coded."""
