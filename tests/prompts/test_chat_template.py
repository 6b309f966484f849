from __future__ import annotations

import time

import pytest
from transformers import PreTrainedTokenizerFast

from cclearn.errors import ConfigurationError
from cclearn.prompts.chat_template import render_chat
from cclearn.prompts.templates import Message
from cclearn.training.scratch import make_tokenizer
from tests.models import rows

NOTE = " \n Admitted with heart failure.\n\n"
TURNS: list[Message] = [
    {"role": "user", "content": NOTE},
    {"role": "assistant", "content": "none"},
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer(rows(), 500)


LOOP = "{% for m in messages %}<|user|>CONTENT<|end|>\n{% endfor %}"


@pytest.mark.parametrize(
    "content",
    [
        "{{ m.content }}",
        "{{ m.content | trim }}",
        pytest.param("{{ m['content'].strip() + '\\n' }}", marks=pytest.mark.slow),
        pytest.param("{{ m.content.rstrip() }}", marks=pytest.mark.slow),
        "{{ m.content.lstrip('\\n') }}",
        pytest.param("{{ m.content.strip('\\n') }}", marks=pytest.mark.slow),
        "{{ m.content }} and again {{ m.content | trim }}",
        "{% if loop.first %}{{ m.content }}{% else %}{{ m.content.split('</think>')[-1] }}{% endif %}",
        pytest.param(
            "{% if m.content is string %}{{ m.content }}{% endif %}", marks=pytest.mark.slow
        ),
        "{% generation %}{{ m.content }}{% endgeneration %}",
        pytest.param("{{ bos_token }}{{ eos_token }}{{ m.content }}", marks=pytest.mark.slow),
    ],
)
def test_a_chat_is_rendered_as_by_transformers(
    tokenizer: PreTrainedTokenizerFast, content: str
) -> None:
    tokenizer.chat_template = LOOP.replace("CONTENT", content)
    for note in (NOTE, "x", "a\n\nb", "\n", "\n</think>", "{{ 1/0 }}"):
        turns: list[Message] = [{"role": "user", "content": note}, TURNS[1]]
        if "split" not in content or "think" not in note:
            expected = tokenizer.apply_chat_template(turns, tokenize=False)
            assert render_chat(tokenizer, turns) == expected


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("\n{{ 1/0 }}", r"it cannot be rendered: ZeroDivisionError in line 2\."),
        ("{{ 'a' * 10**10 }}", r"it cannot be rendered: MemoryError in line 1\."),
        ("{{ 7 ** (7 ** (7 ** 7)) }}", "too much time or memory"),
        pytest.param(
            "{% for a in range(10**5) %}{% for b in range(10**5) %}{% set c = a %}"
            "{% endfor %}{% endfor %}",
            "too much time or memory",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "RecursionError",
            marks=pytest.mark.slow,
        ),
        ("{% set x = 'a' * 10**6 %}{{ x }}{{ x }}", "OutputTooLong"),
        ("{{ raise_exception(messages[0].content) }}", r"TemplateError in line 1\."),
        ("{{ messages[0].content.failure }}{{ 'secret' + 1 }}", "TypeError"),
        pytest.param("{% secret %}", r"TemplateSyntaxError in line 1\.", marks=pytest.mark.slow),
        pytest.param("secret", "leaves out a message", marks=pytest.mark.slow),
        ("{{ messages[0].content }}", "leaves out a message"),
        (LOOP.replace("CONTENT", "{{ m.content | replace('\\n', '') }}"), "changes the text"),
        pytest.param(
            LOOP.replace("CONTENT", "{{ m.content | reverse }}"),
            "leaves out a message",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_hostile_template_is_refused_soon_and_not_quoted(
    tokenizer: PreTrainedTokenizerFast, template: str, problem: str
) -> None:
    tokenizer.chat_template = template
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match=problem) as error:
        render_chat(tokenizer, TURNS)
    assert time.monotonic() - began < 60
    assert "failure" not in str(error.value)
    assert "secret" not in str(error.value)
