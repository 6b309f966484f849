"""Mutations of tables of text, of official files in lines and of OBO files."""

from __future__ import annotations

import gzip
import random
import re

from tests.fuzz.canary import CANARY
from tests.fuzz.mutations.raw_bytes import mutate_bytes


def table_file(rng: random.Random, content: bytes) -> bytes:
    """Change a table with commas, tabs or blanks between its fields, or an OBO file."""
    text = content.decode()
    mark = "\t" if "\t" in text else "," if "," in text else " "
    lines = text.split("\n")
    for _ in range(rng.choice((1, 1, 2, 5))):
        line_index = rng.randrange(len(lines))
        fields = lines[line_index].split(mark)
        act = rng.randrange(9)
        if act <= 3:
            fields[rng.randrange(len(fields))] = rng.choice(
                ("", " ", '"', '""', '"x', "x" * 200_000, CANARY, "-1", "9" * 5_000, "nan", "1e400",
                 "0 1;2", "9 3", "½", "٣", "a b", "\0", "\x1b[0m", "---", "=cmd()", "inf", "²", "1_0")
            )  # fmt: skip
        elif act == 4:
            fields.append("x")
        elif act == 5:
            fields.pop()
        elif act == 6:
            fields.insert(0, fields[0])
        elif act == 7:
            lines.insert(line_index, lines[line_index])
        else:
            rng.shuffle(fields)
        lines[line_index] = mark.join(fields)
    if rng.random() < 0.08:  # Symbols alone.
        return re.sub(r"\w", "-", "\n".join(lines)).encode()
    if rng.random() < 0.08:  # Everything points to the same thing.
        ids = re.findall(r"\w+:\d+", text) or ["x"]
        return re.sub(r"\w+:\d+", rng.choice(ids), text).encode()
    return "\n".join(lines).encode("utf-8", errors="surrogatepass")


def gz_file(rng: random.Random, content: bytes) -> bytes:
    mutated = gzip.compress(table_file(rng, gzip.decompress(content)), mtime=0)
    return mutated if rng.random() < 0.6 else mutate_bytes(rng, mutated)
