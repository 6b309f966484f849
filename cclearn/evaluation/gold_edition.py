"""Predictions in the edition of the gold, for gold codes that the release does not have any more."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from cclearn.codes import CodeSystem
from cclearn.codes.editions import EditionMap
from cclearn.evaluation.scored_notes import AlignedNotes, ScoredNote
from cclearn.runtime.display import counted


@dataclass(frozen=True, slots=True)
class GoldEdition:
    """The codes of the gold, which show in which edition it was coded, and a map of the changes since.

    A predicted code that the gold contains, in any note, is a code of the gold's edition and stays as it
    is. Another code becomes a code of the gold that it replaced. If there are several, it becomes one
    that the note has and that no other prediction stands for, otherwise one that the note has, otherwise
    the first. A code that replaced none of them stays as it is.

    So a prediction counts for at most one gold code, predictions that become the same code count once,
    and precision and recall stay between 0 and 1.

    Attributes:
        map: The map of the changes.
        codes: All codes of the gold.
    """

    map: EditionMap
    codes: frozenset[str]

    def align(self, aligned: AlignedNotes) -> AlignedNotes:
        """Return the notes with all predictions in the edition of the gold, without decisions."""
        predicted = [
            self._mapped(note, gold.codes)
            for gold, note in zip(aligned.gold, aligned.predicted, strict=True)
        ]
        return replace(aligned, predicted=predicted)

    def warnings(self, gold: Collection[ScoredNote], system: CodeSystem) -> Iterator[str]:
        """Yield how many gold codes the map covers that are not billable in the release any more."""
        replaced = self.codes & {old for codes in self.map.previous.values() for old in codes}
        if not replaced:
            yield "the edition map has no code of the gold, so it changes no score"
        retired = {code for code in replaced if not system.is_billable(code)}
        count = sum(code in retired for note in gold for code in note.codes)
        if count:
            yield (
                f"{counted(count, 'gold code')} of an earlier edition ({len(retired)} distinct): the"
                " edition map has what replaced them"
            )
        if self.map.unread:
            yield f"{self.map.unread} entries of the edition map are not codes, and are not used"

    def _mapped(self, note: ScoredNote, gold: Collection[str]) -> ScoredNote:
        became: dict[str, str] = {}
        taken = {code for code in note.codes if code in self.codes}
        for code in note.codes:
            became[code] = self._in_gold(code, gold, taken)
            taken.add(became[code])
        # Codes are in the order of their ranks, so the best rank of those that become one code is kept.
        best: dict[str, int] = {}
        for rank, code in enumerate(note.codes):
            best.setdefault(became[code], rank)
        further = [self._in_gold(code, gold, taken) for code in note.further]
        return replace(
            note,
            codes=tuple(best),
            scores=None if note.scores is None else tuple(note.scores[r] for r in best.values()),
            further=tuple(c for c in dict.fromkeys(further) if c not in best),
            spans=frozenset(replace(span, code=became[span.code]) for span in note.spans),
            decisions={},
        )

    def _in_gold(self, code: str, gold: Collection[str], taken: Collection[str]) -> str:
        if code in self.codes:
            return code
        choices = [old for old in self.map.previous.get(code, ()) if old in self.codes]
        in_note = [old for old in choices if old in gold]
        free = [old for old in in_note if old not in taken]
        return next(iter(free or in_note or choices), code)
