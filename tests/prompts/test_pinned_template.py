from __future__ import annotations

import datetime
from importlib.resources import files

import pytest
from transformers import PreTrainedTokenizerFast

from cclearn.prompts.chat_template import render_chat
from cclearn.prompts.encoding import end_of_turn, pin_tokenizer
from cclearn.prompts.pinned_template import pinned_template
from cclearn.prompts.templates import Message
from cclearn.training.scratch import make_tokenizer
from tests.models import rows

TURNS: list[Message] = [{"role": "user", "content": "Acute heart failure."}]
FORMS = [
    *("%d %b %Y", "%Y-%m-%d", "%A, %B %d, %Y", "%a %h %e", "%H:%M:%S", "%I:%M %p", "%j %y"),
    *("%F %T", "%D %R", "%-d/%-m/%Y %-H %-I"),
]
DATE = datetime.datetime(2024, 7, 26)


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    made = make_tokenizer(rows(), 500)
    made.add_tokens(["<|im_end|>", "<|eot_id|>", "<end_of_turn>"], special_tokens=True)
    return made


def family(name: str) -> str:
    return files("trl").joinpath("chat_templates", f"{name}.jinja").read_text(encoding="utf-8")


def served(tokenizer: PreTrainedTokenizerFast, **arguments: object) -> str:
    """Return what a server renders, which uses transformers and its own arguments."""
    rendered = tokenizer.apply_chat_template(
        TURNS, tokenize=False, add_generation_prompt=True, **arguments
    )
    assert isinstance(rendered, str)
    return rendered


def test_a_template_that_reads_neither_variable_is_unchanged() -> None:
    for name in ("llama3", "gemma3", "phi3", "qwen2_5"):
        assert pinned_template(family(name)) == family(name)


@pytest.mark.parametrize("name", ["qwen3", "llama3_2", "gptoss"])
def test_a_pinned_template_is_pinned_once(name: str) -> None:
    pinned = pinned_template(family(name))
    assert pinned.endswith(family(name))
    assert pinned.count("\n") == family(name).count("\n") + 1
    assert pinned_template(pinned) == pinned


def test_a_server_renders_a_pinned_template_without_reasoning(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    tokenizer.chat_template = family("qwen3")
    ours = render_chat(tokenizer, TURNS, add_generation_prompt=True)
    assert ours == served(tokenizer, enable_thinking=False)
    assert ours != served(tokenizer)
    pin_tokenizer(tokenizer)
    for arguments in ({}, {"enable_thinking": True}, {"enable_thinking": False}):
        assert served(tokenizer, **arguments) == ours
    assert render_chat(tokenizer, TURNS, add_generation_prompt=True) == ours


def test_the_date_in_a_prompt_is_the_same_every_day(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = family("llama3_2")
    ours = render_chat(tokenizer, TURNS, add_generation_prompt=True)
    assert "Today Date: 26 Jul 2024\n" in ours
    assert "26 Jul 2024" not in served(tokenizer)
    pin_tokenizer(tokenizer)
    assert served(tokenizer) == ours == served(tokenizer, date_string="26 Jul 2024")


def test_the_fixed_clock_writes_what_strftime_does(tokenizer: PreTrainedTokenizerFast) -> None:
    # It is read inside a macro, and only if it is defined.
    tokenizer.chat_template = (
        "{% macro today(form) %}{% if strftime_now is defined %}{{ strftime_now(form) }}{% endif %}"
        "{% endmacro %}{% for form in FORMS %}{{ today(form) }}\n{% endfor %}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    ).replace("FORMS", str(FORMS))
    found = render_chat(tokenizer, TURNS).splitlines()[: len(FORMS)]
    assert found == [DATE.strftime(form) for form in FORMS]


@pytest.mark.parametrize(
    "start", ["\n", "  ", "\n{% if true %} {% endif %}", "  {% if true %}{% endif %}"]
)
def test_the_beginning_of_a_template_is_kept(
    tokenizer: PreTrainedTokenizerFast, start: str
) -> None:
    template = (
        start + "{% if enable_thinking is not false %}x{% endif %}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    tokenizer.chat_template = template
    expected = served(tokenizer, enable_thinking=False)
    tokenizer.chat_template = pinned_template(template)
    assert served(tokenizer) == expected


def test_a_pinned_tokenizer_ends_at_the_end_of_turn(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = family("gemma3")
    tokenizer.add_special_tokens({"bos_token": "<|assistant|>"})
    end, former = end_of_turn(tokenizer), tokenizer.eos_token_id
    assert end != former
    tokenizer.pad_token = None
    pin_tokenizer(tokenizer)
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (end, former)
    assert end_of_turn(tokenizer) == end
    before = tokenizer.chat_template
    pin_tokenizer(tokenizer)
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (end, former)
    assert tokenizer.chat_template == before
