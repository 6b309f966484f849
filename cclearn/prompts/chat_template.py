"""The layouts of a model's chat template: what it writes around the messages of a chat.

A chat template is a program that came with a model. It may divide by zero, allocate 10 GB, loop
without end, or raise an exception that quotes a note. Two things hold it:

- It never sees a note. It is rendered with a placeholder for the content of each message, and the
  content takes the placeholder's position afterwards. So its work and its errors cannot depend on
  a note, and one rendering serves all chats with the same roles.
- It is rendered in a process of its own, which has a limit of processor time, of memory and of
  output (`cclearn.prompts.render_layouts`). Limits on Jinja's operators alone would not do:
  filters, string methods and macros allocate and loop as well.

Many templates strip the white space around a message. A second rendering, with white space around
each placeholder, tells on which sides, and the content is stripped alike. A template that changes
a message in any other way, or leaves one out, is refused: the model would be asked about another
note.
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
from cclearn.prompts.templates import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SCRIPT = Path(__file__).with_name("render_layouts.py")

_WAIT = 120.0
"""Seconds until the process is ended; it imports transformers, which takes long on a busy machine."""

_EDGE = "\n \n"
"""White space that is put around a placeholder, to see whether the template strips it."""

_LEFT: dict[str, str | None] = {_EDGE: "", " \n": "\n", "": None}
_RIGHT: dict[str, str | None] = {_EDGE: "", "\n ": "\n", "": None}
"""What is left of it before and after a placeholder, and the argument of `strip` that does so."""

_PLACEHOLDER = re.compile("\U0010fc00(\\d+)\U0010fc01")
"""Of a private-use plane: no template holds it by chance."""

Shape = tuple[tuple[str, ...], bool]
"""The roles of a chat, and whether the prompt of an answer follows."""

_COMMON: tuple[Shape, ...] = ((("user",), True), (("user", "assistant"), False))
"""Shapes that every model is asked for; they are rendered together."""


@dataclass(frozen=True, slots=True)
class _Insertion:
    """Where a template writes a message.

    Attributes:
        message: The index of the message.
        left: The characters that are stripped from its beginning, as for `str.lstrip`.
        right: The same of its end.
        after: The text up to the next insertion.
    """

    message: int
    left: str | None
    right: str | None
    after: str


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a template writes for a shape: an opening, and then the messages."""

    opening: str
    insertions: tuple[_Insertion, ...]

    def fill(self, contents: Sequence[str]) -> str:
        """Return the chat with these contents."""
        pieces = [self.opening]
        for each in self.insertions:
            pieces.append(contents[each.message].lstrip(each.left).rstrip(each.right))
            pieces.append(each.after)
        return "".join(pieces)


def render_chat(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[Message],
    add_generation_prompt: bool = False,
) -> str:
    """Return the text that a tokenizer's chat template makes of a chat.

    Args:
        tokenizer: The tokenizer, whose template and special tokens are used.
        turns: The messages, of any content.
        add_generation_prompt: Whether the opening of an answer follows.

    Raises:
        ConfigurationError: There is no template, it fails, exceeds the limits, or does not reproduce a
            message as it is. The error tells the template's line, never its message.
    """
    shape: Shape = (tuple(turn["role"] for turn in turns), add_generation_prompt)
    special = json.dumps(_plain(tokenizer.special_tokens_map), sort_keys=True)
    try:
        layout = _layout(_template_of(tokenizer), special, shape)
    except _Refused as error:
        name = tokenizer.name_or_path
        raise ConfigurationError([f"chat template (tokenizer = {name}): {error}"]) from None
    return layout.fill([turn["content"] for turn in turns])


class _Refused(Exception):
    """What is wrong with a template, and what to do. None of it is the template's own words."""


def _template_of(tokenizer: PreTrainedTokenizerBase) -> str:
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if template is None:
        raise _Refused("it has none. Use the model's instruct variant or set a chat template.")
    if not isinstance(template, str):
        raise _refused(f"it is no text but {type(template).__name__}.")
    return template


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
    """Render shapes in one process. Raises _Refused."""
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
    # An answer is the codes alone: templates that can think aloud are told not to.
    settings = {**json.loads(special), "enable_thinking": False}
    asked = json.dumps({"template": template, "chats": chats, "settings": settings})
    answer = _ask(asked)
    if "error" in answer:
        line = f" in line {answer['line']}" if answer.get("line") else ""
        raise _refused(f"it cannot be rendered: {answer['error']}{line}.")
    texts = answer["layouts"]
    return tuple(
        _read_layout(texts[2 * number], texts[2 * number + 1], len(roles))
        for number, (roles, _) in enumerate(shapes)
    )


def _ask(asked: str) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603 - a script of ours
            [sys.executable, "-P", str(_SCRIPT)],
            input=asked.encode("ascii"),
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
    """Read a layout off two renderings: without and with white space around the placeholders."""
    # Text and numbers of messages take turns.
    parts, around = _PLACEHOLDER.split(plain), _PLACEHOLDER.split(edged)
    order = [int(number) for number in parts[1::2]]
    if set(order) != set(range(messages)):
        raise _refused("it leaves out a message, or changes its text.")
    lefts: list[str | None] = []
    rights: list[str | None] = []
    last = len(order)
    for place, (text, with_edges) in enumerate(zip(parts[::2], around[::2], strict=False)):
        sides = [
            (right, left)
            for kept_right, right in (_RIGHT.items() if place else [("", None)])
            for kept_left, left in (_LEFT.items() if place < last else [("", None)])
            if with_edges == f"{kept_right}{text}{kept_left}"
        ]
        if parts[1::2] != around[1::2] or not sides:
            raise _refused("it changes the text of a message.")
        rights.append(sides[0][0])
        lefts.append(sides[0][1])
    insertions = zip(order, lefts, rights[1:], parts[2::2], strict=False)
    return _Layout(parts[0], tuple(_Insertion(*each) for each in insertions))


def _refused(problem: str) -> _Refused:
    advice = "Use a template that takes a user's and an assistant's turn."
    return _Refused(f"{problem} {advice}")
