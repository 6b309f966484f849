"""Small coded notes for tests of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cclearn.codes import CodeSystem
from cclearn.evaluation import Evaluation, Settings, evaluate
from cclearn.notes import AssignedCode, CodedNote, Evidence

TEXT = "Old MI. Now chest pain, 12 hours; EF 9 percent after MI and pain."


def note(
    identifier: str,
    codes: Mapping[str, Sequence[tuple[int, int]]],
    scores: Mapping[str, float] | None = None,
    **fields: object,
) -> CodedNote:
    """Return a coded note with codes and their spans in `TEXT`."""
    assigned = [
        AssignedCode(
            code=code,
            score=scores[code] if scores else None,
            evidence=[Evidence(start=s, end=e, text=TEXT[s:e]) for s, e in spans],
        )
        for code, spans in codes.items()
    ]
    return CodedNote(id=identifier, text=TEXT, codes=assigned, **fields)  # type: ignore[arg-type]


def scored(
    gold: Sequence[CodedNote],
    predicted: Sequence[CodedNote],
    system: CodeSystem,
    **settings: object,
) -> Evaluation:
    """Score one system, without intervals."""
    found = evaluate(gold, {"it": predicted}, system, Settings(draws=0, **settings))  # type: ignore[arg-type]
    return found.evaluations["it"]


def of_labels(
    pairs: Sequence[tuple[set[str], set[str]]],
) -> tuple[list[CodedNote], list[CodedNote]]:
    """Return notes with gold and predicted codes."""
    gold = [note(str(n), {code: [] for code in sorted(g)}) for n, (g, _) in enumerate(pairs)]
    predicted = [note(str(n), {code: [] for code in sorted(p)}) for n, (_, p) in enumerate(pairs)]
    return gold, predicted
