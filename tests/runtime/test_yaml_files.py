from __future__ import annotations

import datetime

import pytest

from cclearn.errors import DataError
from cclearn.runtime.yaml_files import parse_yaml

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


def test_plain_values_and_shared_ones_are_read() -> None:
    text = "a: &a {n: 1, day: 2024-01-02}\nb: [*a, *a]\nc:\n  <<: *a\n  n: 2\n"
    values, node = parse_yaml(text, "x")
    first = {"n": 1, "day": datetime.date(2024, 1, 2)}
    assert values == {"a": first, "b": [first, first], "c": {**first, "n": 2}}
    assert node is not None
    assert parse_yaml("010", "x", scalars=False)[0] == "010"
    assert parse_yaml("", "x") == (None, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &r [*r]", "x:1: not YAML that can be used: a value contains itself"),
        ("&r {? *r : 1}", "x:1: not YAML that can be used: a value contains itself"),
        (LAUGHS, "x: its aliases expand to more than 100,000 values"),
        ("[" * 300 + "]" * 300, "x:1: nested more than 100 values deep"),
        (
            "a: 1\nb: !!python/object/apply:os.system [secret]",
            "x:2: not YAML: a value that cannot be",
        ),
        ("a: 1\nb: *secret", "x:2: not YAML: an alias without its anchor"),
        ("a: [secret", "x:1: not YAML: syntax error"),
        ("a: secret\0", "x: not YAML: a character that is not allowed, at position 9"),
        ('a: 1\nb: ["secret\\ud800"]', "x:2: not YAML: half of a surrogate pair"),
        ("a: 2024-99-99", "x: not YAML (ValueError in yaml/constructor.py:"),
        ("a: " + "1" * 6_000, "x: not YAML (ValueError in yaml/constructor.py:"),
        ("a: !!int secret", "x: not YAML (ValueError in yaml/constructor.py:"),
        ("a: !!bool secret", "x: not YAML (KeyError in yaml/constructor.py:"),
    ],
)
def test_what_is_not_plain_or_not_bounded_is_refused_and_not_quoted(
    text: str, problem: str
) -> None:
    with pytest.raises(DataError) as error:
        parse_yaml(text, "x")
    assert str(error.value).startswith(problem)
    assert "secret" not in str(error.value)


def test_brackets_by_the_thousand_are_refused() -> None:
    with pytest.raises(DataError, match=r"x: not YAML \(RecursionError|nested more than"):
        parse_yaml("[" * 20_000, "x", scalars=False)
