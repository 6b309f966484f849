"""Removal of the tokens that a run does not need from a tokenizer and its model.

The embeddings are most of a small model with a large vocabulary: 168 of the 268 million weights of Gemma
3 270M. Byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909) builds a token from characters by
merges. If a token is kept with all tokens that it is built from, every text that consists of kept tokens
is encoded as before: the merges that apply are the same, in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.prompts.encoding import encode_completion, encode_prompt, encode_texts
from cclearn.rows import TrainingRow

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_FIRST_OPTIONAL = "\u3000"
"""First character that is not kept for its own sake if the tokenizer can encode it as bytes. Most later
ones are those of Chinese, Japanese and Korean."""

_SETTING = "model.trim_vocabulary"


def needed_tokens(
    tokenizer: PreTrainedTokenizerBase, rows: Iterable[TrainingRow], system: CodeSystem
) -> list[int]:
    """Return the tokens of training rows and of the codes and descriptions of their code system.

    Args:
        tokenizer: Tokenizer with a chat template.
        rows: Training rows.
        system: Code system.

    Returns:
        Tokens in ascending order.
    """
    used: set[int] = set()
    for row in rows:
        used.update(encode_prompt(tokenizer, row.prompt))
        used.update(encode_completion(tokenizer, row.prompt, row.completion))
    texts = [text for code in system.rows() for text in (code.code, code.description)]
    # A word at the beginning of a text may have another token than the same word after a space.
    for tokens in encode_texts(tokenizer, [*texts, *(f" {text}" for text in texts)]):
        used.update(tokens)
    return sorted(used)


def trim_tokenizer(
    tokenizer: PreTrainedTokenizerBase, used: Iterable[int]
) -> PreTrainedTokenizerBase:
    """Return a tokenizer with fewer tokens, which encodes any text.

    It has the tokens in use, the tokens that they are built from by merges, the tokens that the
    tokenizer itself names (e.g. its end-of-sequence token), and single bytes and characters. Characters
    from U+3000 on that are not in use are encoded as bytes, if the tokenizer can do so. The order of the
    tokens is preserved.

    Args:
        tokenizer: Tokenizer of a model, which uses byte-pair encoding.
        used: Tokens of all texts that must be encoded as before.

    Raises:
        ConfigurationError: The tokenizer does not use byte-pair encoding.
    """
    from transformers import AutoTokenizer

    with TemporaryDirectory(prefix="cclearn-vocabulary-") as folder:
        tokenizer.save_pretrained(folder)
        file = Path(folder) / "tokenizer.json"
        state = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"model": {}}
        _refuse_other_methods(tokenizer, state["model"])
        tokens = _tokens(state)
        names = {tokens[number] for number in used if number in tokens}
        names |= {
            token for token in map(str, tokenizer.all_special_tokens) if token in tokens.values()
        }
        _trim(state, tokens, names)
        file.write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        trimmed: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False
        )
    if trimmed.get_vocab() != {name: number for number, name in _tokens(state).items()}:
        raise _unusable(tokenizer, "its class does not read the vocabulary from tokenizer.json")
    trimmed.name_or_path = tokenizer.name_or_path
    return trimmed


def trim_embeddings(
    model: PreTrainedModel, whole: Mapping[str, int], trimmed: Mapping[str, int]
) -> None:
    """Remove the rows of the removed tokens from the embeddings and the output layer of a model.

    Args:
        model: Model that was made for the whole vocabulary. It is changed.
        whole: Whole vocabulary: the number of each token.
        trimmed: Vocabulary of the trimmed tokenizer. The order of its tokens is that of `whole`.

    Raises:
        ConfigurationError: Another layer of the model depends on the vocabulary.
    """
    import torch

    read, written = model.get_input_embeddings(), model.get_output_embeddings()
    rows = read.weight.shape[0]
    # A special token that the model neither reads nor generates has a number beyond the embeddings.
    kept = [whole[token] for token in sorted(trimmed, key=trimmed.__getitem__)]
    kept = [number for number in kept if number < rows]
    weights = {id(weight): weight for layer in (read, written) for weight in layer.parameters()}
    others = {
        name: weight.shape for name, weight in model.named_parameters() if id(weight) not in weights
    }
    for name, shape in others.items():
        if rows in shape:
            raise _another_layer(name)
    padding = getattr(read, "padding_idx", None)
    index = torch.tensor(kept)
    with torch.no_grad():
        for weight in weights.values():
            weight[: len(kept)] = weight[index.to(weight.device)]
    model.resize_token_embeddings(len(kept), mean_resizing=False)
    for name, weight in model.named_parameters():
        if weight.shape != others.get(name, weight.shape):  # As in Gemma 3n.
            raise _another_layer(name)
    if padding is not None:
        read.padding_idx = kept.index(padding) if padding in kept else None


def _another_layer(name: str) -> ConfigurationError:
    return ConfigurationError(
        [f"{_SETTING} (true): {name} depends on the vocabulary too. Set {_SETTING}=false."]
    )


def _refuse_other_methods(tokenizer: PreTrainedTokenizerBase, model: Mapping[str, Any]) -> None:
    if model.get("type") != "BPE":
        raise _unusable(tokenizer, "it does not use byte-pair encoding")
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise _unusable(tokenizer, "its tokens have a prefix or a suffix that is not in the text")


def _unusable(tokenizer: PreTrainedTokenizerBase, reason: str) -> ConfigurationError:
    return ConfigurationError(
        [
            f"{_SETTING} (true): the tokenizer of {tokenizer.name_or_path} cannot be trimmed: {reason}."
            f" Set {_SETTING}=false."
        ]
    )


def _tokens(state: Mapping[str, Any]) -> dict[int, str]:
    """Return the tokens of a tokenizer by their numbers."""
    tokens = {number: token for token, number in state["model"]["vocab"].items()}
    tokens |= {added["id"]: added["content"] for added in state["added_tokens"]}
    return tokens


def _trim(state: dict[str, Any], tokens: Mapping[int, str], names: set[str]) -> None:
    """Remove tokens from the state of a tokenizer, and number the others anew.

    Args:
        state: Content of `tokenizer.json`, which is changed.
        tokens: Tokens of the tokenizer by their numbers.
        names: Tokens to keep. Single characters, and the tokens that these are built from, are added.
    """
    model = state["model"]
    ranks = {(left, right): rank for rank, (left, right) in enumerate(model["merges"])}
    names = names | {
        token
        for token in model["vocab"]
        if (len(token) == 1 and (token < _FIRST_OPTIONAL or not model["byte_fallback"]))
        or _is_byte(token)
    }
    if model.get("unk_token") is not None:
        names.add(model["unk_token"])
    names |= set(_added_by(state.get("post_processor")))
    parts = {part for token in names for part in _built_from(token, ranks)}
    names |= parts & model["vocab"].keys()
    numbers = {
        token: number
        for number, token in enumerate(
            tokens[old] for old in sorted(tokens) if tokens[old] in names
        )
    }
    model["vocab"] = {token: numbers[token] for token in model["vocab"] if token in numbers}
    model["merges"] = [
        [left, right]
        for left, right in model["merges"]
        if left in numbers and right in numbers and left + right in numbers
    ]
    state["added_tokens"] = [
        {**added, "id": numbers[added["content"]]}
        for added in state["added_tokens"]
        if added["content"] in numbers
    ]
    _renumber(state.get("post_processor"), numbers)


def _is_byte(token: str) -> bool:
    """Return whether a token is one byte of a character that has no token, e.g. `<0x0A>`."""
    return len(token) == 6 and token.startswith("<0x") and token.endswith(">")


def _built_from(token: str, ranks: Mapping[tuple[str, str], int]) -> list[str]:
    """Return the characters and the tokens that a token is built from, in the order of the merges."""
    parts = list(token)
    built = list(parts)
    while len(parts) > 1:
        pairs = [ranks.get(pair, len(ranks)) for pair in pairwise(parts)]
        first = min(range(len(pairs)), key=pairs.__getitem__)
        if pairs[first] == len(ranks):
            break
        parts[first : first + 2] = [parts[first] + parts[first + 1]]
        built.append(parts[first])
    return built


def _added_by(processor: Any) -> Iterator[str]:
    """Yield the tokens that a post-processor adds to a text."""
    if isinstance(processor, list):
        for part in processor:
            yield from _added_by(part)
    elif isinstance(processor, dict):
        for special in processor.get("special_tokens", {}).values():
            yield from special["tokens"]
        yield from (processor[name][0] for name in ("sep", "cls") if name in processor)
        yield from _added_by(processor.get("processors"))


def _renumber(processor: Any, numbers: Mapping[str, int]) -> None:
    """Change the numbers of the tokens that a post-processor adds to a text."""
    if isinstance(processor, list):
        for part in processor:
            _renumber(part, numbers)
    elif isinstance(processor, dict):
        for special in processor.get("special_tokens", {}).values():
            special["ids"] = [numbers[token] for token in special["tokens"]]
        for name in ("sep", "cls"):
            if name in processor:
                processor[name][1] = numbers[processor[name][0]]
        _renumber(processor.get("processors"), numbers)
