"""A discriminative coder as a part of `span_loop`: it proposes evidence and codes to a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cclearn.coding.labels.coder import LabelCoder
from cclearn.coding.span_loop.recognisers import Recogniser, Recognition
from cclearn.notes import Note


class LabelRecogniser(Recogniser):
    """Proposes the codes of segments with their evidence. Codes without evidence are left out.

    Args:
        coder: Coder that reads each segment as a note.
    """

    def __init__(self, coder: LabelCoder) -> None:
        self.name = f"plm:{coder.name}"
        self._coder = coder

    @property
    def model_sha256(self) -> str:
        """Hash of the model."""
        return self._coder.model_sha256

    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        """Yield the evidence in each segment, with the codes that it was found for."""
        for found in self._coder.read_many(segments):
            recognition = Recognition(flags=found.flags)
            for finding in found.findings:
                span = (finding.start, finding.end)
                recognition.spans.setdefault(span, {})
                recognition.proposed.setdefault(span, []).append(finding.code)
            yield recognition


class LabelRanking:
    """Ranks codes by their scores for a span, which is read as a note of its own.

    Args:
        coder: Coder that scores the spans, with the number of codes to rank as its `top`.
    """

    weight = 3.0

    def __init__(self, coder: LabelCoder) -> None:
        self._coder = coder

    def rank(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield the codes of each text, best first."""
        return self._coder.code_spans(texts)
