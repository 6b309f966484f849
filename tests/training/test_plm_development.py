"""Tests of the thresholds of evidence, with attributions that are given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cclearn.baselines.evidence import words_of
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.training import plm_development
from cclearn.training.development_settings import Development
from cclearn.training.plm_development import LabelDevelopment
from tests.baselines import test_model

CODE = test_model.CODES[0]


def note(words: int, *evidence: int) -> CodedNote:
    """Return a note of words of four characters, some of which are evidence of a code."""
    text = " ".join(f"w{number:03}" for number in range(words))
    spans = [(5 * number, 5 * number + 4) for number in evidence]
    cited = [Evidence(start=start, end=end, text=text[start:end]) for start, end in spans]
    return CodedNote(id=str(words), text=text, codes=[AssignedCode(code=CODE, evidence=cited)])


def tuned(
    monkeypatch: pytest.MonkeyPatch,
    notes: list[CodedNote],
    shares: Callable[[int], list[float]],
    read: int = 10**6,
) -> float:
    """Return the threshold of a model that reads at most so many words, each as one token."""

    def encode(tokenizer: object, text: str, most: int) -> tuple[list[int], list[tuple[int, int]]]:
        offsets = words_of(text)[:read]
        return [5] * len(offsets), offsets

    def attributions(model: object, ids: torch.Tensor, *others: object) -> torch.Tensor:
        return torch.tensor([shares(len(ids))])

    monkeypatch.setattr(plm_development, "encode_with_offsets", encode)
    monkeypatch.setattr(plm_development, "attributions", attributions)
    labels = {code: number for number, code in enumerate(test_model.CODES)}
    settings = Development(share=0.5, every=1, notes=10)
    model = test_model.model()
    LabelDevelopment(settings, [], notes, None, labels).tune(model)
    return float(model.config.evidence_thresholds["attention"])


def test_a_word_with_most_of_the_attribution_is_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    def shares(number: int) -> list[float]:
        return [0.6] + [0.4 / (number - 1)] * (number - 1)

    found = tuned(monkeypatch, [note(20, 0), note(30, 0)], shares)
    assert 0.4 / 19 < found <= 0.6


def test_the_threshold_is_the_best_of_those_above_an_average_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # All ten words have the best F score, but the lower ones are below the average.
    given = [0.3, 0.2, 0.15, *[0.05] * 7]
    found = tuned(monkeypatch, [note(10, *range(10))], lambda number: given)
    shares = np.array(given)
    assert (shares >= found).sum() == 3


def test_words_that_are_not_read_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tuned(monkeypatch, [note(100, 0)], lambda number: [1 / number] * number, read=10)
    assert found >= 0.1


def test_notes_without_words_or_tokens_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = [Evidence(start=0, end=1, text="?")]
    empty = CodedNote(id="e", text="? !", codes=[AssignedCode(code=CODE, evidence=evidence)])
    uniform = [0.5, 0.5]
    assert tuned(monkeypatch, [empty], lambda number: uniform) == pytest.approx(0.05)
    assert tuned(monkeypatch, [note(3, 0)], lambda number: uniform, read=0) == pytest.approx(0.05)
