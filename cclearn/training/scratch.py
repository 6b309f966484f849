"""A small model with random weights, and a tokenizer that is trained on the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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

# Digits and the letters of codes are tokens of their own. A code is therefore spelt with one token per
# character, and related codes share the tokens of their category and subcategory.
_CODE_CHARACTERS = Regex(r"[0-9]| ?[A-Z](?=[0-9])|(?<=[0-9.X])[A-Z]")


def make_tokenizer(
    rows: Sequence[TrainingRow],
    vocabulary: int,
    system: str = "icd10cm",
    template: Template = "paired",
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on the rows.

    Each instruction of the prompts is a single token, so that a small model need not read it word by
    word in every row.

    Args:
        rows: Rows that the tokenizer is trained on.
        vocabulary: Number of tokens.
        system: Name of the code system, which the instructions contain.
        template: Layout of the answers, which the instructions describe.
    """
    instructions = [
        instruction("span", system, template),
        instruction("document", system, template),
    ]
    texts = [text for row in rows for text in (row.prompt[-1]["content"], row.completion)]
    tokenizer = train_tokenizer(texts, vocabulary, [PAD, END, USER, ASSISTANT, *instructions])
    tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer


def train_tokenizer(
    texts: Iterable[str], vocabulary: int, special: Sequence[str]
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on texts.

    Args:
        texts: Texts that the tokenizer is trained on.
        vocabulary: Number of tokens.
        special: Special tokens, `PAD` and `END` among them.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_CODE_CHARACTERS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        clean_up_tokenization_spaces=False,
    )


def make_model(
    settings: Scratch, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Qwen3ForCausalLM:
    """Return a Qwen3 model with random weights. The caller seeds torch.

    The normalised queries and keys of Qwen3 allow a high learning rate.

    Args:
        settings: Shape of the model.
        tokenizer: Tokenizer, which determines the vocabulary and the special tokens.
        max_length: Length of the training rows in tokens. The model's context is four times as long.
    """
    return Qwen3ForCausalLM(make_config(settings, tokenizer, max_length))


def make_config(
    settings: Scratch, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Qwen3Config:
    """Return the configuration of a Qwen3 model.

    Args:
        settings: Shape of the model.
        tokenizer: Tokenizer, which determines the vocabulary and the special tokens.
        max_length: Length of the training rows in tokens. The model's context is four times as long.
    """
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
