from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from cclearn.errors import ConfigurationError
from cclearn.prompts import document_prompt
from cclearn.prompts.encoding import encode_completion, encode_prompt
from cclearn.training.scratch import make_tokenizer
from tests.models import rows

CHATML = (
    "{% for m in messages %}<|user|>{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer(rows(), 500)


def test_prompt_and_completion_are_the_whole_conversation(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    prompt = document_prompt("Acute heart failure.\nNo stroke.")
    answer = "- Acute heart failure => I50.9"
    tokens = encode_prompt(tokenizer, prompt) + encode_completion(tokenizer, prompt, answer)
    messages = [*prompt, {"role": "assistant", "content": answer}]
    assert tokenizer.decode(tokens) == tokenizer.apply_chat_template(messages, tokenize=False)


def test_a_completion_ends_with_the_end_of_turn(tokenizer: PreTrainedTokenizerFast) -> None:
    prompt = document_prompt("x")
    tokens = encode_completion(tokenizer, prompt, "none")
    assert tokens[-1] == tokenizer.eos_token_id
    assert tokens.count(tokenizer.eos_token_id) == 1
    # Some templates write a line break behind it.
    tokenizer.chat_template = tokenizer.chat_template.replace("<|end|>", "<|end|>\n")
    assert encode_completion(tokenizer, prompt, "none") == tokens


def test_a_template_that_cannot_be_learnt_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    prompt = document_prompt("x")
    template = tokenizer.chat_template
    tokenizer.chat_template = template.replace("<|end|>", "")
    with pytest.raises(ConfigurationError, match="does not end an answer"):
        encode_completion(tokenizer, prompt, "none")
    tokenizer.chat_template = CHATML
    with pytest.raises(ConfigurationError, match="does not follow the prompt"):
        encode_completion(tokenizer, prompt, "none")
    tokenizer.chat_template = None
    with pytest.raises(ConfigurationError, match="it has none"):
        encode_prompt(tokenizer, prompt)


def test_codes_are_spelt_one_token_a_character(tokenizer: PreTrainedTokenizerFast) -> None:
    for code in ("I21.4", "S72.001A", "T36.0X1A", "C7A.8", "U07.1"):
        pieces = tokenizer.tokenize(f" => {code}")
        spelt = [
            piece.lstrip("Ġ") for piece in pieces if piece not in ("Ġ=>", "Ġ", "=>", "=", ">", "Ġ=")
        ]
        assert spelt == list(code)
