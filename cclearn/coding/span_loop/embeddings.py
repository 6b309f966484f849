"""Ranks codes by the similarity of their strings to a text, with a sentence encoder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings
from cclearn.errors import CclearnError
from cclearn.models import load_encoder, load_tokenizer, model_hash
from cclearn.notes import SpanPair
from cclearn.runtime.caches import cache_file, read_sealed, write_sealed
from cclearn.runtime.processes import process_state

if TYPE_CHECKING:
    import torch

_NEAREST = 300
"""Number of strings that are ranked for each text."""

_BATCH = 256
"""Number of texts that are embedded together."""


class EmbeddingRanking:
    """Ranks codes by the cosine similarity of a span and all strings of the code system.

    An embedding is the mean of the states of the last layer over the tokens (Reimers & Gurevych 2019,
    Sentence-BERT, arXiv 1908.10084). The cache folder keeps the embeddings of the strings by the hash of
    the model.

    Args:
        system: Code system that provides the strings.
        model: Sentence encoder: a folder, or a name on the hub.
        pairs: Span pairs whose strings are ranked too. Their embeddings are computed in each process.

    Raises:
        ConfigurationError: There is no model of that name.
    """

    weight = 3.0

    def __init__(self, system: CodeSystem, model: str, pairs: Iterable[SpanPair] = ()) -> None:
        self.system = system
        self._name = model
        self._tokenizer = load_tokenizer(model)
        self._model = load_encoder(model).to(process_state().device).eval()
        own = dict.fromkeys((pair.text, system.canonical(pair.code)) for pair in pairs)
        self._pair_texts = [text for text, _ in own]
        self._codes = [string.code for string in code_strings(system)] + [code for _, code in own]

    def rank(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield the codes of each text, best first. Headers are included."""
        import torch

        for start in range(0, len(texts), _BATCH):
            # Shape (texts, strings).
            similarity = self._embed(texts[start : start + _BATCH]).cpu() @ self._strings.T
            smallest = torch.topk(similarity, min(_NEAREST, similarity.shape[1])).values[:, -1:]
            for row, is_near in zip(similarity, similarity >= smallest, strict=True):
                # torch.topk may return any of several strings with equal scores. The stable sort keeps
                # the first ones.
                indices = is_near.nonzero()[:, 0]
                order = torch.sort(row[indices], descending=True, stable=True).indices[:_NEAREST]
                yield [self._codes[index] for index in indices[order].tolist()]

    def _embed(self, texts: Sequence[str]) -> torch.Tensor:
        """Return the embeddings of texts, which are unit vectors, shape (texts, dimensions)."""
        import torch

        device = self._model.device
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=128, return_tensors="pt"
        ).to(device)
        # Matrix products in bfloat16 are faster, also on a CPU.
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            states = self._model(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"][..., None].float()
        means = (states * mask).sum(1) / mask.sum(1)
        if not means.isfinite().all():
            raise CclearnError(
                f"embeddings (model = {self._name}): they are not finite (NaN or infinite), because its"
                " weights are damaged. Copy the model again."
            )
        return torch.nn.functional.normalize(means, dim=-1)

    @cached_property
    def _strings(self) -> torch.Tensor:
        """Embeddings of all strings, shape (strings, dimensions)."""
        import torch

        of_pairs = [
            self._embed(self._pair_texts[start : start + _BATCH]).cpu()
            for start in range(0, len(self._pair_texts), _BATCH)
        ]
        # Half precision, as that of the other strings, lets equal strings have equal scores.
        return torch.cat([self._system_strings(), *(part.half().float() for part in of_pairs)])

    def _system_strings(self) -> torch.Tensor:
        """Return the embeddings of the strings of the code system, shape (strings, dimensions)."""
        import torch
        from safetensors.torch import load, save

        digest = model_hash(self._name)
        source = f"{self.system.source} embeddings {digest}"
        path = cache_file(self.system.name, source, "embeddings.safetensors")
        content = read_sealed(path, source) if digest else None
        if content is not None:
            return load(content)["strings"].float()
        texts = [string.text for string in code_strings(self.system)]
        # Texts of similar length share a batch.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        strings = torch.empty(0)
        for start in range(0, len(order), _BATCH):
            indices = order[start : start + _BATCH]
            embedded = self._embed([texts[index] for index in indices]).cpu()
            if not len(strings):
                strings = embedded.new_empty(len(texts), embedded.shape[1])
            strings[torch.tensor(indices)] = embedded
        # The cache has half precision. The run that writes it must use the same values as later runs.
        strings = strings.half()
        if digest:
            # If the cache cannot be written, only the next start takes longer.
            with contextlib.suppress(OSError):
                write_sealed(path, save({"strings": strings}), source)
        return strings.float()
