"""Everything that a release contains on one code, for display and for other programs."""

from __future__ import annotations

from pydantic import BaseModel

from cclearn.codes.code_types import NoteKind, Status
from cclearn.codes.system import CodeSystem
from cclearn.codes.table import Kind


class NamedCode(BaseModel):
    """A code with its official title."""

    code: str
    description: str


class CodeNote(BaseModel):
    """A note of the tabular list, with the code, block or chapter that it belongs to."""

    text: str
    code: str


class CodeInfo(BaseModel):
    """Everything that a release contains on one code.

    The lists of notes contain those of the code and the notes inherited from the codes above it.

    Attributes:
        code: Code in the official dotted form.
        description: Official title.
        system: Name of the code system, e.g. `icd10cm`.
        release: Name of the release.
        status: Validity in the release.
        billable: Whether the code may be assigned to an encounter.
        stands_for: Billable code that the title of a header stands for if nothing more is known.
        synonyms: Inclusion terms.
        includes: "Includes" notes.
        seventh_characters: 7th characters that the code takes, with their meanings.
        excludes1: Conditions that are never coded together with this code.
        excludes2: Conditions that are not part of this code.
        code_first: Conditions that must be coded before this code.
        use_additional_code: Conditions that must be coded in addition.
        code_also: Conditions that may be coded in addition, in either order.
        ancestors: Codes above this code, the nearest first.
        children: Codes one level below.
        siblings: Other children of the parent.
    """

    code: str
    description: str
    system: str
    release: str
    status: Status
    billable: bool
    stands_for: NamedCode | None
    synonyms: list[str]
    includes: list[str]
    seventh_characters: dict[str, str]
    excludes1: list[CodeNote]
    excludes2: list[CodeNote]
    code_first: list[CodeNote]
    use_additional_code: list[CodeNote]
    code_also: list[CodeNote]
    ancestors: list[NamedCode]
    children: list[NamedCode]
    siblings: list[NamedCode]


def code_info(system: CodeSystem, code: str) -> CodeInfo:
    """Return everything that a release contains on a code, a block or a chapter.

    Args:
        system: Code system to look the code up in.
        code: Code in any spelling.

    Raises:
        UnknownCodeError: The release does not contain the code.
    """
    entry = system[code]

    def with_title(code: str) -> NamedCode:
        return NamedCode(code=code, description=system.description(code))

    def notes(kind: NoteKind) -> list[CodeNote]:
        return [CodeNote(text=text, code=origin) for text, origin in system.notes(entry.code, kind)]

    stands_for = None
    if not entry.billable and entry.kind >= Kind.CATEGORY:
        stands_for = system.unspecified(entry.code)
    return CodeInfo(
        code=entry.code,
        description=entry.description,
        system=system.name,
        release=system.release,
        status=system.status(entry.code),
        billable=entry.billable,
        stands_for=with_title(stands_for) if stands_for else None,
        synonyms=list(entry.synonyms),
        includes=list(system.includes(entry.code)),
        seventh_characters=system.seventh_characters(entry.code),
        excludes1=notes("excludes1"),
        excludes2=notes("excludes2"),
        code_first=notes("code_first"),
        use_additional_code=notes("use_additional_code"),
        code_also=notes("code_also"),
        ancestors=[with_title(above) for above in system.ancestors(entry.code)],
        children=[with_title(child) for child in system.children(entry.code)],
        siblings=[with_title(sibling) for sibling in system.siblings(entry.code)],
    )
