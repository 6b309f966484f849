"""The coder whose model scores every label of a note, with evidence from attributions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cclearn.baselines.batches import padded
from cclearn.baselines.evidence import attributions, evidence_spans, word_shares, words_of
from cclearn.baselines.load import load_plm
from cclearn.codes import CodeSystem
from cclearn.coding.base import Coder
from cclearn.coding.damage import stop_if_damaged
from cclearn.coding.findings import Finding, NoteFindings, Uncited
from cclearn.coding.labels.settings import LabelSettings
from cclearn.engines.base import NOT_FINITE
from cclearn.errors import ConfigurationError
from cclearn.models import load_tokenizer, model_hash
from cclearn.notes import AssignedCode, CodedNote, Note, Origin
from cclearn.notes.assertion import AssertionLanguage
from cclearn.notes.spans import Span
from cclearn.rows.labelled import encode_with_offsets
from cclearn.runtime.processes import process_state

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.guidelines.uncertain import Encounter

_NO_EVIDENCE = "evidence: no word has a share of the attribution above the threshold"


class LabelCoder(Coder):
    """Scores every label of a note. A label whose probability reaches the threshold is a code.

    The assertion rules are not applied: the model has read the whole note, and evidence only explains
    its scores.

    Args:
        folder: Folder of the model.
        system: Code system whose codes are assigned. Labels that are not billable in it are left out.
        settings: Settings of the coder.
        calibration: Calibration of the scores. None decides by the threshold alone.
        encounter: Setting of the notes. None if it is not known.
        assertion: Language of the rules that add suggestions. `off` adds none.

    Raises:
        ConfigurationError: The model cannot be loaded, or none of its labels is billable.
    """

    def __init__(
        self,
        folder: str,
        system: CodeSystem,
        settings: LabelSettings | None = None,
        *,
        calibration: Calibration | None = None,
        encounter: Encounter | None = None,
        assertion: AssertionLanguage = "english",
    ) -> None:
        super().__init__(
            folder, system, calibration=calibration, encounter=encounter, assertion=assertion
        )
        self._settings = settings or LabelSettings()
        self._tokenizer: PreTrainedTokenizerBase = load_tokenizer(folder)
        self._model = load_plm(folder).to(process_state().device).eval()
        codes = self._model.config.codes
        self._labels = [number for number, code in enumerate(codes) if system.is_billable(code)]
        if not self._labels:
            raise ConfigurationError(
                [
                    f"model (model = {folder}): none of its {len(codes):,} codes is billable in"
                    f" {system.name} {system.release}. Name the release that it was trained on."
                ]
            )
        self._codes = [codes[number] for number in self._labels]
        self._chosen = None
        if len(self._labels) < len(codes):
            self._chosen = torch.tensor(self._labels, device=self._model.device)
        shown = self._settings.model_dump_json(exclude={"batch_size"}, exclude_defaults=True)
        self.mode = f"labels {shown}"

    @cached_property
    def model_sha256(self) -> str:
        """Hash of the model."""
        return model_hash(self.name)

    @property
    def threshold(self) -> float:
        """Probability from which a label is a code."""
        given = self._settings.threshold
        return float(self._model.config.threshold if given is None else given)

    def read_many(self, notes: Iterable[Note]) -> Iterator[NoteFindings]:
        """Yield the labels of notes that reach the threshold or are among the best, with evidence."""
        waiting = iter(notes)
        while batch := list(islice(waiting, self._settings.batch_size)):
            read = [self._encode(note.text) for note in batch]
            for note, (ids, offsets), scores in zip(
                batch, read, self._scores([ids for ids, _ in read]), strict=True
            ):
                yield self._findings(note, ids, offsets, scores)

    def aggregate_many(self, notes: Iterable[Note]) -> Iterator[tuple[NoteFindings, CodedNote]]:
        """See `Coder.aggregate_many`. Codes without evidence have a flag that says so."""
        for note_findings, coded in super().aggregate_many(notes):
            codes = coded.codes
            if self._settings.evidence != "none":
                codes = [_flagged(assigned) for assigned in codes]
            yield note_findings, coded.model_copy(update={"codes": codes})

    def decided(self, note_findings: NoteFindings, coded: CodedNote) -> CodedNote:
        """Move the codes below the threshold to `rejected`, unless there is a calibration."""
        if self.calibration is not None:
            return super().decided(note_findings, coded)
        kept: list[AssignedCode] = []
        rejected: list[AssignedCode] = []
        for assigned in coded.codes:
            is_low = assigned.score is not None and assigned.score < self.threshold
            (rejected if is_low else kept).append(assigned)
        return coded.model_copy(update={"codes": kept, "rejected": rejected})

    def code_spans(
        self, texts: Iterable[str], origin: Origin = "restricted"
    ) -> Iterator[list[str]]:
        """Yield the codes of each span, read as a note of its own: those that reach the threshold, or
        the best `top` ones."""
        waiting = iter(texts)
        while batch := list(islice(waiting, self._settings.batch_size)):
            read = [self._encode(text)[0] for text in batch]
            scored = stop_if_damaged(iter(self._scores(read)), _is_not_finite, self.name)
            for ids, scores in zip(read, scored, strict=True):
                found = self._best(scores) if ids and not _is_not_finite(scores) else []
                yield [self._codes[number] for number in found]

    def _encode(self, text: str) -> tuple[list[int], list[Span]]:
        ids, offsets = encode_with_offsets(
            self._tokenizer, text, self._model.config.document_tokens
        )
        self.usage.prompt_tokens += len(ids)
        return ids, offsets

    @torch.no_grad()
    def _scores(self, documents: Sequence[Sequence[int]]) -> Tensor:
        """Return the probabilities of the labels, of shape (documents, labels)."""
        ids, mask = (tensor.to(self._model.device) for tensor in padded(documents))
        logits = self._model(ids, mask, chosen=self._chosen).logits
        return torch.sigmoid(logits.double()).cpu()

    def _best(self, scores: Tensor) -> list[int]:
        """Return the labels that reach the threshold or are among the best, the best one first."""
        number = max(int((scores >= self.threshold).sum()), min(self._settings.top, len(scores)))
        # The stable sort makes the order of equal scores that of the labels.
        order: list[int] = (
            torch.sort(scores, descending=True, stable=True).indices[:number].tolist()
        )
        return order

    def _findings(
        self, note: Note, ids: Sequence[int], offsets: Sequence[Span], scores: Tensor
    ) -> NoteFindings:
        found = NoteFindings(note, [], parts=[(0, len(note.text))])
        if not ids:
            return found
        if _is_not_finite(scores):
            found.flags.add(NOT_FINITE)
            return found
        if len(ids) == self._model.config.document_tokens and note.text[_end(offsets) :].strip():
            found.flags.add(f"length: only the first {len(ids):,} tokens were read")
        best = self._best(scores)
        spans = self._evidence(note.text, ids, offsets, best)
        for number, cited in zip(best, spans, strict=True):
            code, score = self._codes[number], float(scores[number])
            found.findings += [Finding(code, start, end, score) for start, end in cited]
            if not cited:
                found.uncited.append(Uncited(code, score))
        return found

    def _evidence(
        self, text: str, ids: Sequence[int], offsets: Sequence[Span], best: Sequence[int]
    ) -> list[list[Span]]:
        """Return the spans of evidence of labels."""
        settings, device = self._settings, self._model.device
        if settings.evidence == "none" or not best:
            return [[] for _ in best]
        chosen = torch.tensor([self._labels[number] for number in best], device=device)
        tokens = torch.tensor(ids, device=device)
        shares = attributions(self._model, tokens, chosen, settings.evidence)
        words = words_of(text)
        of_words = word_shares(words, offsets, shares.double().cpu().numpy())
        threshold = settings.evidence_threshold
        if threshold is None:
            threshold = float(self._model.config.evidence_thresholds[settings.evidence])
        return [evidence_spans(text, words, row, threshold) for row in of_words]


def _end(offsets: Sequence[Span]) -> int:
    return max(end for _, end in offsets)


def _is_not_finite(scores: Tensor) -> bool:
    return not bool(scores.isfinite().all())


def _flagged(assigned: AssignedCode) -> AssignedCode:
    if assigned.evidence:
        return assigned
    return assigned.model_copy(update={"flags": [*assigned.flags, _NO_EVIDENCE]})
