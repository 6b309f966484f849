"""What a run of a discriminative coder measures on its development rows, and the thresholds it tunes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from cclearn.baselines.batches import padded
from cclearn.baselines.evidence import Method, attributions, word_shares, words_of
from cclearn.baselines.losses import label_loss
from cclearn.baselines.model import PlmModel
from cclearn.baselines.thresholds import best_threshold, mean_average_precision
from cclearn.notes import CodedNote
from cclearn.rows import EncodedRow
from cclearn.rows.labelled import encode_with_offsets
from cclearn.training.development import weighted_loss
from cclearn.training.development_settings import Development

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Scores = NDArray[np.float32]

_BATCH = 8

_BETA = 2.0
"""Weight of the recall in the tuning of evidence: words that are missed count more than others."""


class LabelDevelopment:
    """The development rows of a run.

    Args:
        settings: Settings of the development rows.
        rows: Encoded rows, on which the loss is evaluated.
        notes: Notes that are coded.
        tokenizer: Tokenizer of the model.
        labels: Index of each label by its code.
    """

    def __init__(
        self,
        settings: Development,
        rows: Sequence[EncodedRow],
        notes: Sequence[CodedNote],
        tokenizer: PreTrainedTokenizerBase,
        labels: Mapping[str, int],
    ) -> None:
        self._settings = settings
        self._rows = rows
        self._notes = notes
        self._tokenizer = tokenizer
        self._labels = labels

    def metrics(self, model: PlmModel) -> dict[str, float]:
        """Return `eval_loss`, the loss of each kind of rows and, if notes are coded, `eval_code_f1` with
        the threshold that is best for them, and `eval_map`.

        Args:
            model: Model in evaluation mode.
        """
        losses = {}
        for kind in ("span", "document"):
            of_kind = [row for row in self._rows if row.kind == kind]
            if of_kind:
                losses[kind] = self._loss(model, of_kind)
        found = {f"eval_{kind}_loss": loss for kind, loss in losses.items()}
        found["eval_loss"] = weighted_loss(losses, self._settings)
        if self._notes:
            scores, gold, missing = self._scores(model)
            _, found["eval_code_f1"] = best_threshold(scores, gold, missing)
            found["eval_map"] = mean_average_precision(scores, gold)
        return found

    def tune(self, model: PlmModel) -> None:
        """Set the thresholds in the configuration of a model to those that are best for the notes.

        Without notes, or without evidence in them, a threshold stays as it is. That of evidence is the
        best one that is at least the share of an average word: if attributions tell nothing, the best F
        score would otherwise be that of all words.
        """
        if not self._notes:
            return
        scores, gold, missing = self._scores(model)
        if not gold.any():
            return
        model.config.threshold, _ = best_threshold(scores, gold, missing)
        for method in get_args(Method):
            shares, is_evidence, average = self._evidence(model, method)
            high = shares >= average
            if is_evidence[high].any():
                missing = int(is_evidence[~high].sum())
                threshold, _ = best_threshold(shares[high], is_evidence[high], missing, _BETA)
                model.config.evidence_thresholds[method] = max(threshold, average)

    def _loss(self, model: PlmModel, rows: Sequence[EncodedRow]) -> float:
        total = 0.0
        gold = self._gold([row.codes or () for row in rows])
        for first, logits in self._logits(model, [row.input_ids for row in rows]):
            some = gold[first : first + len(logits)].to(logits.device)
            total += float(label_loss(logits, some)) * len(logits)
        return total / len(rows)

    def _scores(self, model: PlmModel) -> tuple[Scores, NDArray[np.bool_], int]:
        """Return the scores and the gold labels of the notes, each of shape (notes, labels), and the
        number of gold codes that are no labels. Notes are read as the coder reads them."""
        tokens = [
            encode_with_offsets(self._tokenizer, note.text, model.config.document_tokens)[0]
            for note in self._notes
        ]
        scores = np.concatenate(
            [logits.float().sigmoid().cpu().numpy() for _, logits in self._logits(model, tokens)]
        )
        # The coder gives no code to a note without tokens.
        scores[[not ids for ids in tokens]] = 0.0
        codes = [[assigned.code for assigned in note.codes] for note in self._notes]
        gold = self._gold([[c for c in some if c in self._labels] for some in codes]).bool().numpy()
        return scores, gold, sum(map(len, codes)) - int(gold.sum())

    def _logits(
        self, model: PlmModel, documents: Sequence[Sequence[int]]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield the index of the first document of each batch, and the logits of the batch."""
        for first in range(0, len(documents), _BATCH):
            ids, mask = padded(documents[first : first + _BATCH])
            with torch.no_grad():
                yield first, model(ids.to(model.device), mask.to(model.device)).logits

    def _gold(self, codes: Sequence[Iterable[str]]) -> torch.Tensor:
        gold = torch.zeros(len(codes), len(self._labels))
        for number, some in enumerate(codes):
            gold[number, [self._labels[code] for code in some]] = 1.0
        return gold

    def _evidence(
        self, model: PlmModel, method: Method
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], float]:
        """Return the shares of the words of notes in their gold labels, whether each word is evidence of
        the label, and the share of an average word (the median over notes). Words that the model does
        not read are left out."""
        shares, is_evidence, averages = [], [], []
        for note in self._notes:
            cited = [a for a in note.codes if a.evidence and a.code in self._labels]
            if not cited:
                continue
            ids, offsets = encode_with_offsets(
                self._tokenizer, note.text, model.config.document_tokens
            )
            read = max((end for _, end in offsets), default=0)
            words = [word for word in words_of(note.text) if word[0] < read]
            if not words:
                continue
            chosen = torch.tensor([self._labels[a.code] for a in cited], device=model.device)
            found = attributions(model, torch.tensor(ids, device=model.device), chosen, method)
            averages.append(1 / len(words))
            of_words = word_shares(words, offsets, found.double().cpu().numpy())
            for assigned, row in zip(cited, of_words, strict=True):
                shares.append(row)
                is_evidence.append(
                    np.array(
                        [
                            any(e.start < end and start < e.end for e in assigned.evidence)
                            for start, end in words
                        ],
                        dtype=bool,
                    )
                )
        if not shares:
            return np.zeros(0), np.zeros(0, bool), 0.0
        return np.concatenate(shares), np.concatenate(is_evidence), float(np.median(averages))
