"""The examples in CONTRIBUTING.md are files that other tests run.

`python -m tests.test_contributing` copies the files into the page again.
"""

from __future__ import annotations

import re

import pytest

from cclearn.cli.main import app
from cclearn.codes import CodeSystem
from data_builders.builder import configure, find_builder
from data_builders.output import build
from tests.source_tree import ROOT

PAGE = ROOT / "CONTRIBUTING.md"
EXAMPLE = re.compile(r"<!-- file: (\S+) -->\n```(\w+)\n(.*?)```\n", re.DOTALL)


def filled(page: str) -> str:
    """Return the page with the content of the named file in each example."""

    def example(found: re.Match[str]) -> str:
        content = (ROOT / found[1]).read_text(encoding="utf-8")
        return f"<!-- file: {found[1]} -->\n```{found[2]}\n{content}```\n"

    return EXAMPLE.sub(example, page)


def test_the_examples_are_the_files_that_are_tested() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(EXAMPLE.findall(page)) == 7
    assert page == filled(page), "run `python -m tests.test_contributing`"


def test_every_path_on_the_page_exists() -> None:
    page = PAGE.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", page)
    named = re.findall(r"`((?:cclearn|data_builders|docs|tests)/[\w./-]+)`", page)
    assert links
    assert [path for path in [*links, *named] if not (ROOT / path).exists()] == []


def test_the_example_of_a_recipe_is_valid(
    tmp_path_factory: pytest.TempPathFactory,
    system: CodeSystem,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path_factory.mktemp("recipe")
    builder = find_builder("icd10cm")
    build(builder, configure(builder, {"under": "I21"}), folder / "pairs", system)
    monkeypatch.chdir(folder)
    recipe = ROOT / "tests" / "toy_recipe.yaml"
    with pytest.raises(SystemExit) as ended:
        app(["recipes", "validate", str(recipe), "--dry-run"])
    assert ended.value.code == 0
    assert "no problem found" in capsys.readouterr().out


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
