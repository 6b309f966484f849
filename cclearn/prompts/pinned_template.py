"""Chat templates that write the same text every day and in every program.

A template may read variables that its programs set differently. Two of them change a prompt:

- `enable_thinking`: the templates of Qwen3 and others ask a model to reason before it answers, unless a
  program sets it to false. An answer of cclearn consists of codes only.
- `strftime_now`: the templates of Llama 3.2 and others write today's date, so that a model would read
  another prompt each day.

Both are set at the beginning of the template, which a server therefore renders as cclearn does.
"""

from __future__ import annotations

_CLOCK = {
    **{"%Y": "2024", "%y": "24", "%m": "07", "%-m": "7", "%d": "26", "%-d": "26", "%e": "26"},
    **{"%B": "July", "%b": "Jul", "%h": "Jul", "%A": "Friday", "%a": "Fri", "%j": "208"},
    **{"%H": "00", "%-H": "0", "%I": "12", "%-I": "12", "%M": "00", "%S": "00", "%p": "AM"},
    **{"%F": "2024-07-26", "%T": "00:00:00", "%D": "07/26/24", "%R": "00:00"},
}
"""Texts of the formats of `strftime` on 26 July 2024 at midnight. It is the date that the templates of
Llama 3 write in programs without a clock."""

_FIXED_DATE = (
    "{% macro strftime_now(format) %}{{ format"
    + "".join(f"|replace('{code}', '{text}')" for code, text in _CLOCK.items())
    + " }}{% endmacro %}"
)

_PINS = {
    "enable_thinking": "{% set enable_thinking = false %}",
    "strftime_now": _FIXED_DATE,
}


def pinned_template(template: str) -> str:
    """Return a template that renders as with `enable_thinking=False` on 26 July 2024.

    A line is inserted before the template if it reads one of the two variables. Otherwise, and if the
    line is there already, the template is returned unchanged.

    Args:
        template: Jinja template of a chat.
    """
    pins = "".join(pin for variable, pin in _PINS.items() if variable in template)
    # The programs that render templates remove the line break after a block (`trim_blocks`).
    return template if not pins or template.startswith(pins) else f"{pins}\n{template}"
