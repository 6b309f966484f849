"""An arm from the data to its scores, with a small model and few tokens."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from benchmarks.claim import base_models, run
from benchmarks.claim.arms import Arm, ArmName
from benchmarks.claim.compare import compare
from benchmarks.claim.data import read_split
from benchmarks.claim.identity import arm_identity, bind
from benchmarks.claim.points import POINTS, PointKeeper
from benchmarks.claim.results import COMPARISONS
from benchmarks.claim.run import Setting, run_arm
from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.runtime.files import write_json
from cclearn.runtime.parsing import read_json
from tests.benchmarks.claim.corpus import write_corpus

TINY = {
    "hidden_size": 32,
    "layers": 1,
    "heads": 2,
    "intermediate_size": 64,
    "vocabulary": 600,
}
SETTING = Setting("small", 5, False, "dev")


@pytest.mark.parametrize("name", get_args(ArmName))
def test_the_shares_of_an_arm_sum_to_one(name: Any) -> None:
    shares = Arm(name, 4, 1000, 0).shares()
    assert sum(shares.values()) == pytest.approx(1)
    if "documents" in shares and len(shares) > 1:
        assert shares["documents"] == pytest.approx(0.2)


def test_an_arm_is_bound_to_its_data_and_settings(tmp_path: Path, system: CodeSystem) -> None:
    data, folder = write_corpus(tmp_path / "data"), tmp_path / "arm"
    folder.mkdir()
    arm = Arm("mixed", 4, 1000, 0)

    def identity(of: Arm) -> dict[str, Any]:
        return arm_identity(of, read_split(data, "dev", 5, False, system), None)

    bind(folder, identity(arm))
    bind(folder, identity(arm))
    with pytest.raises(ConfigurationError, match=r"arm\.tokens was 1000 and is 2000\. Set it back"):
        bind(folder, identity(replace(arm, tokens=2000)))
    text = data / "codiesp" / "train" / "text_files" / "train0.txt"
    text.write_text(text.read_text(encoding="utf-8") + " Fin.", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="data_sha256") as error:
        bind(folder, identity(arm))
    assert "Paciente" not in str(error.value)


@pytest.mark.slow
def test_an_arm_that_is_stopped_ends_like_one_that_is_not(
    tmp_path: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "SHAPE", TINY)
    data = write_corpus(tmp_path / "data")
    arm = Arm("mixed", 1, 100_000, 0)
    whole = run_arm(arm, SETTING, None, data, tmp_path / "whole", system)
    assert [p["step"] for p in whole["points"]] == sorted({p["step"] for p in whole["points"]})
    assert len(whole["points"]) == len(POINTS["small"]) + 1
    assert whole["points"][-1]["tokens"] == pytest.approx(arm.tokens, rel=0.02)
    assert all(set(p["modes"]) == {"single_pass", "span_loop"} for p in whole["points"])

    stopped = 0
    code_point = run.code_point

    def stop_once(*arguments: Any) -> Any:
        nonlocal stopped
        stopped += 1
        if stopped == 3:
            raise KeyboardInterrupt
        return code_point(*arguments)

    monkeypatch.setattr(run, "code_point", stop_once)
    with pytest.raises(KeyboardInterrupt):
        run_arm(arm, SETTING, None, data, tmp_path / "stopped", system)
    resumed = run_arm(arm, SETTING, None, data, tmp_path / "stopped", system)
    assert _without_seconds(resumed) == _without_seconds(whole)


@pytest.mark.slow
def test_a_run_that_is_stopped_within_training_keeps_its_points(
    tmp_path: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "SHAPE", TINY)
    data = write_corpus(tmp_path / "data")
    arm = Arm("spans", 1, 100_000, 0)

    class Stopping(PointKeeper):
        def __call__(self, step: int, total: int, loss: float | None) -> None:
            super().__call__(step, total, loss)
            if step == total // 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(run, "PointKeeper", Stopping)
    with pytest.raises(KeyboardInterrupt):
        run_arm(arm, SETTING, None, data, tmp_path / "work", system)
    monkeypatch.setattr(run, "PointKeeper", PointKeeper)
    resumed = run_arm(arm, SETTING, None, data, tmp_path / "work", system)
    shutil.rmtree(tmp_path / "work" / "dev")
    whole = run_arm(arm, SETTING, None, data, tmp_path / "work", system)
    assert _without_seconds(resumed) == _without_seconds(whole)


@pytest.mark.slow
def test_arms_are_compared_with_documents_only(
    tmp_path: Path,
    system: CodeSystem,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(base_models, "SHAPE", TINY)
    data, work = write_corpus(tmp_path / "data"), tmp_path / "work"
    results = tmp_path / "results" / SETTING.name
    for name in ("documents", "own-spans", "span-then-document"):
        arm = Arm(name, 4, 50_000, 0)
        result = run_arm(arm, SETTING, None, data, work, system)
        assert result["points"][-1]["tokens"] == pytest.approx(arm.tokens, rel=0.02)
        write_json(results / f"{arm.label}.json", result)
    assert len(result["points"]) == 1
    compared = compare(results, data, work, system)
    modes = [["single_pass"] * 2, ["span_loop"] * 2]
    models = [["span_loop_all_spans"] * 2, ["span_loop", "span_loop_all_spans"]]
    assert [entry["modes"] for entry in compared] == [
        mode for model in (models[0], models[1], models[1]) for mode in (*modes, model)
    ]
    assert [(entry["arm"], entry["reference"]) for entry in compared[::3]] == [
        ("own-spans-1-4-seed0", "documents-seed0"),
        ("span-then-document-1-4-seed0", "documents-seed0"),
        ("span-then-document-1-4-seed0", "own-spans-1-4-seed0"),
    ]
    identity = work / "dev" / SETTING.name / "documents-seed0" / "identity.json"
    write_json(identity, {**read_json(identity), "code_sha256": "other"})
    with pytest.raises(ConfigurationError, match="the result of documents-seed0 is not from it"):
        compare(results, data, work, system)
    # Without its work folder, an arm keeps the differences of the same results.
    write_json(results / COMPARISONS, compared)
    shutil.rmtree(work)
    assert compare(results, data, work, system) == compared
    changed = results / "documents-seed0.json"
    write_json(changed, {**read_json(changed), "commit": "other"})
    kept = compare(results, data, work, system)
    assert kept == [entry for entry in compared if entry["reference"] != "documents-seed0"]
    assert "documents-seed0 are not compared, without" in capsys.readouterr().err


def _without_seconds(result: dict[str, Any]) -> Any:
    return json.loads(
        json.dumps(result), object_hook=lambda d: {k: v for k, v in d.items() if k != "seconds"}
    )
