"""The pages of documentation: short paragraphs, a first example, links that lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cclearn.notes.jsonl import read_coded_notes
from tests.source_tree import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

MOST_LINES = 5

MOST_CHARACTERS = 130

names = pytest.mark.parametrize(
    "page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES]
)


def prose(page: Path) -> str:
    """Return the text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


@names
def test_no_paragraph_is_long(page: Path) -> None:
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", prose(page)):
        lines = [line for line in paragraph.strip().splitlines() if not line.startswith("|")]
        assert len(lines) <= MOST_LINES, paragraph
        assert all(len(line) <= MOST_CHARACTERS for line in lines), paragraph


@names
def test_a_page_begins_with_an_example_or_a_table(page: Path) -> None:
    first = page.read_text(encoding="utf-8").split("\n## ")[0]
    assert "```" in first or "\n| " in first


@names
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", prose(page))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.slow
def test_gold_notes_are_made_from_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    section = page.split("## Gold notes from tables")[1].split("\n## ")[0]
    commands = re.findall(r"^\$ cclearn (.*)$", section, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.csv").write_text("note_id,note\n7,Asthma.\n8,Cough.\n")
    (tmp_path / "codes.csv").write_text("note_id,code\n7,J45.909\n7,J45.909\n9,I10\n")
    for command in commands:
        run = subprocess.run(
            [sys.executable, "-m", "cclearn", *shlex.split(command)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
    found = [(n.id, [a.code for a in n.codes]) for n in read_coded_notes("gold/notes.jsonl")]
    assert found == [("7", ["J45.909"]), ("8", [])]
    assert len(commands) == 3
    assert "micro F1" in run.stdout
