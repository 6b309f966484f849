"""The vocabulary of a tokenizer beside that of the model which it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cclearn.errors import ConfigurationError
from cclearn.prompts.encoding import encode_prompt, end_of_turn

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_MOST_PADDING = 2
"""Maximum size of a model's vocabulary, as a multiple of the tokenizer's. Models pad their vocabulary
by a few per cent; one that is more than twice as large belongs to another tokenizer."""


def vocabulary_sizes(model: PreTrainedModel) -> tuple[int, int]:
    """Return how many tokens a model can read, and how many it can generate."""
    read = model.get_input_embeddings()
    written = model.get_output_embeddings()
    sizes = [
        getattr(read, "num_embeddings", None) or read.weight.shape[0],
        # The weight of a quantised layer is packed, so that its shape is another one.
        getattr(written, "out_features", None) or written.weight.shape[0],
    ]
    return int(sizes[0]), int(sizes[1])


def grammar_vocabulary(
    tokenizer: PreTrainedTokenizerBase, readable: int, writable: int, name: str
) -> int:
    """Return the number of tokens that a grammar must distinguish: those of the tokenizer and the model.

    Either may be larger. Models pad their vocabulary, and some tokenizers have special tokens that the
    model neither reads nor generates, such as Gemma 3's `<image_soft_token>`.

    Args:
        tokenizer: Tokenizer with a chat template.
        readable: Number of tokens that the model can read.
        writable: Number of tokens that the model can generate.
        name: Name of the model, for the message.

    Raises:
        ConfigurationError: A text, or the chat template, has tokens that the model cannot read; or the
            model cannot generate the end-of-turn token; or its vocabulary is more than twice as large as
            that of the tokenizer.
    """
    tokens = tokenizer.get_vocab().values()
    size = max(tokens, default=-1) + 1
    special = {
        token for token, added in tokenizer.added_tokens_decoder.items() if added.special
    } | {*tokenizer.all_special_ids}
    # No text is encoded as a special token, so only those of the template are read.
    read = {*tokens} - special
    read.update(encode_prompt(tokenizer, [{"role": "user", "content": "-"}]))
    end = end_of_turn(tokenizer)
    problem = ""
    if (largest := max(read)) >= readable:
        problem = f"its tokenizer has tokens up to number {largest:,}, the model reads {readable:,}"
    elif end >= writable:
        problem = f"its end-of-turn token is number {end:,}, the model generates {writable:,}"
    elif writable > _MOST_PADDING * size:
        problem = f"its tokenizer has {size:,} tokens, and the model generates {writable:,}"
    if problem:
        raise ConfigurationError(
            [
                f"model (model = {name}): {problem}. The tokenizer belongs to another model. Copy the"
                " tokenizer of this one into its folder."
            ]
        )
    return max(size, readable, writable)
