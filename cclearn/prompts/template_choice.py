"""The chat template that a user chooses for a model, most of all for a base model, which has none."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.errors import ConfigurationError, did_you_mean
from cclearn.prompts.chat_template import ChatTemplateError
from cclearn.prompts.encoding import end_of_turn
from cclearn.runtime.files import read_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BUILT_IN = {
    "chatml": ("<|im_start|>", "<|im_end|>"),
    "gemma": ("<start_of_turn>", "<end_of_turn>"),
    "llama3": ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
}
"""The built-in templates by their names, each with the special tokens that it writes.

The base models of a family have the tokens of its chat models: those of Qwen2.5 and Qwen3 have the
tokens of `chatml`, those of Gemma 2 and 3 the tokens of `gemma`, and those of Llama 3 the tokens of
`llama3`.
"""


def read_chat_template(choice: str, setting: str) -> str:
    """Return the text of a chat template.

    Args:
        choice: Name of a built-in template (`BUILT_IN`), or path of a file with a Jinja template.
        setting: Name of the setting, for messages.

    Raises:
        ConfigurationError: There is neither a built-in template nor a file of that name.
        DataError: The file is not UTF-8.
    """
    if choice in BUILT_IN:
        return _built_in(choice)
    if not Path(choice).is_file():
        raise ConfigurationError(
            [
                f"{setting} ({choice}): there is no such file.{did_you_mean(choice, BUILT_IN)} Name a"
                f" file with a Jinja template, or one of {_names()}."
            ]
        )
    return read_text(Path(choice))


def set_chat_template(tokenizer: PreTrainedTokenizerBase, choice: str, setting: str) -> None:
    """Set the chat template of a tokenizer, and check that the tokenizer can be used with it.

    Args:
        tokenizer: Tokenizer, whose own template is replaced if it has one.
        choice: Name of a built-in template (`BUILT_IN`), or path of a file with a Jinja template.
        setting: Name of the setting, for messages.

    Raises:
        ConfigurationError: There is no such template, the tokenizer does not have the special tokens of
            a built-in template, or the template cannot be rendered.
        DataError: The file is not UTF-8.
    """
    template = read_chat_template(choice, setting)
    missing = [mark for mark in BUILT_IN.get(choice, ()) if not _is_one_token(tokenizer, mark)]
    if missing:
        raise ConfigurationError(
            [
                f"{setting} ({choice}): the tokenizer has no single token for {', '.join(missing)}. Name"
                f" another of {_names()}, or a file with a template for this model."
            ]
        )
    tokenizer.chat_template = template
    try:
        end_of_turn(tokenizer)
    except ChatTemplateError as error:
        raise ConfigurationError([f"{setting} ({choice}): {error.problem}"]) from None


def absolute_choice(choice: str) -> str:
    """Return a choice that means the same in a process with another working directory."""
    is_file = choice not in BUILT_IN and Path(choice).is_file()
    return str(Path(choice).resolve()) if is_file else choice


@cache
def _built_in(name: str) -> str:
    file = files("cclearn.prompts").joinpath("chat_templates", f"{name}.jinja")
    return file.read_text(encoding="utf-8")


def _is_one_token(tokenizer: PreTrainedTokenizerBase, mark: str) -> bool:
    return len(tokenizer.encode(mark, add_special_tokens=False)) == 1


def _names() -> str:
    *others, last = BUILT_IN
    return f"{', '.join(others)} and {last}"
