"""Code systems: lookup, validity by release, hierarchy, notes and search."""

from cclearn.codes.code_types import Code, NeighbourKind, NoteKind, Status
from cclearn.codes.exclusions import Exclusion, conflict, conflicts, excludes
from cclearn.codes.system import CodeSystem
from cclearn.codes.table import Kind

__all__ = [
    "Code",
    "CodeSystem",
    "Exclusion",
    "Kind",
    "NeighbourKind",
    "NoteKind",
    "Status",
    "conflict",
    "conflicts",
    "excludes",
]
