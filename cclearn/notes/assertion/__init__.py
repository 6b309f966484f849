"""Rules for the assertion of mentions: present, uncertain, historical, hypothetical, negated or family.

`rules.py` finds the sentences and the scopes of cues, `cues.py` has the words of the cues,
`adjacent.py` reads the signs and answers directly beside a mention, and `columns.py` those of a table.
"""

from __future__ import annotations

from cclearn.notes.assertion.rules import AssertionLanguage, AssertionRules

__all__ = ["AssertionLanguage", "AssertionRules"]
