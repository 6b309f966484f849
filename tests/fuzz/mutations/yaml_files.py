"""Mutations of YAML files, and of the settings of a command line."""

from __future__ import annotations

import random

from tests.fuzz.canary import CANARY
from tests.fuzz.mutations.json_files import (
    change,
    fill_placeholders,
    hostile_value,
    locations,
    placeholder,
)

_BOMB = "&a0 [x, x, x, x, x, x, x, x, x]"
_LAUGHS = (
    "["
    + ", ".join(f"&a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" if n else _BOMB for n in range(9))
    + "]"
)
RAW_YAML = (
    "&r [*r]",
    "&r {a: *r}",
    "[&r {a: *r}, *r]",
    _LAUGHS,
    "!!python/object/apply:os.system [id]",
    "!!python/name:os.system",
    "!foreign x",
    "2024-01-01",
    "2024-99-99",
    "2001-12-14t21:59:43.10-05:00",
    "0x" + "f" * 6_000,
    "1" * 6_000,
    "1:2:3:4:5:6:7:8:9",
    "1_" * 3_000,
    ".nan",
    ".inf",
    "-.inf",
    "1e400",
    "1.0e+400",
    "!!binary x",
    "!!binary aGVsbG8=",
    "!!int x",
    "!!int ''",
    "!!float x",
    "!!bool x",
    "!!timestamp x",
    "!!timestamp 0000-00-00",
    "!!null x",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!omap x",
    "!!pairs [a: 1]",
    "!!map [a]",
    "!!seq {a: 1}",
    "!!str [a]",
    "{? [a, b] : c}",
    "{? {a: b} : c}",
    "{<<: x}",
    "{<<: [{a: 1}, {b: 2}]}",
    "{<<: [x]}",
    "{=: x}",
    "=",
    "[" * 3_000 + "]" * 3_000,
    "[" * 20_000,
    "*missing",
    "&twice a",
    "'open",
    '"\\ud800"',
    '"\\x1b[31m"',
    "|\n  x",
    "\t- x",
    "~",
    "yes",
    "off",
    "017",
    "0b" + "1" * 20_000,
    "{a: 1, a: 2}",
    "%TAG ! x",
    CANARY,
    f"{{{CANARY}: 1}}",
)


def yaml_file(rng: random.Random, content: bytes) -> bytes:
    import yaml

    if rng.random() < 0.1:
        heads = ("%YAML 9.9\n---\n", "---\n---\n", "%TAG ! x\n", "\t", "? ", "- ", "!!set\n", "&r ")
        return rng.choice(heads).encode() + content
    value = yaml.safe_load(content)
    for _ in range(rng.choice((0, 0, 1, 3))):
        value = change(rng, value)
    positions = locations(value)
    for _ in range(rng.choice((1, 1, 2))):
        if positions:
            node, key = rng.choice(positions)
            if isinstance(node, dict) or key < len(node):
                node[key] = placeholder(rng.randrange(len(RAW_YAML)))
    return fill_placeholders(yaml.safe_dump(value, width=10**6), RAW_YAML).encode(
        "utf-8", errors="surrogatepass"
    )


def setting(rng: random.Random, content: bytes) -> bytes:
    """Change the value in `key=value`, an argument of the command line."""
    key, _, value = content.decode().partition("=")
    hostile = str(rng.choice((rng.choice(RAW_YAML), hostile_value(rng), value * 3, f"[{value}]")))
    act = rng.randrange(6)
    text = (
        key
        if act == 0
        else f"={hostile}"
        if act == 1
        else f"{hostile[:60]}={value}"
        if act == 2
        else f"{key}={hostile}"
    )
    return text.replace("\0", "").encode("utf-8", errors="surrogatepass")
