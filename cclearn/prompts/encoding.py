"""From messages to tokens: one way for training and for inference, so that both see the same prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cclearn.errors import ConfigurationError
from cclearn.prompts.templates import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message]) -> list[int]:
    """Return the tokens of a prompt, up to where the answer begins."""
    return _encode(tokenizer, _render_prompt(tokenizer, prompt))


def encode_completion(
    tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message], completion: str
) -> list[int]:
    """Return the tokens of an answer, the last of them the end-of-turn token.

    Raises:
        ConfigurationError: The tokenizer's chat template does not put the answer behind the prompt,
            or does not close it with the tokenizer's end-of-sequence token: such a model would never
            learn to stop.
    """
    opening = _render_prompt(tokenizer, prompt)
    answer: Message = {"role": "assistant", "content": completion}
    whole = str(tokenizer.apply_chat_template([*prompt, answer], tokenize=False))
    name = tokenizer.name_or_path
    if not whole.startswith(opening):
        raise ConfigurationError(
            [
                f"chat template (tokenizer = {name}): the answer does not follow the prompt."
                " Use a template whose generation prompt begins the answer."
            ]
        )
    tokens = _encode(tokenizer, whole[len(opening) :])
    end = tokenizer.eos_token_id
    if end not in tokens:
        raise ConfigurationError(
            [
                f"chat template (tokenizer = {name}): it does not end an answer with"
                f" {tokenizer.eos_token!r}. Set eos_token to the template's end-of-turn token."
            ]
        )
    # Some templates write a line break behind the end of turn; the model is never asked for it.
    return tokens[: len(tokens) - tokens[::-1].index(end)]


def _render_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message]) -> str:
    if tokenizer.chat_template is None:
        raise ConfigurationError(
            [
                f"chat template (tokenizer = {tokenizer.name_or_path}): it has none."
                " Use the model's instruct variant or set a chat template."
            ]
        )
    return str(
        tokenizer.apply_chat_template(list(prompt), add_generation_prompt=True, tokenize=False)
    )


def _encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    tokens: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return tokens
