"""The audit of codes that somebody has assigned: what the note supports, and what it would add.

The findings are remarks for a person (`audit: …` in the flags of a code). A coder that misses a mention
reports the code as unsupported, and one that invents a mention reports a missing code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.errors import DataError
from cclearn.evaluation.corpora.base import UnusableRow
from cclearn.evaluation.corpora.code_columns import CodeColumns
from cclearn.evaluation.corpora.tables import Row, Table, as_text
from cclearn.notes import CODED_ASSERTIONS, AssignedCode, CodedNote, Note

Finding = Literal[
    "supported", "missing", "unsupported", "negated", "under-specific", "over-specific", "invalid"
]
"""What the audit finds about a code.

- `supported`: the coder proposes the code.
- `missing`: the coder proposes the code, and no assigned code is of its category.
- `unsupported`: the coder proposes no such code.
- `negated`: the note mentions the condition, and negates it or says it of another person.
- `under-specific`: the note supports a more specific code.
- `over-specific`: the note supports only a less specific code.
- `invalid`: the code may not be assigned in the release.
"""

FLAG = "audit: "
"""Beginning of the flag with a finding."""

_ID_COLUMNS = ("note_id", "id", "hadm_id")
_CODE_COLUMNS = ("code", "codes", "icd_code", "icd")


@dataclass(frozen=True, slots=True)
class AssignedCodes:
    """The codes that somebody has assigned to notes.

    Attributes:
        by_note: Codes as they were given, by the id of the note.
        unusable: Numbers of the rows that are unreadable or have values that are not codes.
    """

    by_note: Mapping[str, Sequence[str]]
    unusable: Sequence[int]

    @classmethod
    def read(cls, path: Path, id_column: str | None, code_column: str | None) -> AssignedCodes:
        """Read a table of codes: CSV, TSV, JSONL (coded notes too) or Parquet.

        Args:
            path: Path of the table.
            id_column: Column with the id of the note. None for `note_id`, `id` or `hadm_id`.
            code_column: Column with a code or a list of codes. None for `code`, `codes`, `icd_code` or
                `icd`.

        Raises:
            DataError: The table cannot be read, or lacks a column.
            ConfigurationError: A column tells the classification of the codes.
        """
        table = Table(path)
        names = table.names()
        known = {name.strip().lower(): name for name in names}

        def column(given: str | None, usual: Sequence[str], option: str) -> str:
            if given is not None:
                return table.find(given, "", names)
            found = next((known[name] for name in usual if name in known), None)
            if found is None:
                raise DataError(path, f"there is no column {usual[0]}. Name it with {option}")
            return found

        identifier = column(id_column, _ID_COLUMNS, "--codes-id-column")
        codes = CodeColumns.of(table, [column(code_column, _CODE_COLUMNS, "--code-column")], {})
        by_note: dict[str, dict[str, None]] = {}
        unusable: dict[int, None] = {}
        for row in table.rows():
            note = "" if isinstance(row, UnusableRow) else as_text(row.fields.get(identifier))
            if not isinstance(row, Row) or not note:
                unusable[getattr(row, "number", None) or getattr(row, "line", None) or 0] = None
                continue
            of_note = by_note.setdefault(note, {})
            for code in codes.codes(row, note):
                if isinstance(code, UnusableRow):
                    unusable[row.number] = None
                else:
                    of_note[code] = None
        return cls({note: tuple(found) for note, found in by_note.items()}, list(unusable))


def audit_notes(
    notes: Iterable[Note],
    assigned: AssignedCodes,
    coder: Coder,
    all_mentions: Coder | None,
    counts: Counter[str],
) -> Iterator[CodedNote]:
    """Yield each note with its assigned codes, then the missing ones, each with its finding as a flag.

    Args:
        notes: Notes to audit. Those without assigned codes have only missing ones.
        assigned: Codes that somebody has assigned.
        coder: Coder whose proposals are compared with them.
        all_mentions: The same coder without assertion rules, which finds negated mentions. None if there
            is none.
        counts: Receives the number of codes by finding.
    """
    for note in notes:
        proposed = {
            code.code: code for code in coder.code(note).codes if code.assertion in CODED_ASSERTIONS
        }
        mentioned = {}
        if all_mentions is not None:
            mentioned = {code.code: code for code in all_mentions.code(note).codes}
        codes = [
            *_assigned(assigned.by_note.get(note.id, ()), proposed, mentioned, coder.system),
            *_missing(assigned.by_note.get(note.id, ()), proposed, coder.system),
        ]
        for code in codes:
            counts[code.flags[0].removeprefix(FLAG).partition(",")[0]] += 1
        yield CodedNote(id=note.id, text=note.text, origin=note.origin, codes=codes)


def _category(system: CodeSystem, code: str) -> str:
    """Return the category of a code: its first three characters, also if no release contains it."""
    return (system.canonical(code) if code in system else code.upper())[:3]


def _assigned(
    codes: Sequence[str],
    proposed: Mapping[str, AssignedCode],
    mentioned: Mapping[str, AssignedCode],
    system: CodeSystem,
) -> Iterator[AssignedCode]:
    seen: set[str] = set()
    for given in codes:
        code = system.canonical(given) if given in system else given
        if code in seen:
            continue
        seen.add(code)
        status = system.status(code)
        finding, other = _finding(code, status, proposed, mentioned, system)
        remark = f"{finding}, the note supports {other.code}" if other else finding
        source = proposed.get(code) or other or mentioned.get(code)
        yield AssignedCode(
            code=code,
            system=system.name,
            description=system.description(code) if code in system else "",
            evidence=[] if source is None else list(source.evidence),
            score=proposed[code].score if code in proposed else None,
            status=status,
            flags=[FLAG + remark],
        )


def _finding(
    code: str,
    status: str,
    proposed: Mapping[str, AssignedCode],
    mentioned: Mapping[str, AssignedCode],
    system: CodeSystem,
) -> tuple[Finding, AssignedCode | None]:
    """Return the finding on an assigned code, and the proposal that the note supports in its place."""
    category = _category(system, code)
    family = [p for name, p in proposed.items() if _category(system, name) == category]
    if status != "valid":
        return "invalid", family[0] if family else None
    if code in proposed:
        return "supported", None
    for other in family:
        if _is_less_specific(code, other.code, system):
            return "under-specific", other
        if _is_less_specific(other.code, code, system):
            return "over-specific", other
    if family:
        return "unsupported", family[0]
    return ("negated", None) if code in mentioned else ("unsupported", None)


def _is_less_specific(one: str, other: str, system: CodeSystem) -> bool:
    """Return whether a code stands for a group that another code belongs to.

    Such a code is the unspecified code of a header above the other one.
    """
    return one != other and any(
        system.unspecified(above) == one
        for above in system.ancestors(other)
        if _category(system, above) == _category(system, other)
    )


def _missing(
    codes: Sequence[str], proposed: Mapping[str, AssignedCode], system: CodeSystem
) -> Iterator[AssignedCode]:
    categories = {_category(system, code) for code in codes}
    for code, proposal in proposed.items():
        if _category(system, code) not in categories:
            flags = [f"{FLAG}missing", *proposal.flags]
            yield proposal.model_copy(update={"flags": flags, "decision": None})
