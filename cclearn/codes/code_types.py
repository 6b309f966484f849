"""A code of a release, and the kinds of its validity, notes and neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cclearn.codes.table import Kind

Status = Literal["valid", "header", "retired", "unknown"]
"""Validity of a code.

- `valid`: The code is billable in this release.
- `header`: The code has children and is not billable.
- `retired`: The code is not in this release, but was billable in a loaded earlier release.
- `unknown`: The code is in none of the loaded releases.
"""

NoteKind = Literal["excludes1", "excludes2", "code_first", "use_additional_code", "code_also"]
"""Kind of an instructional note of the tabular list."""

NeighbourKind = Literal["sibling", "cousin", "hop1", "hop2"]
"""Kind of the codes near a code.

- `sibling`: Children of the same parent.
- `cousin`: Children of the parent's siblings.
- `hop1`, `hop2`: Billable codes whose nearest common ancestor with the code is one or two levels up.
"""


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a release.

    Attributes:
        code: Code in the official dotted form.
        description: Official title.
        short_title: Abbreviated title of the order file, empty if there is none.
        kind: Level in the hierarchy: chapter, block, category or subcategory.
        billable: Whether the code may be assigned to an encounter.
        synonyms: Inclusion terms.
        parent: Code above this code, None for a chapter.
    """

    code: str
    description: str
    short_title: str
    kind: Kind
    billable: bool
    synonyms: tuple[str, ...]
    parent: str | None
