from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cclearn.cli.main import app
from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError, UnknownCodeError
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_coded_notes, read_rows, write_rows
from data_builders.builder import RejectedRow, configure, find_builder
from data_builders.output import BuildResult, build
from data_builders.rare_codes.mention_strings import read_mention_strings
from tests.bulk.corpora import files_in
from tests.conftest import ROOT
from tests.data_builders.rare_codes.coded import coded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a training corpus."""
    notes = [coded(f"n{n}", "I10", "E78.5") for n in range(12)]
    notes += [coded("a", "I50.22", "I10", "N18.31"), coded("b", "I50.22", "I48.91", "I50")]
    write_rows(tmp_path / "train.jsonl", notes)
    return tmp_path


def run(folder: Path, system: CodeSystem, **settings: object) -> BuildResult:
    builder = find_builder("rare_code_notes")
    chosen = {"notes": [str(folder / "train.jsonl")], **settings}
    return build(builder, configure(builder, chosen), folder / "out", system, overwrite=True)


def built(result: BuildResult) -> dict[str, CodedNote]:
    return {note.id: note for note in read_coded_notes(result.data)}


def rejected(folder: Path) -> list[RejectedRow]:
    return list(read_rows(folder / "out" / "rejected.jsonl", RejectedRow))


def test_rare_codes_get_notes(folder: Path, system: CodeSystem) -> None:
    result = run(folder, system, below=10, under="I50.2")
    notes = built(result)
    # I50.22 has two notes, and its three siblings have none.
    assert len(notes) == 12 + 3 * 50
    stats = json.loads((folder / "out" / "stats.json").read_text())
    assert stats == result.stats
    assert stats["strata"]["ultra_tail"] == {
        "codes": 1, "codes with notes": 1, "allocated": 12, "realised": 12
    }  # fmt: skip
    assert stats["strata"]["zero_shot"]["realised"] == 150
    assert stats["allocation"] == {"codes with notes": 4, "allocated": 162, "realised": 162}
    assert stats["code sets"]["cloned"] == 12
    assert stats["code sets"]["neighbour"] == 150
    assert stats["missing"] == {}
    assert stats["training corpus"] == {"notes": 14, "codes that are not billable": 1}
    for note in notes.values():
        codes = [assigned.code for assigned in note.codes]
        assert note.metadata["anchor"] in codes
        assert all(assigned.evidence for assigned in note.codes)
        assert note.origin == "synthetic"
    first = notes["rare-I50.22-1"]
    assert first.metadata == {
        "anchor": "I50.22", "stratum": "ultra_tail", "code_set": "cloned", "neighbour": ""
    }  # fmt: skip
    assert {a.code for a in first.codes} in ({"I50.22", "I10", "N18.31"}, {"I50.22", "I48.91"})


def test_a_part_is_a_part_of_the_whole(folder: Path, system: CodeSystem) -> None:
    whole = built(
        run(folder, system, under="I50", most=3, cooccurrence=str(folder / "train.jsonl"))
    )
    part = built(
        run(folder, system, under="I50.2", most=3, cooccurrence=str(folder / "train.jsonl"))
    )
    assert set(part) < set(whole)
    assert all(whole[identifier] == note for identifier, note in part.items())


def test_counts_and_labels_from_files(folder: Path, system: CodeSystem) -> None:
    (folder / "counts.csv").write_text("code,count\ni5022,50\nI10,100\nI50.9,0\nI99.99,1\n")
    result = run(folder, system, counts=str(folder / "counts.csv"))
    assert result.stats["strata"]["tail"]["allocated"] == 6
    assert result.stats["strata"]["zero_shot"]["allocated"] == 50
    assert result.stats["strata"]["medium"] == {
        "codes": 1, "codes with notes": 0, "allocated": 0, "realised": 0
    }  # fmt: skip
    assert [(row.code, row.reason) for row in rejected(folder)] == [
        ("I99.99", "not a billable code of the release")
    ]
    (folder / "labels.csv").write_text("code,title\nI50.23,x\n\nI50,y\nI50.23\nE78.5\n")
    result = run(folder, system, labels=str(folder / "labels.csv"), under="I50", most=2)
    assert result.stats["allocation"]["allocated"] == 2
    assert [row.code for row in rejected(folder)] == ["I50"]


def test_mentions_come_from_pairs(folder: Path, system: CodeSystem) -> None:
    def pair(number: int, code: str, text: str, source: str = "x") -> SpanPair:
        origin = "restricted" if number == 1 else "public"
        return SpanPair(
            id=f"p{number}", text=text, code=code, grade="gold", source=source, origin=origin
        )

    pairs = [
        pair(1, "I50.22", "chronic HFrEF"),
        pair(2, "I50.22", "Chronic  hfref"),
        pair(3, "I50.22", "chronc HFrEF", "x+variant"),
        pair(4, "I50.22", "long " * 30),
    ]
    write_rows(folder / "pairs.jsonl", pairs)
    strings = read_mention_strings([folder / "pairs.jsonl"], system)
    assert strings.texts["I50.22"] == ["chronic HFrEF"]
    assert strings.restricted == {"I50.22"}
    assert "Heart failure" in strings.texts["I50.9"]
    long = min((s for s in (system.description("W61.61XA"), *system.synonyms("W61.61XA"))), key=len)
    assert read_mention_strings([], system, 3).texts["W61.61XA"] == [long]
    notes = built(run(folder, system, pairs=[str(folder / "pairs.jsonl")], labels=labels(folder)))
    assert {n.origin for n in notes.values()} == {"restricted"}
    assert all("hronic HFrEF" in n.text for n in notes.values())


def labels(folder: Path) -> str:
    (folder / "labels.txt").write_text("I50.22\n")
    return str(folder / "labels.txt")


def test_the_text_of_another_note_is_refused(
    folder: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = SimpleNamespace(Random=lambda seed: random.Random(0))
    monkeypatch.setattr("data_builders.rare_codes.rendering.random", same)
    result = run(folder, system, labels=labels(folder))
    assert result.stats["rejected"]["the text is that of another note"] > 0
    assert result.stats["strata"]["ultra_tail"]["realised"] == result.stats["rows"] < 12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"notes": []}, "nothing says which codes are rare"),
        ({"tries": 3}, "tries: only a model uses it"),
        ({"model": "lexicon"}, "the lexicon is no language model"),
        ({"model": "replay:x", "noise": 0.2}, "noise: not used with a model"),
        ({"model": "replay:x", "engine": {"constraint": "json"}}, "a note is no JSON"),
        ({"bounds": {"head": 5}}, "do not decrease"),
    ],
)
def test_settings_that_do_not_belong_together(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        configure(find_builder("rare_code_notes"), {"notes": ["n.jsonl"], **settings})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("code,count\nI10,1\nI10,2\n", "counts.csv:3: code: a code occurs twice"),
        ("code,count\nI10,many\n", "counts.csv:2: count: not a whole number"),
        ("code,count\n,3\n", "counts.csv:2: code: empty"),
        ("codes,count\n", "counts.csv:1: the column 'code' is missing"),
    ],
)
def test_counts_that_cannot_be_read(
    content: str, message: str, folder: Path, system: CodeSystem
) -> None:
    (folder / "counts.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        run(folder, system, counts=str(folder / "counts.csv"))
    with pytest.raises(UnknownCodeError, match=r"I99\.99"):
        run(folder, system, under="I99.99")


@pytest.mark.slow
def test_processes_and_hash_seeds_change_no_byte(folder: Path) -> None:
    settings = {"notes": "[train.jsonl]", "under": "I50", "cooccurrence": "train.jsonl"}
    runs = {"one": ("0", {}), "two": ("1", {"workers": 2})}
    processes = []
    for name, (seed, more) in runs.items():
        command = [sys.executable, "-m", "cclearn", "build", "rare_code_notes", "--out", name]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        arguments = [f"{key}={value}" for key, value in {**settings, **more}.items()]
        processes.append(
            subprocess.Popen(
                [*command, *arguments], cwd=folder, env=environment, stderr=subprocess.PIPE
            )
        )
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()[-2000:]
    one, two = (files_in(folder / name) for name in runs)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
    assert one["notes.jsonl"].count(b"\n") > 1000  # More notes than a process receives at once.


def test_the_templates_mention_every_code(folder: Path, system: CodeSystem) -> None:
    result = run(folder, system, under="I50.2", most=3, noise=0)
    notes = built(result)
    assert set(result.stats["rejected"]) <= {"the text is that of another note"}
    assert len(notes) >= 8
    for note in notes.values():
        codes = [assigned.code for assigned in note.codes]
        assert note.metadata["anchor"] in codes
        assert all(assigned.evidence for assigned in note.codes)


_ON_A_CLUSTER = """
import json, sys
from pathlib import Path
from cclearn.runtime.ray_cluster import ray_cluster
from data_builders.builder import configure, find_builder
from data_builders.output import build
from data_builders.parallel import on_ray

builder = find_builder("rare_code_notes")
config = configure(builder, json.loads(sys.argv[1]))
build(builder, config, Path("one"))
with ray_cluster("local") as ray:
    build(builder, config, Path("cluster"), parallel_map=on_ray(ray))
"""


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as sockets:
        done = subprocess.run(
            [
                *(sys.executable, "-c", _ON_A_CLUSTER),
                json.dumps({"notes": ["train.jsonl"], "under": "I50", "most": 40}),
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_TMPDIR": sockets},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    one, cluster = (files_in(folder / name) for name in ("one", "cluster"))
    assert one == cluster
    assert one["notes.jsonl"].count(b"\n") > 500


def test_a_dry_run_shows_the_allocation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "answers.jsonl").write_text("")
    arguments = ["build", "rare_code_notes", "notes=[train.jsonl]", "under=I50.2"]
    arguments += ["model=replay:answers.jsonl", "tries=3", "--out", "out", "--dry-run"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert [line.split() for line in lines if line.startswith(("ultra", "zero", "all"))] == [
        ["ultra_tail", "1", "12"],
        ["zero_shot", "3", "150"],
        ["all", "4", "162"],
    ]
    assert any(line.startswith("Requests  162 new") for line in lines)  # No second requests.
    assert not (folder / "out").exists()
