from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cclearn.errors import visible
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.notes.jsonl import write_rows
from cclearn.runtime.display import html_text, markdown_text
from cclearn.training.card import model_card
from cclearn.training.recipe_file import load_recipe
from tests.commands import exit_code
from tests.source_tree import ROOT

HOSTILE = "\x1b[2J|`x`[l](javascript:0)<script>\u202e[red]$x$"
"""A name that commands a terminal, Markdown, HTML, rich and matplotlib at once."""

COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@given(st.text())
def test_visible_text_is_one_line_that_a_terminal_does_not_obey(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert not COMMANDS.search(shown)
    assert visible(shown) == shown
    shown.encode()


_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def test_control_characters_and_halves_of_surrogate_pairs_are_escaped() -> None:
    assert visible("plain/é中.txt") == "plain/é中.txt"
    assert visible("a\nb\x1b[31m\x00\ud800\udcff") == "a\\nb\\x1b[31m\\x00\\ud800\\udcff"


@given(st.text(st.sampled_from("a1 .-+=#>*_`[]()!<>&|~\\\n\t:/\u202e\x1b")))
def test_markdown_renders_foreign_text_as_itself(text: str) -> None:
    escaped = markdown_text(text)
    if not escaped:
        return
    shown = re.sub(r"\s+", " ", html_text(visible(text).strip()))
    paragraph = _MARKDOWN.render(escaped)
    assert re.sub(r"\s+", " ", paragraph) == f"<p>{shown}</p> ".replace("&#x27;", "'")
    cell = _MARKDOWN.render(f"| a |\n| --- |\n| {escaped} |")
    assert cell.count("<td>") == 1
    assert not re.search(r"<(?!/?(?:table|thead|tbody|tr|th|td)\b)", cell)


def predictions(folder: Path, name: str) -> Path:
    """Write a note whose prediction carries the hostile text wherever it can."""
    text = "Sepsis."
    evidence = [Evidence(start=0, end=6, text="Sepsis")]
    code = AssignedCode(code="A41.9", description=HOSTILE, evidence=evidence, flags=[HOSTILE])
    path = folder / name
    write_rows(path, [CodedNote(id="1" + HOSTILE, text=text, codes=[code], flags=[HOSTILE])])
    return path


def file_name(suffix: str = "") -> str:
    return HOSTILE.replace("/", "") + suffix


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_reports_and_terminal_show_hostile_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = predictions(tmp_path, "gold.jsonl")
    one, two = predictions(tmp_path, file_name(".jsonl")), predictions(tmp_path, "_two.jsonl")
    asked = ["--gold", gold, "--pred", one, "--pred", two, "--draws", 50, "--train", gold]
    scored, compared = tmp_path / "scored", tmp_path / "compared"
    assert exit_code("evaluate", *asked, "--show", 1, "--out", scored) == 0
    assert exit_code("compare", *asked, "--out", compared) == 0
    output = capsys.readouterr()
    assert not COMMANDS.search(output.out + output.err)
    assert "[red]" in output.out.replace("\n", "")
    for folder in (scored, compared):
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert "<script" not in page
        assert not COMMANDS.search(page)
        tables = (folder / "report.md").read_text(encoding="utf-8")
        assert not COMMANDS.search(tables)
        rendered = _MARKDOWN.render(tables)
        assert "<script" not in rendered
        assert "<a " not in rendered
        assert "<code>" not in rendered
        assert rendered.count("<th") - rendered.count("<thead") in (3, 7)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_benchmark_shows_hostile_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    predictions(data, "test.jsonl")
    out = tmp_path / file_name("out")
    asked = ["jsonl", "--data", data, "--model", "lexicon", "--out", out, "--draws", 0]
    assert exit_code("benchmark", *asked) == 0
    output = capsys.readouterr()
    assert "report.html" in output.err
    assert not COMMANDS.search(output.out + output.err)


def test_errors_show_hostile_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / f"{file_name()}\nforged line.jsonl"
    assert exit_code("code", missing) == 2
    assert exit_code("code", tmp_path, "--model", missing) == 2
    bad = tmp_path / file_name("bad.jsonl")
    bad.write_text("{}\n" * 2, encoding="utf-8")
    assert exit_code("code", bad) == 2
    gold = predictions(tmp_path, "gold.jsonl")
    stranger = predictions(tmp_path, "stranger.jsonl")
    line = stranger.read_text(encoding="utf-8").replace('"id":"1', '"id":"2')
    stranger.write_text(line, encoding="utf-8")
    assert exit_code("evaluate", "--gold", gold, "--pred", stranger) == 2
    output = capsys.readouterr().err
    assert "forged line" in output
    assert not re.search("^forged line", output, re.MULTILINE)
    assert not COMMANDS.search(output)


def test_recipes_are_listed_with_hostile_descriptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "r.yaml"
    toy_recipe = load_recipe(ROOT / "tests" / "toy_recipe.yaml")
    settings = {**toy_recipe.settings(), "description": HOSTILE}
    recipe.write_text(json.dumps(settings), encoding="utf-8")
    monkeypatch.setattr(
        "cclearn.training.recipe_file.packaged_recipes", lambda: {f"tiny/{HOSTILE}": recipe}
    )
    assert exit_code("recipes", "ls") == 0
    output = capsys.readouterr().out
    assert not COMMANDS.search(output)
    assert "[red]" in output.replace("\n", "")


def test_a_model_card_shows_hostile_names() -> None:
    adapted = {"name": HOSTILE, "model": {"path": HOSTILE}, "licence": HOSTILE, "grpo": None}
    recipe = {**adapted, "adapter": {"kind": "lora"}, "rows": {"evaluation": [{"path": HOSTILE}]}}
    row = {"source": HOSTILE, "kind": "span", "grade": "gold", "origins": ["public"]}
    names = ("steps", "effective_batch", "processes", "tokens_seen", "seconds")
    manifest = {
        "recipe": recipe,
        "code_system": {"name": "icd10cm", "release": "r"},
        "rows": [{**row, "rows": 1, "tokens": 1, "supervised_tokens": 1}],
        "versions": {"cclearn": "0"},
        "contaminated": {},
        "batch_unit": "tokens",
        "base_licence": {"name": HOSTILE, "url": HOSTILE},
        **dict.fromkeys((*names, "trained_parameters", "parameters"), 1),
    }
    card = model_card(manifest)
    assert not COMMANDS.search(card)
    rendered = _MARKDOWN.render(card.split("---", 2)[2])
    assert "<script" not in rendered
    assert "<a " not in rendered


def test_a_note_on_a_terminal_commands_nothing(tmp_path: Path) -> None:
    note = tmp_path / file_name(".txt")
    note.write_text("Sepsis\u202e and\rpneumonia\x1b[2J.", encoding="utf-8")
    ours, theirs = pty.openpty()
    # Without colours, every escape sequence is the note's.
    environment = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
    command = [sys.executable, "-m", "cclearn", "code", str(note)]
    done = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65_536):
            parts.append(part)
    except OSError:  # How Linux says that the other end is closed.
        pass
    finally:
        os.close(ours)
    assert done.wait() == 0
    shown = b"".join(parts).decode().replace("\r\n", "\n")
    assert "A41.9" in shown
    assert not COMMANDS.search(shown)
