"""Tables of notes by chapter, whose small numbers are suppressed.

Numbers under 11 could identify patients. The cell size suppression policy of the Centers for Medicare &
Medicaid Services of the United States forbids to show them, and numbers from which they can be computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cclearn.audit.inputs import NoteSet
from cclearn.audit.settings import AuditSettings
from cclearn.codes import CodeSystem


@dataclass(frozen=True, slots=True)
class ChapterRow:
    """The number of notes with a label of a chapter.

    Attributes:
        chapter: Chapter of the code system; empty for codes without one.
        title: Title of the chapter.
        notes: Number of audited notes; None if it is suppressed.
        reference: Number of reference notes; None if it is suppressed, or if there is no reference.
    """

    chapter: str
    title: str
    notes: int | None
    reference: int | None


def suppressed(counts: Mapping[str, int], smallest: int) -> dict[str, int | None]:
    """Return counts without the small ones.

    If a single count is suppressed, the next larger one is suppressed too. Otherwise it could be
    computed from a total that is known from elsewhere. Zero is shown.

    Args:
        counts: Counts by the name of the cell.
        smallest: Smallest count that is shown, except 0.
    """
    hidden = {name for name, count in counts.items() if 0 < count < smallest}
    if len(hidden) == 1:
        others = [(count, name) for name, count in counts.items() if count >= smallest]
        hidden |= {min(others)[1]} if others else set()
    return {name: None if name in hidden else count for name, count in counts.items()}


def count_chapters(
    audited: NoteSet, reference: NoteSet | None, settings: AuditSettings
) -> tuple[ChapterRow, ...]:
    """Count the notes with a label of each chapter, without small numbers.

    Args:
        audited: Notes to audit.
        reference: Reference notes; None if there are none.
        settings: Settings of the audit.
    """
    system = audited.system
    corpora = [audited, *([reference] if reference else [])]
    found = [_notes_by_chapter(corpus) for corpus in corpora]
    everywhere = {chapter for counts in found for chapter in counts}
    order = {chapter: place for place, chapter in enumerate(system) if chapter in everywhere}
    chapters = sorted(everywhere, key=lambda chapter: (order.get(chapter, len(system)), chapter))
    shown = [
        suppressed({chapter: counts[chapter] for chapter in chapters}, settings.smallest_cell)
        for counts in found
    ]
    return tuple(
        ChapterRow(
            chapter,
            system.description(chapter) if chapter in system else "",
            shown[0][chapter],
            shown[1][chapter] if reference else None,
        )
        for chapter in chapters
    )


def _notes_by_chapter(corpus: NoteSet) -> Counter[str]:
    counts: Counter[str] = Counter()
    for note in corpus.read("chapters"):
        counts.update({_chapter_of(assigned.code, corpus.system) for assigned in note.codes})
    return counts


def _chapter_of(code: str, system: CodeSystem) -> str:
    """Return the chapter of a code; an empty string if the system has none for it."""
    if code not in system:
        return ""
    chapter = system.chapter(code)
    return "" if chapter == code else chapter
