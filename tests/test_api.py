"""The public names in `docs/api.md`."""

from __future__ import annotations

import importlib
import re

import pytest

import cclearn
from tests.source_tree import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

LISTED = [
    (module, name)
    for module, names in re.findall(r"^\| `([\w.]+)` \| (`.+`) \|$", PAGE, re.MULTILINE)
    for name in re.findall(r"`(\w+)`", names)
]


@pytest.mark.parametrize(("module", "name"), LISTED)
def test_every_listed_name_can_be_imported(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_the_names_of_the_package_are_listed() -> None:
    assert {name for module, name in LISTED if module == "cclearn"} == set(cclearn.__all__)


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(program, {})  # noqa: S102 - a page of the project
    assert "I50.21" in capsys.readouterr().out
