from __future__ import annotations

import io
import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.main import get_command

from benchmarks import readme_tables
from benchmarks.markdown import filled
from cclearn import Coder
from cclearn.cli.main import app
from cclearn.cli.tables import coded_note_view
from cclearn.codes import CodeSystem
from cclearn.evaluation import evaluate
from cclearn.notes.inputs import read_notes
from cclearn.notes.jsonl import read_coded_notes
from cclearn.runtime.parsing import read_json
from cclearn.workflows.quickstart import (
    build_data,
    code_held_out,
    eligible_codes,
    scoring,
)
from tests.codes.official import TABLE

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_path_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    named = re.findall(r"`((?:cclearn|recipes|benchmarks|docs|data_builders)/[\w./-]+)`", README)
    launched = re.findall(r"(?:python|launch|--config) ((?:benchmarks|recipes)/[\w./-]+)", README)
    assert links
    assert launched
    for path in [*links, *named, *launched]:
        assert (ROOT / path).exists(), path


def test_every_make_target_exists() -> None:
    targets = re.findall(r"^make (\w+)", README, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert targets == ["quickstart", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


_NAMES = "|".join(get_command(app).commands)  # type: ignore[attr-defined]
_COMMANDS = re.findall(rf"(?:`|\$ |^)cclearn ((?:{_NAMES})\b[^`\n]*)", README, re.MULTILINE)


@pytest.mark.parametrize("line", sorted(set(_COMMANDS)))
def test_every_command_is_understood(line: str) -> None:
    arguments = shlex.split(line)
    command: Any = get_command(app)
    while hasattr(command, "commands"):
        assert arguments, line
        # `cclearn review NOTES` runs the command `start`.
        named = arguments.pop(0) if arguments[0] in command.commands else "start"
        command = command.commands[named]
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= options


def test_the_output_shown_is_what_comes_out() -> None:
    note = next(read_notes(ROOT / "examples" / "note.txt"))
    page = io.StringIO()
    for part in coded_note_view(Coder.lexicon().code(note)):
        Console(width=80, no_color=True, file=page).print(part)
    for line in page.getvalue().splitlines():
        assert line.rstrip() in README


def test_the_code_systems_page_runs() -> None:
    page = (ROOT / "docs" / "code_systems.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - our own page
    assert names["system"].status("i214") == "valid"
    (table,) = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    assert table == TABLE


def test_the_tables_are_those_of_the_results() -> None:
    for page in readme_tables.PAGES:
        text = page.read_text(encoding="utf-8")
        assert filled(text, readme_tables.BLOCKS) == text, page


@pytest.mark.slow
def test_the_lexicon_still_has_the_scores_of_the_quickstart(
    tmp_path: Path, system: CodeSystem
) -> None:
    data = build_data(tmp_path, eligible_codes("9", system), seed=0, system=system)
    answers = {"lexicon": code_held_out(Coder.lexicon(system), data)}
    gold = read_coded_notes(data.held_out)
    found = evaluate(gold, answers, system, scoring(data)).evaluations["lexicon"].scores
    stored = read_json(readme_tables.QUICKSTART)["systems"]["lexicon"]["scores"]
    assert stored == {name: asdict(found[name]) for name in stored}


def test_no_placeholder_is_left() -> None:
    assert "@" not in README
