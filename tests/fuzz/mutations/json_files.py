"""Mutations of JSON and JSON lines, and of the structures that they hold."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from tests.fuzz.canary import CANARY

_RAW_JSON = (
    "1e400",
    "-1e400",
    "NaN",
    "-Infinity",
    "1" + "0" * 5_000,
    "9223372036854775808",
    '"\\ud800"',
    '"\\udfff text"',
    '"\\u0000"',
    "[" * 3_000 + "]" * 3_000,
    "[" * 100_000,
    '{"a":' * 900 + "1" + "}" * 900,
    "-0",
    "1.7976931348623157e308",
    "tru",
    "",
)


def hostile_value(rng: random.Random) -> Any:
    values: tuple[Any, ...] = (
        None,
        True,
        False,
        0,
        -1,
        2**31,
        2**63,
        -(2**63) - 1,
        10**30,
        1.5,
        "",
        " ",
        "x" * 100_000,
        CANARY,
        "\x1b[31mred\x1b[0m",
        "<script>alert(1)</script>",
        "../../../etc/passwd",
        "/dev/zero",
        "\u202e\u0000\uffff",
        "a\nb\rc",
        "2024-01-01",
        "1e400",
        [],
        {},
        [None],
        [[]],
        {"": None},
        {CANARY: CANARY},
        ["a", 1, None, {}],
        {"a": {"b": {"c": []}}},
        "!" * 5_000,
        "{{ 1/0 }}",
    )
    if rng.random() < 0.25:
        return placeholder(rng.randrange(len(_RAW_JSON)))
    return rng.choice(values)


def placeholder(number: int) -> str:
    return f"@raw{number}@"


def fill_placeholders(text: str, raw: tuple[str, ...]) -> str:
    def written(match: re.Match[str]) -> str:
        return raw[int(match[1])] if int(match[1]) < len(raw) else "0"

    return re.sub(r"['\"]?@raw(\d+)@['\"]?", written, text)


def locations(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of a structure."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        node = stack.pop()
        items = (
            node.items()
            if isinstance(node, dict)
            else enumerate(node)
            if isinstance(node, list)
            else ()
        )
        for key, below in list(items):
            found.append((node, key))
            stack.append(below)
    return found


def change(rng: random.Random, value: Any) -> Any:
    """Return a structure of dicts and lists with a hostile change somewhere."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        positions = locations(value)
        if not positions or rng.random() < 0.03:
            return rng.choice((hostile_value(rng), [value], {"x": value}))
        # There are few positions at the top. They are changed as often as those in long lists.
        top = [position for position in positions if position[0] is value]
        node, key = rng.choice(top if rng.random() < 0.4 else positions)
        act = rng.randrange(8)
        if act <= 3:
            node[key] = hostile_value(rng)
        elif act == 4:
            del node[key]
        elif act == 5 and isinstance(node, dict):
            node[rng.choice((CANARY, "", "x", str(key).upper(), f"{key} "))] = node.pop(key)
        elif act == 5:
            node.insert(key, node[key])
        elif act == 6:
            node[key] = rng.choice(([node[key]], {"a": node[key]}, str(node[key])))
        else:
            other, position = rng.choice(positions)
            # The value is copied, because the structure must stay a tree.
            node[key] = json.loads(
                json.dumps(other.get(position) if isinstance(other, dict) else None)
            )
    return value


def _json_text(rng: random.Random, value: Any) -> str:
    text = fill_placeholders(
        json.dumps(change(rng, value), ensure_ascii=rng.random() < 0.5), _RAW_JSON
    )
    if rng.random() < 0.05:  # A key that occurs twice.
        text = re.sub(r'\{("[^"]*": ?)', r"{\g<1>null, \g<1>", text, count=1)
    return text


def json_file(rng: random.Random, content: bytes) -> bytes:
    return _json_text(rng, json.loads(content)).encode("utf-8", errors="surrogatepass")


def jsonl_file(rng: random.Random, content: bytes) -> bytes:
    lines = content.decode().splitlines() or [""]
    for _ in range(rng.choice((1, 1, 2, 5))):
        position = rng.randrange(len(lines))
        act = rng.randrange(10)
        if act == 0:
            lines.insert(position, lines[position])
        elif act == 1:
            lines[position] = ""
        elif act == 2:
            lines[position] += lines[position]
        elif act == 3:
            lines[position] = rng.choice(_RAW_JSON)
        else:
            try:
                lines[position] = _json_text(rng, json.loads(lines[position]))
            except (ValueError, RecursionError):
                lines[position] = "null"
    return ("\n".join(lines) + "\n").encode("utf-8", errors="surrogatepass")
