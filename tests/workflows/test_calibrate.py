from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.base import Coder
from cclearn.coding.calibration.model import Calibration
from cclearn.coding.findings import Finding, NoteFindings
from cclearn.errors import ConfigurationError
from cclearn.evaluation import Settings, evaluate
from cclearn.evaluation.metrics.reliability import expected_calibration_error
from cclearn.notes import AssignedCode, CodedNote, Note, Origin
from cclearn.notes.jsonl import write_rows
from cclearn.workflows.calibrate import calibrate

CODES = ("I10", "E11.9", "J18.9", "R05.9", "K52.9")
TEXT = "a b c d e"


class OverconfidentCoder(Coder):
    """Coder with overconfident scores: a code with score s is correct with probability s²."""

    def __init__(
        self,
        system: CodeSystem,
        scores: dict[str, list[float]],
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__("boaster", system, calibration=calibration)
        self.scores = scores

    def read_many(self, notes: Iterable[Note]) -> Iterator[NoteFindings]:
        for note in notes:
            scores = self.scores[note.id]
            yield NoteFindings(
                note,
                [
                    Finding(code, 2 * index, 2 * index + 1, score)
                    for index, (code, score) in enumerate(zip(CODES, scores, strict=True))
                ],
            )

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        return iter([])


def drawn(count: int, seed: int) -> tuple[list[CodedNote], dict[str, list[float]]]:
    """Draw notes, and the scores of the coder on them."""
    random = np.random.default_rng(seed)
    notes, scores = [], {}
    for number in range(count):
        identifier = f"{seed}-{number}"
        scores[identifier] = random.random(len(CODES)).tolist()
        codes = [
            AssignedCode(code=code)
            for code, score in zip(CODES, scores[identifier], strict=True)
            if random.random() < score**2
        ]
        notes.append(CodedNote(id=identifier, text=TEXT, codes=codes))
    return notes, scores


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_a_calibration_is_valid_on_other_notes(
    system: CodeSystem, tmp_path: Path, method: str
) -> None:
    known, scores = drawn(600, 0)
    others, more = drawn(600, 1)
    coder = OverconfidentCoder(system, scores | more)
    write_rows(tmp_path / "known.jsonl", known)
    found = calibrate(coder, tmp_path / "known.jsonl", method, 0.8, 0.1)  # type: ignore[arg-type]
    raw = list(coder.code_many(n.note for n in others))
    coder = OverconfidentCoder(system, scores | more, found)
    calibrated = list(coder.code_many(n.note for n in others))
    systems = evaluate(
        others, {"raw": raw, "calibrated": calibrated}, system, Settings(draws=0)
    ).evaluations
    # The mean of s − s² is 1/6.
    before = expected_calibration_error(systems["raw"].calibration)
    after = expected_calibration_error(systems["calibrated"].calibration)
    assert before == pytest.approx(1 / 6, abs=0.03)
    assert after is not None
    assert after < 0.06
    assert found.expected_calibration_error.before == pytest.approx(1 / 6, abs=0.03)
    assert found.expected_calibration_error.after < 0.06
    accepted = systems["calibrated"].value("decision/accept/right")
    assert accepted is not None
    assert accepted > 0.77
    rejected = systems["calibrated"].value("decision/reject/right")
    assert rejected is not None
    assert rejected < 0.13
    assert sum(decision.codes for decision in found.decisions.values()) == found.codes == 3_000
    assert found.decisions["accept"].right / found.decisions["accept"].codes > 0.8


def test_the_order_of_the_notes_does_not_matter(system: CodeSystem, tmp_path: Path) -> None:
    notes, scores = drawn(60, 0)
    calibrations = []
    for name, rows in (("a.jsonl", notes), ("b.jsonl", notes[::-1])):
        write_rows(tmp_path / name, rows)
        calibrations.append(
            calibrate(OverconfidentCoder(system, scores), tmp_path / name, "isotonic", 0.5)
        )
    first, second = calibrations
    assert first.data_sha256 != second.data_sha256
    assert first.decisions == second.decisions
    # Sums are rounded in another order.
    one, other = (c.curve.model_dump()["calibrated"] for c in calibrations)
    assert one == pytest.approx(other)
    assert first.thresholds.accept == pytest.approx(second.thresholds.accept)


def test_shares_that_cannot_be_meant_are_refused(system: CodeSystem, tmp_path: Path) -> None:
    for precision, rejected_right in ((0.1, 0.5), (1.1, 0.1), (0.9, -0.1), (float("nan"), 0.1)):
        with pytest.raises(ConfigurationError, match="not shares"):
            calibrate(
                OverconfidentCoder(system, {}),
                tmp_path / "x.jsonl",
                "platt",
                precision,
                rejected_right,
            )
