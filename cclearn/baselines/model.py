"""The model of a discriminative coder: an encoder with a head that scores every label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from cclearn.baselines.chunks import encode_in_chunks
from cclearn.baselines.heads import HEADS, LabelHead
from cclearn.baselines.losses import label_loss
from cclearn.model_manifest import LABEL_MODEL

EVIDENCE_THRESHOLDS = {"attingrad": 0.05, "attention": 0.05}
"""Thresholds of evidence that nothing has tuned."""


class PlmConfig(PretrainedConfig):  # type: ignore[misc]
    """Configuration of `PlmModel`.

    Args:
        encoder: Configuration of the encoder, as `to_dict` returns it.
        head: Name of the head, a key of `cclearn.baselines.heads.HEADS`.
        codes: Codes of the labels, in their order.
        chunk: Number of tokens that the encoder reads at once.
        document_tokens: Maximum number of tokens of a document. Further tokens are left out.
        label_chunk: Number of labels that are scored at once, 0 for all.
        encode_batch: Number of chunks that are encoded at once where no gradient is needed.
        threshold: Probability from which a label is a code of the document.
        evidence_thresholds: Share of a label's attribution from which a word is evidence, by the method
            of the attribution.
        settings: Further settings of transformers.
    """

    model_type = LABEL_MODEL

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        head: str = "plm_ca",
        codes: Sequence[str] = (),
        chunk: int = 128,
        document_tokens: int = 4_096,
        label_chunk: int = 0,
        encode_batch: int = 32,
        threshold: float = 0.5,
        evidence_thresholds: dict[str, float] | None = None,
        **settings: Any,
    ) -> None:
        self.encoder = encoder or {}
        self.head = head
        self.codes = list(codes)
        self.chunk = chunk
        self.document_tokens = document_tokens
        self.label_chunk = label_chunk
        self.encode_batch = encode_batch
        self.threshold = threshold
        # A model of an earlier version has no thresholds by method.
        self.evidence_thresholds = {**EVIDENCE_THRESHOLDS, **(evidence_thresholds or {})}
        super().__init__(**settings)


# Without it, transformers warns of another type whenever the tokenizer of a model is loaded.
AutoConfig.register(LABEL_MODEL, PlmConfig, exist_ok=True)


@dataclass
class PlmOutput(ModelOutput):  # type: ignore[misc]
    """Output of `PlmModel`.

    Attributes:
        loss: Binary cross-entropy, the mean over labels and documents. None without gold labels.
        logits: Logits of shape (documents, labels).
        features: Features of the labels, of shape (documents, labels, width). None if they were not
            asked for.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    features: Tensor | None = None


class PlmModel(PreTrainedModel):  # type: ignore[misc]
    """Encoder and head. It is saved and loaded by the methods of transformers.

    Args:
        config: Configuration of the model.
    """

    config_class = PlmConfig
    base_model_prefix = "plm"
    supports_gradient_checkpointing = True

    def __init__(self, config: PlmConfig) -> None:
        super().__init__(config)
        settings = dict(config.encoder)
        encoder_config = AutoConfig.for_model(settings.pop("model_type"), **settings)
        # The encoder may have been published in 16 bits, but all weights here have 32.
        self.encoder = AutoModel.from_config(encoder_config, dtype=torch.float32)
        without_pooler(self.encoder)
        self.head: LabelHead = HEADS[config.head](
            int(encoder_config.hidden_size), len(config.codes), config.label_chunk
        )
        self.post_init()

    def _init_weights(self, module: Any) -> None:
        """Leave the weights as the parts of the model have initialised them."""

    def hidden_states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the hidden states of tokens, of shape (documents, tokens, width)."""
        return encode_in_chunks(
            self.encoder,
            input_ids,
            attention_mask.bool(),
            self.config.chunk,
            self.config.encode_batch,
        )

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
        chosen: Tensor | None = None,
        featured: Tensor | None = None,
    ) -> PlmOutput:
        """Return the logits of labels, and the loss if the gold labels are given.

        Args:
            input_ids: Tokens of shape (documents, tokens), padded on the right.
            attention_mask: 1 for tokens of the document and 0 for padding, of the same shape.
            labels: 1 for the gold labels and 0 for the others, of shape (documents, scored labels).
            chosen: Indices of the labels to score, None for all.
            featured: Indices of the labels whose features are returned, None for none.
        """
        hidden = self.hidden_states(input_ids, attention_mask)
        mask = attention_mask.bool()
        logits = self.head(hidden, mask, chosen)
        loss = None if labels is None else label_loss(logits, labels)
        features = None if featured is None else self.head.features(hidden, mask, featured)
        return PlmOutput(loss=loss, logits=logits, features=features)

    @torch.no_grad()
    def encoded_texts(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the largest value of each component of the hidden states of short texts.

        GKI-ICD (arXiv 2505.18708) encodes descriptions in this way.

        Args:
            input_ids: Tokens of shape (texts, tokens), padded on the right.
            attention_mask: 1 for tokens of the text and 0 for padding, of the same shape.

        Returns:
            Encodings of shape (texts, width).
        """
        hidden = self.hidden_states(input_ids, attention_mask)
        padding = ~attention_mask.bool()[..., None]
        return hidden.masked_fill(padding, torch.finfo(hidden.dtype).min).amax(dim=1)


def without_pooler(encoder: Any) -> None:
    """Remove the pooling layer of an encoder, which no label uses."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
