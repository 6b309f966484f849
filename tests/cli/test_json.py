from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cclearn.cli.main import app
from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.jsonl import write_rows
from cclearn.training.recipe_file import packaged_recipes


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    with pytest.raises(SystemExit) as ended:
        app([*map(str, arguments), "--json"])
    assert ended.value.code == 0
    return json.loads(capsys.readouterr().out)


def test_what_people_pipe_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code = printed(capsys, "codes", "show", "i214")
    assert (code["code"], code["status"]) == ("I21.4", "valid")
    hits = printed(capsys, "codes", "search", "heart failure", "--limit", 3)
    assert len(hits) == 3
    assert {"code", "description", "status", "matched", "score"} == set(hits[0])
    recipes = printed(capsys, "recipes", "ls")
    assert [recipe["name"] for recipe in recipes] == list(packaged_recipes())
    assert printed(capsys, "models", "ls")[0]["name"] == "gemma-3-270m"
    assert "codiesp" in {corpus["name"] for corpus in printed(capsys, "benchmark", "--list")}


def test_scores_are_printed_as_the_result_file_has_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    note = CodedNote(id="a", text="x", codes=[AssignedCode(code="I10")])
    write_rows(tmp_path / "gold.jsonl", [note])
    write_rows(tmp_path / "pred.jsonl", [note])
    files = ("--gold", tmp_path / "gold.jsonl", "--pred", tmp_path / "pred.jsonl", "--draws", 0)
    result = printed(capsys, "evaluate", *files, "--out", tmp_path / "scores")
    assert result["systems"]["pred"]["scores"]["micro_f1"]["value"] == 1.0
    assert result == json.loads((tmp_path / "scores" / "metrics.json").read_text())
