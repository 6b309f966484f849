"""The table NOTE_NLP of the OMOP Common Data Model 5.4, as CSV (https://ohdsi.github.io/CommonDataModel)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import cclearn
from cclearn.codes.traits import traits_of
from cclearn.errors import DataError
from cclearn.notes import CODED_ASSERTIONS, CodedNote
from cclearn.outputs.delimited import without_controls
from cclearn.outputs.output import Output

COLUMNS = (
    "note_nlp_id",
    "note_id",
    "section_concept_id",
    "snippet",
    "offset",
    "lexical_variant",
    "note_nlp_concept_id",
    "note_nlp_source_concept_id",
    "nlp_system",
    "nlp_date",
    "nlp_datetime",
    "term_exists",
    "term_temporal",
    "term_modifiers",
)

_CONTEXT = 40
"""Code points of the note in `snippet` on each side of the evidence."""

_LONGEST = 250
"""Length of the columns `snippet`, `offset`, `lexical_variant` and `nlp_system`."""

_NO_DATE = "1970-01-01"


class OMOP(Output):
    """Writes a row for each piece of evidence of each code, with a header.

    `note_id` is the id of the note, which is a number in OMOP. The source concept of a code is that of
    the vocabulary, and 0 without one; `term_modifiers` always contains the code and its assertion.
    `term_exists` is `N` if the assertion assigns no code. `nlp_date` is the date of the review of the
    note, and 1970-01-01 for a note that nobody has reviewed, because an output has no other date. Codes
    without evidence have no row.

    Args:
        out: Path of the output file.
        concepts: `CONCEPT.csv` of a vocabulary of Athena, with tabs, which contains the codes as source
            concepts. None for no concepts.

    Raises:
        DataError: The vocabulary cannot be read.
    """

    name = "omop"

    def __init__(self, out: Path | None = None, concepts: Path | None = None) -> None:
        super().__init__(out)
        self._concepts = {} if concepts is None else _read_concepts(concepts)

    def chunks(self, notes: Iterable[CodedNote]) -> Iterator[str]:
        """Yield the header, then all rows of a note together."""
        yield ",".join(COLUMNS) + "\n"
        number = 0
        for note in notes:
            lines = io.StringIO()
            table = csv.writer(lines, lineterminator="\n")
            for row in self._rows(note):
                number += 1
                table.writerow([number, *map(without_controls, row)])
            yield lines.getvalue()

    def _rows(self, note: CodedNote) -> Iterator[tuple[object, ...]]:
        time = note.review.time if note.review is not None else ""
        for assigned in note.codes:
            vocabulary = _vocabulary_of(assigned.system)
            concept = self._concepts.get((vocabulary, assigned.code), 0)
            for piece in assigned.evidence:
                before = max(0, piece.start - _CONTEXT)
                yield (
                    note.id,
                    0,
                    note.text[before : piece.end + _CONTEXT][:_LONGEST],
                    str(piece.start),
                    piece.text[:_LONGEST],
                    0,
                    concept,
                    f"cclearn {cclearn.__version__}",
                    time[:10] or _NO_DATE,
                    time[:19].replace("T", " "),
                    "Y" if assigned.assertion in CODED_ASSERTIONS else "N",
                    "Past" if assigned.assertion == "historical" else "Present",
                    f"code={assigned.code};vocabulary={vocabulary};assertion={assigned.assertion}",
                )


def _vocabulary_of(system: str) -> str:
    """Return the id of a code system among the vocabularies of OMOP, e.g. `ICD10CM`."""
    return traits_of(system).display_name.replace("-", "").upper()


def _read_concepts(path: Path) -> dict[tuple[str, str], int]:
    """Return the ids of concepts by their vocabulary and code. Raises DataError."""
    found: dict[tuple[str, str], int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
                vocabulary = row["vocabulary_id"]
                if vocabulary.startswith("ICD"):  # Others would take gigabytes of memory.
                    found[vocabulary, row["concept_code"]] = int(row["concept_id"])
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror}") from None
    except (KeyError, ValueError, TypeError, csv.Error):
        raise DataError(
            path,
            "not a CONCEPT.csv of Athena: it has tabs, and the columns concept_id, vocabulary_id and"
            " concept_code",
        ) from None
    return found
