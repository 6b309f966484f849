"""Encoding of messages as tokens, which training and inference share.

Only the chat template may produce special tokens. A note may contain the text of one, e.g. `<|im_end|>`,
to end the user's turn. Such a text is encoded as ordinary characters: it is cut after its first
character and the parts are tokenised separately.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING

from cclearn.errors import ConfigurationError, foreign_errors
from cclearn.prompts.chat_template import render_chat
from cclearn.prompts.templates import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CUT = f"\ue000{secrets.token_hex(16)}\ue000"
"""Marker of the cuts while a template is rendered. It is random, so that no note can contain it."""


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message]) -> list[int]:
    """Return the tokens of a prompt up to the beginning of the answer."""
    return _encode(tokenizer, [_render_prompt(tokenizer, prompt)])[0]


def encode_completion(
    tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message], completion: str
) -> list[int]:
    """Return the tokens of an answer, including the end-of-turn token.

    Args:
        tokenizer: Tokenizer of the model.
        prompt: Messages before the answer.
        completion: Text of the answer.

    Raises:
        ConfigurationError: The chat template does not put the answer after the prompt, or does not close
            it with a special token, so that a model could not learn to stop.
    """
    opening = _render_prompt(tokenizer, prompt)
    answer: Message = {"role": "assistant", "content": completion}
    whole = _render(tokenizer, [*prompt, answer])
    if not whole.startswith(opening):
        raise ConfigurationError(
            [
                f"chat template (tokenizer = {tokenizer.name_or_path}): the answer does not follow the"
                " prompt. Use a template whose generation prompt begins the answer."
            ]
        )
    text = whole[len(opening) :]
    closing = text.rpartition(_cut(tokenizer, answer)["content"])[2]
    end = str(tokenizer.convert_ids_to_tokens(end_of_turn(tokenizer)))
    # Some templates write more after the end of turn, which the model must not generate.
    rest = closing.partition(end)[2]
    return _encode(tokenizer, [text.removesuffix(rest)])[0]


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> list[list[int]]:
    """Return the tokens of texts without a chat template, e.g. of beginnings of answers."""
    marks = _marks(tokenizer, str(tokenizer.chat_template))
    return _encode(tokenizer, [_cut_marks(text, marks) for text in texts])


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that closes an answer in a tokenizer's chat template.

    It may differ from the tokenizer's end-of-sequence token, e.g. for Gemma and Phi.

    Raises:
        ConfigurationError: There is no chat template, or it closes an answer with no special token.
    """
    return _end_of_turn(tokenizer, str(tokenizer.chat_template))


@lru_cache(maxsize=4)
def _end_of_turn(tokenizer: PreTrainedTokenizerBase, template: str) -> int:
    asked: Message = {"role": "user", "content": "-"}
    answered = _render(tokenizer, [asked, {"role": "assistant", "content": "answer"}])
    marks = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    for token in _encode(tokenizer, [answered.rpartition("answer")[2]])[0]:
        if token in marks:
            return token
    raise ConfigurationError(
        [
            f"chat template (tokenizer = {tokenizer.name_or_path}): it closes an answer with no special"
            " token. Use the model's own template, or one that writes eos_token after an answer."
        ]
    )


def _render_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message]) -> str:
    return _render(tokenizer, prompt, add_generation_prompt=True)


def _render(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[Message],
    add_generation_prompt: bool = False,
) -> str:
    cut = [_cut(tokenizer, turn) for turn in turns]
    return render_chat(tokenizer, cut, add_generation_prompt)


@lru_cache(maxsize=4)
def _marks(tokenizer: PreTrainedTokenizerBase, template: str) -> re.Pattern[str]:
    """Return a pattern of the texts of special tokens and of added tokens in the template."""
    marks = {
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        # Line breaks and HTML tags, which are added tokens of some tokenizers, are ordinary text.
        if token.special or (token.content.strip() and token.content in template)
    }
    longest_first = sorted(marks, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def _cut(tokenizer: PreTrainedTokenizerBase, turn: Message) -> Message:
    marks = _marks(tokenizer, str(tokenizer.chat_template))
    content = turn["content"]
    # A turn begins with the instruction of cclearn, which may be a token.
    instruction = marks.match(content)
    return {
        "role": turn["role"],
        "content": _cut_marks(content, marks, instruction.end() if instruction else 0),
    }


def _cut_marks(text: str, marks: re.Pattern[str], start: int = 0) -> str:
    pieces = []
    done = 0
    while mark := marks.search(text, start):
        start = mark.start() + 1
        pieces.append(text[done:start])
        done = start
    return _CUT.join([*pieces, text[done:]])


def _failed(tokenizer: PreTrainedTokenizerBase) -> Callable[[str], ConfigurationError]:
    """Return a function that reports a failing tokenizer. Its own message would quote the text."""
    return lambda location: ConfigurationError(
        [
            f"tokenizer ({tokenizer.name_or_path}): it cannot tokenise ({location}). Its settings are"
            " damaged. Copy the model again."
        ]
    )


def _encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    pieces = [text.split(_CUT) for text in texts]
    with foreign_errors(_failed(tokenizer)):
        ids = tokenizer(list(chain(*pieces)), add_special_tokens=False)["input_ids"]
    encoded = iter(ids)
    return [list(chain(*islice(encoded, len(parts)))) for parts in pieces]
