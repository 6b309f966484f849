"""The markers of the layouts, which the templates, the grammar and the parser share.

In `paired`, each line has one piece of evidence and its code. In `listed`, all evidence comes first and
then all codes, so that the n-th code belongs to the n-th piece of evidence. In `codes`, there are only
codes, without evidence.
"""

from typing import Literal

Template = Literal["paired", "listed", "codes"]

LINE_START = "- "
BETWEEN = " => "
EVIDENCE_HEAD = "Evidence:"
CODES_HEAD = "Codes:"
NOTHING = "none"
"""The answer for a note or a span without a code."""
