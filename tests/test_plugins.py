"""The toy package in `plugin_package/` through the public commands, and packages that are broken."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cclearn.cli.main import main
from cclearn.errors import CclearnError, CclearnWarning, ConfigurationError
from cclearn.outputs import Output, format_names
from cclearn.registry import OUTPUTS, Registry

PACKAGE = Path(__file__).parent / "plugin_package"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the toy package."""
    monkeypatch.syspath_prepend(PACKAGE)


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "visit.txt"
    path.write_text("Known asthma. Now pneumonia.")
    return path


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    """Run a command in this process; it must succeed."""
    monkeypatch.setattr(sys, "argv", ["cclearn", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code


def install(folder: Path, name: str, entries: str, **modules: str) -> None:
    """Write an installed package with entry points and modules."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entries)
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)


def test_the_example_is_declared_as_it_is_installed() -> None:
    declared = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["entry-points"]
    installed = configparser.ConfigParser()
    installed.read(PACKAGE / "cclearn_toy-1.0.dist-info" / "entry_points.txt")
    assert {group: dict(installed[group]) for group in installed.sections()} == declared


@pytest.mark.usefixtures("toy")
def test_a_builder_of_another_package_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(monkeypatch, "build", "toy_phrases", "--out", tmp_path / "pairs", "suffix=today")
    lines = (tmp_path / "pairs" / "pairs.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["text"], row["code"]) for row in rows] == [
        ("wheezy chest today", "J45.909"),
        ("chest infection today", "J18.9"),
    ]
    command(monkeypatch, "build", "--list")
    assert "toy_phrases: Two phrases" in capsys.readouterr().out


@pytest.mark.usefixtures("toy")
def test_an_engine_and_an_output_of_another_package_code(
    tmp_path: Path, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "codes.txt"
    arguments = ("--model", "toy:asthma", "--format", "toy", "--out", out)
    command(monkeypatch, "code", note, *arguments)
    assert out.read_text() == "visit: J45.909\n"


@pytest.mark.usefixtures("toy")
def test_a_corpus_and_a_metric_of_another_package_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test.txt").write_text("J45.909\tAsthma.\nJ18.9\tAsthma, and pneumonia.\n")
    out = tmp_path / "results"
    models = ("--model", "lexicon", "--model", "toy:pneumonia")
    arguments = ("--data", tmp_path, "training=null", "--out", out, "--draws", 20)
    command(monkeypatch, "benchmark", "toy", *models, *arguments)
    result = json.loads((out / "metrics.json").read_text())
    scores = {name: system["scores"] for name, system in result["systems"].items()}
    assert scores["lexicon"]["toy/same_first_code"]["value"] == 0.5
    assert scores["pneumonia"]["toy/same_first_code"]["value"] == 0.0
    assert scores["lexicon"]["toy/same_first_code"]["high"] is not None
    (difference,) = result["differences"]
    assert difference["scores"]["toy/same_first_code"]["value"] == 0.5


@pytest.mark.usefixtures("toy")
def test_messages_name_the_engines_of_other_packages() -> None:
    from cclearn.engines.registry import load_engine

    with pytest.raises(ConfigurationError, match="replay:FILE, toy:NAME, vllm:MODEL"):
        load_engine("tox:x")


def test_without_the_package_its_names_are_unknown() -> None:
    assert "toy" not in format_names()
    with pytest.raises(ConfigurationError, match="format \\(name = toy\\): not known"):
        OUTPUTS.find("toy", Output)


def test_a_package_that_cannot_be_imported_is_one_line_and_the_rest_works(tmp_path: Path) -> None:
    site = tmp_path / "site"
    entries = (
        "[cclearn.builders]\nbroken = broken_builder:Builder\nabsent = no_such_module:Builder\n"
    )
    install(site, "broken", entries, broken_builder="raise ValueError('words of a note')\n")
    paths = os.pathsep.join([str(site), str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "cclearn", "build", "--list"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    absent, broken = done.stderr.splitlines()
    assert "(cclearn.builders: absent = no_such_module:Builder): it cannot be imported" in absent
    assert "(cclearn.builders: broken = broken_builder:Builder): it cannot be imported" in broken
    assert "words of a note" not in done.stderr
    assert "toy_phrases" in done.stdout
    assert "icd10cm_index" in done.stdout


def test_a_name_that_is_in_use_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "first", "[group]\nown = first:Own\nmine = first:Mine\nkept = first:Kept\n")
    install(tmp_path, "second", "[group]\nmine = second:Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("thing", "group", {"own": "cclearn.errors:CclearnError"}, "", ("kept",))
    with pytest.warns(CclearnWarning) as caught:
        assert registry.names() == ["mine", "own"]
    lines = [str(warning.message) for warning in caught]
    in_use = "the name is already used by"
    assert [line.partition(", and")[0] for line in lines] == [
        f"plug-in (group: kept = first:Kept): {in_use} cclearn",
        f"plug-in (group: mine = second:Mine): {in_use} first:Mine",
        f"plug-in (group: own = first:Own): {in_use} cclearn",
    ]
    assert registry.find("own", Exception) is CclearnError


def test_a_class_of_another_kind_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "odd", "[cclearn.outputs]\nodd = json:dumps\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match="it is not a class derived from"):
        OUTPUTS.find("odd", Output)


def test_a_metric_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "from cclearn.evaluation.metrics.plugin import Metric\n\n\n"
        "class Failing(Metric):\n"
        "    values = ('x',)\n\n"
        "    def ratios(self, gold, predicted, system):\n"
        "        raise ValueError('words of a note')\n"
    )
    install(tmp_path, "bad", "[cclearn.metrics]\nbad = bad_metric:Failing\n", bad_metric=source)
    monkeypatch.syspath_prepend(tmp_path)
    from cclearn.codes import CodeSystem
    from cclearn.evaluation import Settings, evaluate
    from cclearn.notes import CodedNote

    gold = CodedNote(id="a", text="Asthma.", codes=[])
    with pytest.raises(CclearnError, match="metric \\(name = bad\\): it failed") as caught:
        evaluate([gold], {"x": [gold]}, CodeSystem.load(), Settings(draws=0))
    assert "words of a note" not in str(caught.value)
