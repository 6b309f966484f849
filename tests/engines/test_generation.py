from __future__ import annotations

import pytest
from transformers import GenerationConfig

from cclearn.engines import Answer, Request
from cclearn.engines.local import LocalEngine
from cclearn.prompts import document_prompt
from tests.models import random_engine


def answers(engine: LocalEngine) -> list[Answer]:
    texts = ("Asthma, asthma.", "Chest pain.")
    return list(
        engine.generate(
            Request(text, document_prompt(text), "start: /[a-e]{30}/") for text in texts
        )
    )


@pytest.mark.filterwarnings(
    "ignore::FutureWarning"
)  # peft asks transformers in a way that will go.
@pytest.mark.parametrize("adapted", [False, True])
def test_settings_of_chats_do_not_apply(adapted: bool) -> None:
    engine = random_engine(seed=2, max_new_tokens=40)
    inner = engine.model
    if adapted:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(r=2, target_modules=["q_proj"])
        model = get_peft_model(inner, config).eval()
        engine = LocalEngine(model, engine.tokenizer, max_new_tokens=40)
    before = answers(engine)
    for name, value in {
        "repetition_penalty": 5.0,
        "no_repeat_ngram_size": 2,
        "suppress_tokens": [engine.tokenizer.convert_tokens_to_ids(letter) for letter in "ab"],
        "min_new_tokens": 39,
        "eos_token_id": [engine.tokenizer.convert_tokens_to_ids(letter) for letter in "cde"],
        "num_beams": 2,
    }.items():
        chats = GenerationConfig(**{name: value})
        inner.generation_config = chats
        assert answers(engine) == before
        assert inner.generation_config is chats
