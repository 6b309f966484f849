"""Pairs from the indexes and tables of ICD-10-CM: how coders look a condition up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, shown_id
from cclearn.notes.contract import Grade
from data_builders.builder import RejectedRow, needs_system
from data_builders.claims import Claim, points_away
from data_builders.noise.spelling import lower_first
from data_builders.sources.index_phrases import alternatives, phrases
from data_builders.sources.index_xml import Entry, Index, plain_term, read_index
from data_builders.span_builder import SpanBuilder, SpanBuilderConfig

TABLE_PHRASES = {
    "Malignant Primary": "Malignant neoplasm of {}",
    "Malignant Secondary": "Secondary malignant neoplasm of {}",
    "Ca in situ": "Carcinoma in situ of {}",
    "Benign": "Benign neoplasm of {}",
    "Uncertain Behavior": "Neoplasm of uncertain behavior of {}",
    "Unspecified Behavior": "Neoplasm of unspecified behavior of {}",
    "Poisoning Accidental (unintentional)": "Poisoning by {}, accidental (unintentional)",
    "Poisoning Intentional self-harm": "Poisoning by {}, intentional self-harm",
    "Poisoning Assault": "Poisoning by {}, assault",
    "Poisoning Undetermined": "Poisoning by {}, undetermined",
    "Adverse effect": "Adverse effect of {}",
    "Underdosing": "Underdosing of {}",
}
"""What a column of the neoplasm or drug table says of its rows, as the tabular list puts it."""

_MOST_STEPS = 5
"""How many times `see` may send on."""


class ICD10CMIndexConfig(SpanBuilderConfig):
    """Settings of the builder.

    Attributes:
        files: The XML files: alphabetic index, external-cause index, neoplasm table, drug table.
    """

    files: tuple[Path, ...] = Field(min_length=1)


class ICD10CMIndexBuilder(SpanBuilder):
    """Walks over every term of the files.

    Each term is said as the index has it and as one would write it, with and without its nonessential
    modifiers. `see` is followed; `see also` where a term has no code of its own, and its pairs are
    silver. A code that needs a 7th character gives a gold pair for each, the character's meaning
    behind the phrase, and a silver one for the phrase alone: the initial encounter. A code that is
    printed incomplete (`C79.8-`), or is no billable code, is rejected with its reason.
    """

    name = "icd10cm_index"
    summary = "Gold span pairs from ICD-10-CM's indexes, neoplasm table and drug table (XML)."
    config_type = ICD10CMIndexConfig

    def claims(
        self, config: ICD10CMIndexConfig, system: CodeSystem
    ) -> Iterator[Claim | RejectedRow]:
        """Yield every phrase with its code, in the order of the files.

        Raises:
            ConfigurationError: It is another system, or a table has a column that is not known.
            DataError: A file is no index or table.
        """
        needs_system(self, "icd10cm", system)
        for path in config.files:
            yield from _found(path, read_index(path))


def _found(path: Path, index: Index) -> Iterator[Claim | RejectedRow]:
    """Yield every phrase of a file with its code, and the entries that lead nowhere."""
    for head in index.heads.values():
        if head not in TABLE_PHRASES:
            known = ", ".join(TABLE_PHRASES)
            raise ConfigurationError(
                [
                    f"files (path = {path}): the column '{shown_id(head)}' is not known. There are:"
                    f" {known}."
                ]
            )
    kind = "table" if index.heads else "index"
    tree = _Tree(index.entries)
    for entry in index.entries:
        target, how = tree.target(entry)
        if target is None:
            if how:
                said = ", ".join(title.text for title in entry.path)
                detail = str(entry.see or entry.see_also)
                missing = "no such term" if tree.is_lost(entry) else "a term without a code"
                yield RejectedRow(text=said, code="", reason=f"{how}: {missing}", detail=detail)
            continue
        grade: Grade = "silver" if how == "see also" else "gold"
        source = f"icd10cm_index/{kind}" + (f"/{how.replace(' ', '_')}" if how else "")
        # The neoplasm table has one main term for all, a drug is named by all of its terms.
        named = entry.path[1:] if index.heads and tree.single_root else entry.path
        # A drug's modifiers are parts of names: "(edulis)", "(any part)".
        for phrase in phrases(named, modified=not index.heads) if named else ():
            if target.code is not None:
                yield _claim(phrase, target.code, source, grade)
            for column, code in target.cells.items():
                said = TABLE_PHRASES[index.heads[column]].format(lower_first(phrase))
                yield _claim(said, code, source, grade)


def _claim(phrase: str, code: str, source: str, grade: Grade) -> Claim | RejectedRow:
    if code.endswith("-"):
        return RejectedRow(text=phrase, code=code, reason="incomplete code")
    if points_away(phrase):
        return RejectedRow(text=phrase, code=code, reason="refers to other codes")
    return Claim(phrase, code, source, grade)


class _Tree:
    """Finds the entry to which another one sends."""

    def __init__(self, entries: list[Entry]) -> None:
        self._below: dict[tuple[str, ...], list[tuple[str, Entry]]] = defaultdict(list)
        for entry in entries:
            above = tuple(title.text.casefold() for title in entry.path[:-1])
            for form in alternatives(entry.path[-1].text):
                self._below[above].append((form.casefold(), entry))
        self.single_root = len({entry.path[0] for entry in entries}) == 1

    def target(self, entry: Entry) -> tuple[Entry | None, str]:
        """Return the entry that holds the codes, and how it was reached: `see`, `see also` or not.

        None where there is none; the way is empty then if the entry is a heading only.
        """
        how = ""
        for _ in range(_MOST_STEPS):
            if entry.code is not None or entry.cells:
                return entry, how
            said = entry.see or entry.see_also
            if said is None:
                break
            how = "see also" if how == "see also" or entry.see is None else "see"
            found = self._named(said)
            if found is None:
                return None, how
            entry = found
        return None, how

    def is_lost(self, entry: Entry) -> bool:
        """Say whether an entry sends to a term that is not there."""
        return self._named(entry.see or entry.see_also or "") is None

    def _named(self, said: str) -> Entry | None:
        return self._find(plain_term(said).casefold(), ())

    def _find(self, rest: str, above: tuple[str, ...]) -> Entry | None:
        """Find a term by words such as `accident, transport, car occupant`."""
        for form, entry in self._below[above]:
            if rest == form:
                return entry
            if rest.startswith(f"{form}, "):
                path = tuple(title.text.casefold() for title in entry.path)
                found = self._find(rest[len(form) + 2 :], path)
                if found is not None:
                    return found
        return None
