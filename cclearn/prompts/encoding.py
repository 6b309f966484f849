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
from cclearn.prompts.chat_template import ChatTemplateError, chat_template_of, render_chat
from cclearn.prompts.pinned_template import pinned_template
from cclearn.prompts.templates import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CUT = f"\ue000{secrets.token_hex(16)}\ue000"
"""Marker of the cuts while a template is rendered. It is random, so that no note contains it."""


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
        ChatTemplateError: The chat template does not put the answer after the prompt, or does not close
            it with a special token, so that a model could not learn to stop.
    """
    rendered_prompt = _render_prompt(tokenizer, prompt)
    answer: Message = {"role": "assistant", "content": completion}
    chat = _render(tokenizer, [*prompt, answer])
    if not chat.startswith(rendered_prompt):
        raise ChatTemplateError(
            tokenizer,
            "the answer does not follow the prompt. Use a template whose generation prompt begins the"
            " answer.",
        )
    text = chat[len(rendered_prompt) :]
    after_answer = text.rpartition(_cut(tokenizer, answer)["content"])[2]
    end = str(tokenizer.convert_ids_to_tokens(end_of_turn(tokenizer)))
    # Some templates write more after the end-of-turn token, which the model must not generate.
    after_end = after_answer.partition(end)[2]
    return _encode(tokenizer, [text.removesuffix(after_end)])[0]


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> list[list[int]]:
    """Return the tokens of texts without a chat template, e.g. of beginnings of answers."""
    special_texts = _special_texts(tokenizer, str(tokenizer.chat_template))
    return _encode(tokenizer, [_cut_special_texts(text, special_texts) for text in texts])


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that closes an answer in a tokenizer's chat template.

    It may differ from the tokenizer's end-of-sequence token, e.g. for Gemma and Phi.

    Raises:
        ChatTemplateError: There is no chat template, or it closes an answer with no special token.
    """
    return _end_of_turn(tokenizer, str(tokenizer.chat_template))


@lru_cache(maxsize=4)
def _end_of_turn(tokenizer: PreTrainedTokenizerBase, template: str) -> int:
    question: Message = {"role": "user", "content": "-"}
    chat = _render(tokenizer, [question, {"role": "assistant", "content": "answer"}])
    special_tokens = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    for token in _encode(tokenizer, [chat.rpartition("answer")[2]])[0]:
        if token in special_tokens:
            return token
    raise ChatTemplateError(
        tokenizer,
        "it closes an answer with no special token. Use the model's own template, or one that writes"
        " eos_token after an answer.",
    )


def pin_tokenizer(tokenizer: PreTrainedTokenizerBase) -> None:
    """Change a tokenizer so that other programs write and end the turns of a chat as cclearn does.

    Its chat template is pinned (`cclearn.prompts.pinned_template`), and its end-of-sequence token
    becomes the end-of-turn token, at which servers end an answer. The former end-of-sequence token
    becomes the padding token if there is none, so that padding differs from the end of a turn.

    Raises:
        ChatTemplateError: There is no chat template, or it closes an answer with no special token.
    """
    end = str(tokenizer.convert_ids_to_tokens(end_of_turn(tokenizer)))
    tokenizer.chat_template = pinned_template(chat_template_of(tokenizer))
    if tokenizer.eos_token != end:
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        tokenizer.eos_token = end


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
def _special_texts(tokenizer: PreTrainedTokenizerBase, template: str) -> re.Pattern[str]:
    """Return a pattern that matches the texts of special tokens, and of added tokens in the template."""
    texts = {
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        # Line breaks and HTML tags, which are added tokens of some tokenizers, are ordinary text.
        if token.special or (token.content.strip() and token.content in template)
    }
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def _cut(tokenizer: PreTrainedTokenizerBase, turn: Message) -> Message:
    """Return a message with the marker inside the texts of special tokens in its content."""
    special_texts = _special_texts(tokenizer, str(tokenizer.chat_template))
    content = turn["content"]
    # A turn begins with an instruction of cclearn, which may be the text of an added token.
    instruction = special_texts.match(content)
    start = instruction.end() if instruction else 0
    return {
        "role": turn["role"],
        "content": _cut_special_texts(content, special_texts, start),
    }


def _cut_special_texts(text: str, special_texts: re.Pattern[str], start: int = 0) -> str:
    """Return a text with the marker after the first character of each special text.

    Args:
        text: Text to cut.
        special_texts: Pattern of the texts of special tokens.
        start: Offset before which nothing is cut.
    """
    pieces = []
    done = 0
    while match := special_texts.search(text, start):
        start = match.start() + 1
        pieces.append(text[done:start])
        done = start
    return _CUT.join([*pieces, text[done:]])


def _tokenizer_error(tokenizer: PreTrainedTokenizerBase) -> Callable[[str], ConfigurationError]:
    """Return a function from the location of an error in a tokenizer to the error to raise instead.

    The message of the original error would quote the text.
    """
    return lambda location: ConfigurationError(
        [
            f"tokenizer ({tokenizer.name_or_path}): it cannot tokenise ({location}). Its settings are"
            " damaged. Copy the model again."
        ]
    )


def _encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Return the tokens of each text. The parts between the cuts of a text are encoded separately."""
    pieces = [text.split(_CUT) for text in texts]
    with foreign_errors(_tokenizer_error(tokenizer)):
        ids = tokenizer(list(chain(*pieces)), add_special_tokens=False)["input_ids"]
    encoded = iter(ids)
    return [list(chain(*islice(encoded, len(parts)))) for parts in pieces]
