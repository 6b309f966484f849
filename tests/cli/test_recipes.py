from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cclearn.cli.main import app, main
from cclearn.codes import CodeSystem
from cclearn.training.recipe_file import load_recipe, packaged_recipes
from data_builders.builder import configure, find_builder
from data_builders.output import build


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        app(list(arguments))
    assert ended.value.code == 0
    return capsys.readouterr().out


def refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> str:
    monkeypatch.setattr("sys.argv", ["cclearn", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> list[str]:
    folder = tmp_path_factory.mktemp("data")
    spans = find_builder("icd10cm")
    pairs = build(spans, configure(spans, {"under": "I21"}), folder / "pairs", system).data
    notes = find_builder("template_notes")
    config = configure(notes, {"pairs": str(pairs), "notes": 20})
    documents = build(notes, config, folder / "notes", system).data
    return [
        f"rows.sources.0.path={json.dumps(str(pairs))}",
        f"rows.sources.1.path={json.dumps(str(documents))}",
    ]


def test_recipes_are_listed_shown_and_copied(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    listed = call(capsys, "recipes", "ls")
    assert all(name in listed for name in packaged_recipes())
    assert "one GPU of 24 GB" in listed
    path = packaged_recipes()["llama-3.1-8b/sft_qlora"]
    assert call(capsys, "recipes", "show", "llama-3.1-8b/sft_qlora") == path.read_text()
    target = tmp_path / "new" / "mine.yaml"
    output = call(capsys, "recipes", "cp", "llama-3.1-8b/sft_qlora", str(target))
    assert f"cclearn recipes validate {target} --dry-run" in output
    changed = {"name": "mine", "output": "runs/mine"}
    assert load_recipe(target).settings() == {**load_recipe(path).settings(), **changed}
    assert target.read_text().count(f"cclearn train {target}") == 3
    assert "accelerate" not in target.read_text()
    call(capsys, "recipes", "cp", "llama-3.3-70b/sft_qlora_fsdp", str(tmp_path / "fsdp.yaml"))
    launched = (tmp_path / "fsdp.yaml").read_text()
    assert launched.count(f"fsdp_qlora.yaml recipes/sft.py --config {tmp_path}/fsdp.yaml") == 3
    call(capsys, "recipes", "cp", str(target), str(tmp_path))
    assert (tmp_path / "mine.yaml").exists()
    assert "--overwrite" in refused(
        capsys, monkeypatch, "recipes", "cp", "tiny/sft_scratch", str(target)
    )
    assert "Did you mean 'tiny/sft_scratch'?" in refused(
        capsys, monkeypatch, "recipes", "show", "tiny/sft_scrach"
    )


def test_names_of_recipes_stay_whole_in_a_pipe() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cclearn", "recipes", "ls"],
        env={**os.environ, "COLUMNS": "80", "FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    heading, *lines = done.stdout.splitlines()
    assert heading.split() == ["recipe", "purpose", "hardware"]
    assert [line.split()[0] for line in lines] == list(packaged_recipes())
    for line, name in zip(lines, packaged_recipes(), strict=True):
        recipe = load_recipe(name)
        assert recipe.description is not None
        assert recipe.hardware is not None
        assert recipe.description in line
        assert line.endswith(recipe.hardware)


def test_names_of_recipes_stay_whole_on_a_terminal_of_80_columns() -> None:
    reader, writer = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cclearn", "recipes", "ls"],
        env={**os.environ, "COLUMNS": "80", "TERM": "xterm"},
        stdout=writer,
    ) as process:
        os.close(writer)
        shown = b""
        with suppress(OSError):  # The end of a pseudo-terminal.
            while part := os.read(reader, 4_096):
                shown += part
    os.close(reader)
    assert process.returncode == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert max(map(len, lines)) <= 80
    names = [line.split()[0] for line in lines[1:] if not line.startswith(" ")]
    assert names == list(packaged_recipes())


def test_a_copy_on_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "new" / "mine.yaml"
    command = [sys.executable, "-m", "cclearn", "recipes", "cp", "tiny/sft_scratch", str(target)]
    # The largest file that a process may write stands for a full disk: the call fails likewise.
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 1; exec "$@"', "-", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"{target}: File too large\n"
    assert list(target.parent.iterdir()) == []


def test_a_recipe_is_checked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    settings: list[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    output = call(capsys, "recipes", "validate", "tiny/sft_scratch", *settings)
    assert "no problem found. To train it: cclearn train tiny/sft_scratch" in output
    output = refused(capsys, monkeypatch, "recipes", "validate", "tiny/sft_scratch")
    assert output.count("no such file") == 2
    output = refused(
        capsys, monkeypatch, "recipes", "validate", "tiny/sft_scratch", "trainin.steps=1", "seed=x"
    )
    assert "trainin: unknown key. Did you mean 'training'?" in output
    assert "seed: " in output
    output = refused(
        capsys,
        monkeypatch,
        *("recipes", "validate", "tiny/sft_scratch", "--dry-run", "training.max_length=30"),
        *settings,
    )
    assert "longer than max_length = 30" in output


def test_a_dry_run_estimates_the_cost_of_a_run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    settings: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    output = call(
        capsys,
        *("recipes", "validate", "tiny/sft_scratch", "--dry-run", "--processes", "2"),
        *("training.batching=packed", "training.batch_tokens=1536", "training.steps=50"),
        *("rows.evaluation=[{kind: document, path: " + settings[1].split("=", 1)[1] + "}]",),
        *("rows.order=span_only", *settings),
    )
    assert "50 of 3,072 tokens (2 processes)" in output
    assert "0 rows too long for 512 tokens, 0 that an evaluation contains" in output
    assert "Lengths of rows" in output
    assert "█" in output
    assert "GiB on a GPU in bf16" in output
    assert "GiB on a CPU in fp32" in output
    assert "parameters" in output
    assert "documents alone" not in output
    output = call(capsys, "recipes", "validate", "tiny/sft_scratch", "--dry-run", *settings)
    assert "as many document rows" in output


def test_rows_of_an_evaluation_are_left_out_in_a_dry_run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    settings: list[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    notes = Path(json.loads(settings[1].split("=", 1)[1]))
    held_out = tmp_path / "held.jsonl"
    held_out.write_text("".join(notes.read_text().splitlines(keepends=True)[:3]))
    evaluation = json.dumps([{"kind": "document", "path": str(held_out)}])
    output = call(
        capsys,
        *("recipes", "validate", "tiny/sft_scratch", "--dry-run", *settings),
        f"rows.evaluation={evaluation}",
    )
    assert ", 3 that an evaluation contains" in output
