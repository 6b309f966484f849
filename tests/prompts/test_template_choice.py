from __future__ import annotations

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from cclearn.errors import ConfigurationError
from cclearn.prompts import document_prompt
from cclearn.prompts.encoding import encode_completion, encode_prompt
from cclearn.prompts.template_choice import (
    BUILT_IN,
    absolute_choice,
    read_chat_template,
    set_chat_template,
)
from cclearn.training.scratch import make_tokenizer
from tests.models import rows

NOTE = "Acute heart failure."
EXPECTED = {
    "chatml": "<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\n{1}<|im_end|>",
    "gemma": "<|pad|><start_of_turn>user\n{0}<end_of_turn>\n<start_of_turn>model\n{1}<end_of_turn>",
    "llama3": (
        "<|pad|><|start_header_id|>user<|end_header_id|>\n\n{0}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n{1}<|eot_id|>"
    ),
}


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer without a chat template, as that of a base model."""
    made = make_tokenizer(rows(), 500)
    made.chat_template = None
    return made


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_template_is_set(tokenizer: PreTrainedTokenizerFast, name: str) -> None:
    tokenizer.add_special_tokens({"bos_token": "<|pad|>"})
    tokenizer.add_tokens(list(BUILT_IN[name]), special_tokens=True)
    set_chat_template(tokenizer, name, "model.chat_template")
    prompt = document_prompt(NOTE)
    tokens = encode_prompt(tokenizer, prompt) + encode_completion(tokenizer, prompt, "none")
    expected = EXPECTED[name].format(prompt[-1]["content"], "none")
    assert tokenizer.decode(tokens) == expected
    assert tokenizer.decode(tokens[-1:]) == BUILT_IN[name][-1]


def test_a_built_in_template_needs_its_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.add_tokens(["<start_of_turn>"], special_tokens=True)
    with pytest.raises(ConfigurationError) as caught:
        set_chat_template(tokenizer, "gemma", "model.chat_template")
    assert str(caught.value) == (
        "model.chat_template (gemma): the tokenizer has no single token for <end_of_turn>. Name"
        " another of chatml, gemma and llama3, or a file with a template for this model."
    )
    assert tokenizer.chat_template is None


def test_a_file_is_set(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    file = tmp_path / "mine.jinja"
    file.write_text(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    set_chat_template(tokenizer, str(file), "model.chat_template")
    assert tokenizer.chat_template == read_chat_template(str(file), "x") == file.read_text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{% for m in messages %}\n{% secret %}", "rendered: TemplateSyntaxError in line 2"),
        ("\n\n{{ 'secret' + 1 }}", "rendered: TypeError in line 3"),
        ("secret", "leaves out a message"),
        (
            "{% for m in messages %}<|user|>{{ m.content }}{% endfor %}",
            "closes an answer with no special token",
        ),
    ],
)
def test_an_error_names_the_setting_and_the_line(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "mine.jinja"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        set_chat_template(tokenizer, str(file), "model.chat_template")
    (line,) = caught.value.lines
    assert line.startswith(f"model.chat_template ({file}): it ")
    assert "secret" not in line


def test_a_missing_template_is_named(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    for choice, hint in (("gema", " Did you mean 'gemma'?"), (str(tmp_path), "")):
        with pytest.raises(ConfigurationError) as caught:
            set_chat_template(tokenizer, choice, "engine.chat_template")
        assert str(caught.value) == (
            f"engine.chat_template ({choice}): there is no such file.{hint} Name a file with a Jinja"
            " template, or one of chatml, gemma and llama3."
        )


def test_only_files_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gemma").write_text("")
    (tmp_path / "mine.jinja").write_text("")
    assert absolute_choice("gemma") == "gemma"
    assert absolute_choice("gone.jinja") == "gone.jinja"
    assert absolute_choice("mine.jinja") == str(tmp_path / "mine.jinja")
