"""A small model made on the spot: random weights and a tokenizer trained on the rows."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from cclearn.prompts import Template
from cclearn.prompts.templates import instruction
from cclearn.rows import TrainingRow
from cclearn.training.recipe import Scratch

PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"

_CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}<|end|>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

# Digits and the letters of codes stand alone, so that a code is spelt one token a character and its
# parts (category, subcategory) are shared with its relatives.
_CODE_CHARACTERS = Regex(r"[0-9]| ?[A-Z](?=[0-9])|(?<=[0-9.X])[A-Z]")


def make_tokenizer(
    rows: Sequence[TrainingRow],
    vocabulary: int,
    system: str = "icd10cm",
    template: Template = "paired",
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on the rows.

    The instructions of the prompts are tokens of their own: a model this small need not read them
    word by word in every row.

    Args:
        rows: What the tokenizer shall spell well.
        vocabulary: How many tokens it shall have.
        system: The name of the code system, which the instructions say.
        template: The layout of the answers, which the instructions ask for.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_CODE_CHARACTERS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    instructions = [
        instruction("span", system, template),
        instruction("document", system, template),
    ]
    special = [PAD, END, USER, ASSISTANT, *instructions]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text for row in rows for text in (row.prompt[-1]["content"], row.completion)]
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=_CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def make_model(
    settings: Scratch, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Qwen3ForCausalLM:
    """Make a Qwen3-architecture model with random weights; seed torch before.

    Its normalised queries and keys let a model that starts from nothing learn at a high rate.

    Args:
        settings: Its shape.
        tokenizer: Gives the vocabulary and the special tokens.
        max_length: The context in tokens; the model is told it may read four times as much.
    """
    return Qwen3ForCausalLM(make_config(settings, tokenizer, max_length))


def make_config(
    settings: Scratch, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Qwen3Config:
    """Return the configuration of such a model."""
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        intermediate_size=settings.intermediate_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        head_dim=settings.hidden_size // settings.heads,
        max_position_embeddings=4 * max_length,
        initializer_range=settings.initializer_range,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
