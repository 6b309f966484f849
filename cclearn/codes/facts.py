"""All that a release says of a code, for people and for programs."""

from __future__ import annotations

from pydantic import BaseModel

from cclearn.codes.system import CodeSystem, NoteKind, Status
from cclearn.codes.table import Kind


class NamedCode(BaseModel):
    """A code with its title."""

    code: str
    description: str


class Instruction(BaseModel):
    """A note of the tabular list, and the code, block or chapter where it stands."""

    text: str
    code: str


class CodeFacts(BaseModel):
    """What a release says of a code.

    Attributes:
        code: The official dotted form.
        description: The official title.
        system: The code system, e.g. `icd10cm`.
        release: Whose table it is.
        status: Validity in the release.
        billable: Whether the code may be assigned to an encounter.
        stands_for: Of a header, the billable code that its words alone stand for.
        synonyms: Its inclusion terms.
        includes: Its "Includes" notes.
        seventh_characters: Those it takes, with their meanings.
        excludes1: What is never coded together with it, inherited notes too, as in all below.
        excludes2: What is not part of it.
        code_first: What is to be coded before.
        use_additional_code: What is to be coded besides.
        code_also: What may be coded besides, in either order.
        ancestors: The codes above, the nearest first.
        children: The codes one level below.
        siblings: The other children of the parent.
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
    excludes1: list[Instruction]
    excludes2: list[Instruction]
    code_first: list[Instruction]
    use_additional_code: list[Instruction]
    code_also: list[Instruction]
    ancestors: list[NamedCode]
    children: list[NamedCode]
    siblings: list[NamedCode]


def code_facts(system: CodeSystem, code: str) -> CodeFacts:
    """Return what a release says of a code in any spelling, a block or a chapter.

    Raises:
        UnknownCodeError: The release does not hold it.
    """
    entry = system[code]

    def named(code: str) -> NamedCode:
        return NamedCode(code=code, description=system.description(code))

    def instructions(kind: NoteKind) -> list[Instruction]:
        found = system.notes(entry.code, kind)
        return [Instruction(text=text, code=place) for text, place in found]

    stands_for = None
    if not entry.billable and entry.kind >= Kind.CATEGORY:
        stands_for = system.unspecified(entry.code)
    return CodeFacts(
        code=entry.code,
        description=entry.description,
        system=system.name,
        release=system.release,
        status=system.status(entry.code),
        billable=entry.billable,
        stands_for=named(stands_for) if stands_for else None,
        synonyms=list(entry.synonyms),
        includes=list(system.includes(entry.code)),
        seventh_characters=system.seventh_characters(entry.code),
        excludes1=instructions("excludes1"),
        excludes2=instructions("excludes2"),
        code_first=instructions("code_first"),
        use_additional_code=instructions("use_additional_code"),
        code_also=instructions("code_also"),
        ancestors=[named(above) for above in system.ancestors(entry.code)],
        children=[named(child) for child in system.children(entry.code)],
        siblings=[named(sibling) for sibling in system.siblings(entry.code)],
    )
