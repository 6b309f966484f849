"""The layouts of a model's chat template: the text around the messages of a chat.

A chat template is a program that is distributed with a model. It may divide by zero, allocate 10 GB,
loop forever, or raise an exception that quotes a note. Two measures contain it:

- It never receives a note. It is rendered with a placeholder for the content of each message, and the
  content replaces the placeholder afterwards. Neither its work nor its errors can depend on a note, and
  one rendering is used for all chats with the same roles.
- It is rendered in a separate process, with limits on processor time, memory and output
  (`cclearn.prompts.render_layouts`). Limits on Jinja's operators would not suffice, because filters,
  string methods and macros allocate and loop too.

Many templates strip the white space around a message. A second rendering, with white space around each
placeholder, shows on which sides, and the content is stripped in the same way. A template that changes
a message in any other way, or omits one, is refused, because the model would read another note.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cclearn.errors import ConfigurationError
from cclearn.prompts.pinned_template import pinned_template
from cclearn.prompts.templates import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SCRIPT = Path(__file__).with_name("render_layouts.py")

_WAIT = 120.0
"""Time limit of the process in seconds. It imports transformers, which is slow on a busy machine."""

_EDGE = "\n \n"
"""White space around a placeholder, to detect whether the template strips it."""

_LEFT: dict[str, str | None] = {_EDGE: "", " \n": "\n", "": None}
_RIGHT: dict[str, str | None] = {_EDGE: "", "\n ": "\n", "": None}
"""The rest of the white space before and after a placeholder, and the equivalent argument of `strip`."""

_PLACEHOLDER = re.compile("\U0010fc00(\\d+)\U0010fc01")
"""Placeholder of private-use characters, which no template contains by chance."""

_ADVICE = "Use a template that takes a user's and an assistant's turn."

Shape = tuple[tuple[str, ...], bool]
"""Roles of a chat, and whether the generation prompt follows."""

_COMMON: tuple[Shape, ...] = ((("user",), True), (("user", "assistant"), False))
"""Shapes that every model needs, which are rendered together."""


@dataclass(frozen=True, slots=True)
class _Insertion:
    """The position of a message in a layout.

    Attributes:
        message: Index of the message.
        left: Argument of `str.lstrip` that the template applies to the message.
        right: Argument of `str.rstrip` that the template applies to the message.
        after: Text up to the next insertion.
    """

    message: int
    left: str | None
    right: str | None
    after: str


@dataclass(frozen=True, slots=True)
class _Layout:
    """The text that a template writes for a shape: an opening, and then the messages."""

    opening: str
    insertions: tuple[_Insertion, ...]

    def fill(self, contents: Sequence[str]) -> str:
        """Return the text of a chat with the given contents."""
        pieces = [self.opening]
        for insertion in self.insertions:
            content = contents[insertion.message]
            pieces.append(content.lstrip(insertion.left).rstrip(insertion.right))
            pieces.append(insertion.after)
        return "".join(pieces)


def render_chat(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[Message],
    add_generation_prompt: bool = False,
) -> str:
    """Return the text that a tokenizer's chat template makes of a chat.

    Args:
        tokenizer: Tokenizer with the template and the special tokens.
        turns: Messages of the chat.
        add_generation_prompt: Whether to append the opening of an answer.

    Raises:
        ChatTemplateError: There is no template, or it fails, exceeds the limits, or changes a message.
            The error contains the line in the template, but not the template's own message.
    """
    shape: Shape = (tuple(turn["role"] for turn in turns), add_generation_prompt)
    special = json.dumps(_plain(tokenizer.special_tokens_map), sort_keys=True)
    try:
        layout = _layout(chat_template_of(tokenizer), special, shape)
    except _Refused as error:
        raise ChatTemplateError(tokenizer, str(error)) from None
    return layout.fill([turn["content"] for turn in turns])


class ChatTemplateError(ConfigurationError):
    """A chat template that cannot be used. The message contains no text of the template.

    Args:
        tokenizer: Tokenizer with the template.
        problem: Description of the problem, with a remedy.

    Attributes:
        problem: The description, without the name of the tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, problem: str) -> None:
        super().__init__([f"chat template (tokenizer = {tokenizer.name_or_path}): {problem}"])
        self.problem = problem


def chat_template_of(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the chat template of a tokenizer, or the default one if it has several.

    Raises:
        ChatTemplateError: There is no chat template.
    """
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if template is None:
        raise ChatTemplateError(
            tokenizer,
            "it has none. Set model.chat_template in the recipe, or code with --engine"
            " chat_template=NAME; or use the model's instruct variant.",
        )
    if not isinstance(template, str):
        raise ChatTemplateError(
            tokenizer, f"it is not a text but {type(template).__name__}. {_ADVICE}"
        )
    return template


class _Refused(Exception):
    """A problem of a template with a remedy. It contains no text of the template."""


def _plain(special: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [str(token) for token in value] if isinstance(value, list) else str(value)
        for name, value in special.items()
    }


def _layout(template: str, special: str, shape: Shape) -> _Layout:
    shapes = _COMMON if shape in _COMMON else (shape,)
    return _rendered(template, special, shapes)[shapes.index(shape)]


@lru_cache(maxsize=64)
def _rendered(template: str, special: str, shapes: tuple[Shape, ...]) -> tuple[_Layout, ...]:
    """Return the layouts of shapes, rendered in one process. Raises _Refused."""
    chats = [
        {
            "messages": [
                {"role": role, "content": f"{edge}\U0010fc00{number}\U0010fc01{edge}"}
                for number, role in enumerate(roles)
            ],
            "add_generation_prompt": generation,
        }
        for roles, generation in shapes
        for edge in ("", _EDGE)
    ]
    pinned = pinned_template(template)
    task = json.dumps({"template": pinned, "chats": chats, "settings": json.loads(special)})
    answer = _run_process(task)
    if "error" in answer:
        inserted = pinned.count("\n") - template.count("\n")
        line = f" in line {answer['line'] - inserted}" if answer.get("line") else ""
        raise _refused(f"it cannot be rendered: {answer['error']}{line}.")
    texts = answer["layouts"]
    return tuple(
        _read_layout(texts[2 * number], texts[2 * number + 1], len(roles))
        for number, (roles, _) in enumerate(shapes)
    )


def _run_process(task: str) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603 - a script of this package
            [sys.executable, "-P", str(_SCRIPT)],
            input=task.encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_WAIT,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise _refused("it takes too much time or memory.") from None
    return answer


def _read_layout(plain: str, edged: str, messages: int) -> _Layout:
    """Return the layout of two renderings, without and with white space around the placeholders."""
    # Texts and numbers of messages alternate.
    parts, around = _PLACEHOLDER.split(plain), _PLACEHOLDER.split(edged)
    order = [int(number) for number in parts[1::2]]
    if set(order) != set(range(messages)):
        raise _refused("it leaves out a message, or changes its text.")
    lefts: list[str | None] = []
    rights: list[str | None] = []
    last = len(order)
    for index, (text, with_edges) in enumerate(zip(parts[::2], around[::2], strict=False)):
        sides = [
            (right, left)
            for kept_right, right in (_RIGHT.items() if index else [("", None)])
            for kept_left, left in (_LEFT.items() if index < last else [("", None)])
            if with_edges == f"{kept_right}{text}{kept_left}"
        ]
        if parts[1::2] != around[1::2] or not sides:
            raise _refused("it changes the text of a message.")
        rights.append(sides[0][0])
        lefts.append(sides[0][1])
    insertions = zip(order, lefts, rights[1:], parts[2::2], strict=False)
    return _Layout(parts[0], tuple(_Insertion(*fields) for fields in insertions))


def _refused(problem: str) -> _Refused:
    return _Refused(f"{problem} {_ADVICE}")
