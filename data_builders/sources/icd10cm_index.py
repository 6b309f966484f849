"""Pairs from the indexes and tables of ICD-10-CM, in which coders look up conditions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, shown_id
from cclearn.notes.contract import Grade
from data_builders.builder import RejectedRow, require_system
from data_builders.claims import Claim, refers_to_codes
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
"""Phrases of the tabular list for the columns of the neoplasm table and the drug table."""

_MOST_STEPS = 5
"""Largest number of references that are followed."""


class ICD10CMIndexConfig(SpanBuilderConfig):
    """Settings of the builder, besides those of `SpanBuilderConfig`.

    Attributes:
        files: Paths of the XML files of the alphabetic index, the external-cause index, the neoplasm
            table and the drug table.
    """

    files: tuple[Path, ...] = Field(min_length=1)


class ICD10CMIndexBuilder(SpanBuilder):
    """Builder of pairs from the terms of the indexes and tables.

    Each term is written as in the index and in natural word order, with and without its nonessential
    modifiers. A reference by `see` is followed. A reference by `see also` is followed if the term has no
    code, and its pairs are silver. An incomplete code (`C79.8-`) is rejected.
    """

    name = "icd10cm_index"
    summary = "Gold span pairs from ICD-10-CM's indexes, neoplasm table and drug table (XML)."
    config_type = ICD10CMIndexConfig

    def claims(
        self, config: ICD10CMIndexConfig, system: CodeSystem
    ) -> Iterator[Claim | RejectedRow]:
        """Yield every phrase with its code, in the order of the files.

        Raises:
            ConfigurationError: The code system is not ICD-10-CM, or a table has an unknown column.
            DataError: A file is not an index or a table.
        """
        require_system(self, "icd10cm", system)
        for path in config.files:
            yield from _claims(path, read_index(path))


def _claims(path: Path, index: Index) -> Iterator[Claim | RejectedRow]:
    """Yield every phrase of a file with its code, and a rejected row for each dead reference."""
    for head in index.heads.values():
        if head not in TABLE_PHRASES:
            known = ", ".join(TABLE_PHRASES)
            raise ConfigurationError(
                [f"files (path = {path}): unknown column '{shown_id(head)}'. There are: {known}."]
            )
    kind = "table" if index.heads else "index"
    tree = _Tree(index.entries)
    for entry in index.entries:
        target, how = tree.target(entry)
        if target is None:
            if how:
                text = ", ".join(title.text for title in entry.path)
                detail = str(entry.see or entry.see_also)
                missing = "no such term" if tree.is_lost(entry) else "a term without a code"
                yield RejectedRow(text=text, code="", reason=f"{how}: {missing}", detail=detail)
            continue
        grade: Grade = "silver" if how == "see also" else "gold"
        source = f"icd10cm_index/{kind}" + (f"/{how.replace(' ', '_')}" if how else "")
        # All rows of the neoplasm table have the same main term, which is not part of the name.
        name = entry.path[1:] if index.heads and tree.single_root else entry.path
        # The modifiers of a drug are parts of names: "(edulis)", "(any part)".
        for phrase in phrases(name, modified=not index.heads) if name else ():
            if target.code is not None:
                yield _claim(phrase, target.code, source, grade)
            for column, code in target.cells.items():
                text = TABLE_PHRASES[index.heads[column]].format(lower_first(phrase))
                yield _claim(text, code, source, grade)


def _claim(phrase: str, code: str, source: str, grade: Grade) -> Claim | RejectedRow:
    if code.endswith("-"):
        return RejectedRow(text=phrase, code=code, reason="incomplete code")
    if refers_to_codes(phrase):
        return RejectedRow(text=phrase, code=code, reason="refers to other codes")
    return Claim(phrase, code, source, grade)


class _Tree:
    """Resolves the references between entries."""

    def __init__(self, entries: list[Entry]) -> None:
        self._children: dict[tuple[str, ...], list[tuple[str, Entry]]] = defaultdict(list)
        for entry in entries:
            parent = tuple(title.text.casefold() for title in entry.path[:-1])
            for form in alternatives(entry.path[-1].text):
                self._children[parent].append((form.casefold(), entry))
        self.single_root = len({entry.path[0] for entry in entries}) == 1

    def target(self, entry: Entry) -> tuple[Entry | None, str]:
        """Return the entry with the codes, and how it was reached: `see`, `see also` or an empty string.

        The entry is None if there is none. The second value is then empty if the entry has no reference.
        """
        how = ""
        for _ in range(_MOST_STEPS):
            if entry.code is not None or entry.cells:
                return entry, how
            reference = entry.see or entry.see_also
            if reference is None:
                break
            how = "see also" if how == "see also" or entry.see is None else "see"
            target = self._look_up(reference)
            if target is None:
                return None, how
            entry = target
        return None, how

    def is_lost(self, entry: Entry) -> bool:
        """Return whether an entry refers to a term that does not exist."""
        return self._look_up(entry.see or entry.see_also or "") is None

    def _look_up(self, reference: str) -> Entry | None:
        return self._find(plain_term(reference).casefold(), ())

    def _find(self, rest: str, parent: tuple[str, ...]) -> Entry | None:
        """Return the entry for words such as `accident, transport, car occupant`, or None."""
        for form, entry in self._children[parent]:
            if rest == form:
                return entry
            if rest.startswith(f"{form}, "):
                path = tuple(title.text.casefold() for title in entry.path)
                found = self._find(rest[len(form) + 2 :], path)
                if found is not None:
                    return found
        return None
