"""Tiny models in GGUF files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WIDTH, LAYERS, HEADS, INTERMEDIATE = 32, 2, 2, 64


def write_gguf(
    path: Path, architecture: str = "llama", tokens: int = 0, context: int = 128
) -> Path:
    """Write a model with random weights and a byte-level tokenizer, and return its path.

    Args:
        path: File to write.
        architecture: Name of the architecture in the file. The tensors are those of `llama`.
        tokens: Number of rows of the embedding; 0 for as many as the tokenizer has tokens.
        context: Length of the model's context in tokens.
    """
    from gguf import GGUFWriter, TokenType
    from tokenizers.pre_tokenizers import ByteLevel

    rng = np.random.default_rng(0)
    vocabulary = ["<s>", "</s>", *sorted(ByteLevel.alphabet()), "he", "ll"]
    writer = GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INTERMEDIATE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(tokens or len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(vocabulary)
    kinds = [TokenType.CONTROL] * 2 + [TokenType.NORMAL] * (len(vocabulary) - 2)
    writer.add_token_types(kinds)
    writer.add_token_merges(["h e", "l l"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, rng.normal(0, 0.1, shape).astype(np.float32))

    add("token_embd.weight", tokens or len(vocabulary), WIDTH)
    add("output_norm.weight", WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"{block}.{name}.weight", WIDTH, WIDTH)
        add(f"{block}.attn_norm.weight", WIDTH)
        add(f"{block}.ffn_norm.weight", WIDTH)
        add(f"{block}.ffn_gate.weight", INTERMEDIATE, WIDTH)
        add(f"{block}.ffn_up.weight", INTERMEDIATE, WIDTH)
        add(f"{block}.ffn_down.weight", WIDTH, INTERMEDIATE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
