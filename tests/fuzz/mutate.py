"""Mutates a file: its bytes, or the structure of its format."""

from __future__ import annotations

import random

from tests.fuzz.mutations.json_files import json_file, jsonl_file
from tests.fuzz.mutations.model_files import safetensors_file, template_file
from tests.fuzz.mutations.parquet_files import parquet_file
from tests.fuzz.mutations.raw_bytes import Mutation, mutate_bytes
from tests.fuzz.mutations.tables import gz_file, table_file
from tests.fuzz.mutations.xml_files import xml_file
from tests.fuzz.mutations.yaml_files import setting, yaml_file

STRUCTURED: dict[str, Mutation] = {
    "json": json_file,
    "jsonl": jsonl_file,
    "yaml": yaml_file,
    "setting": setting,
    "xml": xml_file,
    "table": table_file,
    "gz": gz_file,
    "parquet": parquet_file,
    "template": template_file,
    "safetensors": safetensors_file,
}


def mutate(rng: random.Random, kind: str, content: bytes) -> bytes:
    """Return a mutated file.

    Args:
        rng: The source of randomness.
        kind: The format: a key of `STRUCTURED`, or any other word for bytes alone.
        content: The valid file.
    """
    if kind in STRUCTURED and rng.random() < 0.75:
        try:
            mutated = STRUCTURED[kind](rng, content)
        except (ValueError, IndexError, RecursionError):
            return mutate_bytes(rng, content)  # A change left nothing for the next one.
        return mutate_bytes(rng, mutated) if rng.random() < 0.1 else mutated
    return mutate_bytes(rng, content)
