from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.claim import base_models
from benchmarks.claim.base_models import make_base
from benchmarks.claim.data import read_split
from benchmarks.claim.few_shot import examples, measure
from cclearn.codes import CodeSystem
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from tests.benchmarks.claim.corpus import write_corpus
from tests.benchmarks.claim.test_run import TINY


def test_the_examples_are_the_shortest_documents(tmp_path: Path, system: CodeSystem) -> None:
    split = read_split(write_corpus(tmp_path), "dev", 5, False, system)
    lengths = {note.id: len(note.text) for note in split.documents}
    chosen = [note.id for note in examples(split, 2)]
    assert chosen == sorted(chosen)
    assert sorted(lengths.values())[:2] == sorted(lengths[identifier] for identifier in chosen)
    assert examples(split, 0) == []


@pytest.mark.slow
def test_a_second_run_continues_and_another_model_is_refused(
    tmp_path: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "SHAPE", TINY)
    split = read_split(write_corpus(tmp_path / "data"), "dev", 5, False, system)
    models = [tmp_path / "one", tmp_path / "two"]
    for seed, folder in enumerate(models):
        make_base("small", None, seed, split, folder, system)
    work = tmp_path / "work"
    first = measure(models[0], split, [0, 1], work, system, EngineSettings())
    assert (list(first["shots"]), first["notes"]) == (["0", "1"], 6)
    assert all(0 <= found["scores"]["micro_f1"]["value"] <= 1 for found in first["shots"].values())
    coded = {path: path.stat().st_mtime_ns for path in work.glob("few_shot/*/shards/*")}
    assert coded
    second = measure(models[0], split, [0, 1], work, system, EngineSettings())
    assert {p: p.stat().st_mtime_ns for p in work.glob("few_shot/*/shards/*")} == coded
    assert {n: f["scores"] for n, f in second["shots"].items()} == {
        n: f["scores"] for n, f in first["shots"].items()
    }
    with pytest.raises(ConfigurationError, match="model_sha256"):
        measure(models[1], split, [0, 1], work, system, EngineSettings())
