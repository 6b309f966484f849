"""From messages to tokens: one way for training and for inference, so that both see the same prompt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from jinja2 import TemplateError

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
        ConfigurationError: The tokenizer's chat template does not put the answer behind the prompt, or
            does not close it with a special token: such a model would never learn to stop.
    """
    opening = _render_prompt(tokenizer, prompt)
    whole = _render(tokenizer, [*prompt, {"role": "assistant", "content": completion}])
    if not whole.startswith(opening):
        raise ConfigurationError(
            [
                f"chat template (tokenizer = {tokenizer.name_or_path}): the answer does not follow the"
                " prompt. Use a template whose generation prompt begins the answer."
            ]
        )
    text = whole[len(opening) :]
    closing = text.rpartition(completion)[2]
    end = str(tokenizer.convert_ids_to_tokens(end_of_turn(tokenizer)))
    # Some templates write more behind the end of turn; the model is never asked for it.
    behind = closing.partition(end)[2]
    return _encode(tokenizer, text.removesuffix(behind))


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that closes an answer in a tokenizer's chat template.

    It need not be the tokenizer's end-of-sequence token: Gemma's and Phi's are not.

    Raises:
        ConfigurationError: There is no chat template, or it closes an answer with no special token.
    """
    return _end_of_turn(tokenizer, str(tokenizer.chat_template))


@lru_cache(maxsize=4)
def _end_of_turn(tokenizer: PreTrainedTokenizerBase, template: str) -> int:
    asked: Message = {"role": "user", "content": "-"}
    answered = _render(tokenizer, [asked, {"role": "assistant", "content": "answer"}])
    marks = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    for token in _encode(tokenizer, answered.rpartition("answer")[2]):
        if token in marks:
            return token
    raise ConfigurationError(
        [
            f"chat template (tokenizer = {tokenizer.name_or_path}): it closes an answer with no special"
            " token. Use the model's own template, or one that writes eos_token behind an answer."
        ]
    )


def _render_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message]) -> str:
    return _render(tokenizer, prompt, add_generation_prompt=True)


def _render(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[Message],
    add_generation_prompt: bool = False,
) -> str:
    name = tokenizer.name_or_path
    if tokenizer.chat_template is None:
        raise ConfigurationError(
            [
                f"chat template (tokenizer = {name}): it has none. Use the model's instruct variant or"
                " set a chat template."
            ]
        )
    try:
        # An answer is the codes alone: templates that can think aloud are told not to.
        return str(
            tokenizer.apply_chat_template(
                list(turns),
                add_generation_prompt=add_generation_prompt,
                tokenize=False,
                enable_thinking=False,
            )
        )
    except TemplateError as error:
        raise ConfigurationError(
            [
                f"chat template (tokenizer = {name}): it cannot be rendered: {error.message} Use a"
                " template that takes a user's and an assistant's turn."
            ]
        ) from None


def _encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    tokens: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return tokens
