"""The exposure of canaries in a trained model, by the log-likelihoods of random candidates.

The exposure of a canary is log2 |R| - log2 rank, where R is the set of all secrets of its format, and
the rank is the number of secrets that the model finds at least as likely, the canary included (Carlini
et al. 2019, The Secret Sharer, section 4.2). The rank is estimated by a random sample of R, as in
section 4.3. A sample of n secrets cannot show more than log2 (n + 1) bits.

The log-likelihood of a sentence is that of a language model. So exposure measures models that were
trained on the text of the notes, such as generators, and not those that learnt their answers only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cclearn.audit.canaries import CanaryFile
from cclearn.audit.checks import Check
from cclearn.audit.settings import AuditSettings
from cclearn.engines.loading import Loading
from cclearn.engines.logits import broken_rows
from cclearn.errors import CclearnError
from cclearn.models import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Exposure:
    """The exposure of canaries in a model.

    Attributes:
        exposed: The largest exposure, and its limit.
        bits: Exposure of each canary, in the order of the file.
        largest: Largest exposure that the sample can show.
        space: Binary logarithm of the number of possible secrets, which is the largest exposure at all.
        candidates: Number of random secrets in the sample.
    """

    exposed: Check
    bits: tuple[float, ...]
    largest: float
    space: float
    candidates: int

    @property
    def checks(self) -> tuple[Check, ...]:
        """The check of the largest exposure."""
        return (self.exposed,)


def measure_exposure(model: str, canaries: CanaryFile, settings: AuditSettings) -> Exposure:
    """Measure the exposure of canaries in a model.

    Args:
        model: Folder of the model, or its name on the hub.
        canaries: Canaries of the training notes of the model.
        settings: Settings of the audit.

    Raises:
        ConfigurationError: There is no model of that name, or its weights are damaged.
        CclearnError: The model gives scores that are not finite.
    """
    tokenizer = load_tokenizer(model)
    loaded = Loading().load(model)
    sampled = canaries.candidates(settings.candidates, settings.seed)
    texts = [canaries.text(secret) for secret in (*canaries.secrets, *sampled)]
    scores = log_likelihoods(loaded, tokenizer, texts, settings.batch_size)
    if not all(map(math.isfinite, scores)):
        raise CclearnError(
            f"model (model = {model}): its scores are not finite. Train it again, or name another."
        )
    planted, others = scores[: len(canaries.secrets)], scores[len(canaries.secrets) :]
    bits = tuple(exposure_of(score, others) for score in planted)
    title = f"largest exposure of a canary, of {math.log2(len(others) + 1):.1f} bits"
    return Exposure(
        Check("exposure", title, max(bits), settings.largest_exposure),
        bits,
        math.log2(len(others) + 1),
        canaries.bits,
        len(others),
    )


def exposure_of(score: float, others: Sequence[float]) -> float:
    """Return the exposure of a canary in bits.

    Args:
        score: Log-likelihood of the canary.
        others: Log-likelihoods of random secrets of the same format.
    """
    rank = 1 + sum(other >= score for other in others)
    return math.log2(len(others) + 1) - math.log2(rank)


def log_likelihoods(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    batch_size: int = 32,
) -> list[float]:
    """Return the log-likelihood of each text, which is the sum over its tokens after the first.

    Args:
        model: Causal language model in evaluation mode.
        tokenizer: Tokenizer of the model.
        texts: Texts to score.
        batch_size: Number of texts that are scored together.

    Returns:
        Natural logarithms. A value is NaN if the model gives a broken row of logits for the text
        (`cclearn.engines.logits`).
    """
    import torch

    sums: list[float] = []
    for first in range(0, len(texts), batch_size):
        tokens = [tokenizer(text)["input_ids"] for text in texts[first : first + batch_size]]
        longest = max(map(len, tokens))
        ids = torch.zeros(len(tokens), longest, dtype=torch.long)
        mask = torch.zeros(len(tokens), longest, dtype=torch.long)
        for row, found in enumerate(tokens):
            ids[row, : len(found)] = torch.tensor(found)
            mask[row, : len(found)] = 1
        ids, mask = ids.to(model.device), mask.to(model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
            chosen = logits.gather(-1, ids[:, 1:, None])[..., 0].float()
            logs = chosen - logits.float().logsumexp(-1)
            is_broken = broken_rows(logits.flatten(0, 1)).reshape(logs.shape)
            logs = logs.masked_fill(is_broken, torch.nan).masked_fill(mask[:, 1:] == 0, 0.0)
        sums += logs.double().sum(dim=1).tolist()
    return sums
