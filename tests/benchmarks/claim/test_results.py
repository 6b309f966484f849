from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.claim import run_tables, tables
from benchmarks.claim.arm_tables import arm_table, share_table
from benchmarks.claim.compare import REFERENCES, paired_modes
from benchmarks.claim.results import (
    RESULTS,
    ArmResults,
    Reached,
    arm_and_seed,
    read_results,
    spread,
    token_shares,
)
from benchmarks.markdown import filled
from cclearn.errors import ConfigurationError


def result(*points: tuple[int, float]) -> dict[str, Any]:
    """Return a result with the given numbers of tokens and values of macro F1."""
    return {
        "identity": {"arm": {"tokens": 1000}, "code_sha256": "c", "device": "cpu"},
        "points": [
            {
                "tokens": tokens,
                "seconds": tokens / 100,
                "modes": {"single_pass": {"scores": {"macro_f1": {"value": value}}}},
            }
            for tokens, value in points
        ],
    }


def test_the_share_of_tokens_is_that_of_the_first_point_that_is_good_enough() -> None:
    documents = ArmResults(
        "documents", {0: result((500, 0.1), (1000, 0.2)), 1: result((1000, 0.5))}
    )
    mixed = ArmResults(
        "mixed", {0: result((100, 0.1), (250, 0.2), (500, 0.1)), 1: result((900, 0.4))}
    )
    assert token_shares(mixed, documents) == {0: Reached(0.1, 0.25), 1: Reached(0.9, None)}


def test_every_model_has_the_score_of_a_reference_without_any() -> None:
    reference = ArmResults("documents", {0: result((1000, 0.0))})
    assert token_shares(ArmResults("mixed", {0: result((100, 0.1))}), reference) == {}


def test_points_that_were_not_coded_in_a_mode_are_passed_over() -> None:
    reference, arm = result((1000, 0.2)), result((100, 0.3), (400, 0.3))
    for point in (reference["points"][0], arm["points"][1]):
        point["modes"]["span_loop"] = point["modes"]["single_pass"]
    shares = token_shares(ArmResults("a", {0: arm}), ArmResults("b", {0: reference}), "span_loop")
    assert shares == {0: Reached(0.0, 0.4)}


def test_results_are_read_by_setting_arm_and_seed(tmp_path: Path) -> None:
    (tmp_path / "small-50").mkdir()
    for name in ("documents-seed0", "mixed-1-16-seed1", "span-then-document-1-4-seed0"):
        (tmp_path / "small-50" / f"{name}.json").write_text(json.dumps(result((1, 0.5))))
    (tmp_path / "small-50" / "comparisons.json").write_text("[]")
    found = read_results(tmp_path)["small-50"]
    assert {name: list(arm.seeds) for name, arm in found.items()} == {
        "documents": [0],
        "mixed 1:16": [1],
        "span-then-document 1:4": [0],
    }
    assert found["documents"].values("macro_f1") == [0.5]
    assert found["documents"].values("macro_f1", "span_loop") == []


def test_arms_of_different_code_or_tokens_are_not_read_together(tmp_path: Path) -> None:
    (tmp_path / "small-50").mkdir()
    for name, code in (("documents-seed0", "c"), ("mixed-1-4-seed0", "d")):
        found = result((1, 0.5))
        found["identity"]["code_sha256"] = code
        (tmp_path / "small-50" / f"{name}.json").write_text(json.dumps(found))
    with pytest.raises(ConfigurationError, match="code_sha256 is c and d"):
        read_results(tmp_path)


def test_the_intervals_of_all_results_contain_the_values() -> None:
    def scores(found: Any) -> Iterator[dict[str, Any]]:
        if isinstance(found, dict) and found.keys() >= {"value", "low", "high"}:
            yield found
        elif isinstance(found, dict | list):
            for part in found.values() if isinstance(found, dict) else found:
                yield from scores(part)

    for path in sorted(RESULTS.parent.rglob("*.json")):
        for score in scores(json.loads(path.read_text(encoding="utf-8"))):
            if score["low"] is not None:
                assert score["low"] <= score["value"] <= score["high"], path.name


def test_a_missing_arm_is_shown_as_missing() -> None:
    table = arm_table(
        {"documents": ArmResults("documents", {0: result((10**6, 0.25))})}, "single_pass"
    )
    rows = {line.split(" | ")[0].strip("| "): line for line in table.splitlines()}
    assert "0.250" in rows["documents only"]
    assert rows["mixed 1:4"].count("missing") >= 2


def test_the_systems_beside_the_arms_have_the_same_data() -> None:
    for setting, arms in read_results().items():
        path = RESULTS / f"baselines-{setting.split('-')[1]}.json"
        beside = json.loads(path.read_text(encoding="utf-8"))["identity"]["data_sha256"]
        for arm in arms.values() if not setting.endswith("-codes") else ():
            for found in arm.seeds.values():
                assert found["identity"]["data_sha256"] == beside, (setting, arm.name)


def test_references_have_a_share_too() -> None:
    documents = ArmResults("documents", {0: result((500, 0.25), (1000, 0.2))})
    table = share_table({"small-50": {"documents": documents}})
    (row,) = (line for line in table.splitlines() if "50 documents | documents only" in line)
    assert "| ≤ 50 % |" in row


def test_a_run_has_its_intervals_and_its_points() -> None:
    found = result((500_000, 0.1), (10**6, 0.2))
    scores = found["points"][-1]["modes"]["single_pass"]["scores"]
    scores["micro_f1"] = {"value": 0.3, "low": 0.25, "high": 0.35}
    scores["macro_f1"] |= {"low": None, "high": None}
    scores["frequency/tail/micro_f1"] = {"value": 0.125, "low": None, "high": None}
    results = {"small-50": {"documents": ArmResults("documents", {1: found})}}
    (row,) = run_tables.end_table(results).splitlines()[2:]
    assert "| 1 | `single_pass` | 0.300 (0.250–0.350) | 0.200 | – |" in row
    assert row.endswith("| – | 0.125 | – |")
    points = run_tables.point_table(results).splitlines()[2:]
    assert [point.split(" | ")[3:] for point in points] == [
        ["0.50", "5000", "–", "0.100", "–", "– |"],
        ["1.00", "10000", "0.300", "0.200", "–", "– |"],
    ]


def test_arms_are_compared_with_the_same_strings() -> None:
    def modes(*names: str) -> dict[str, Any]:
        return {"points": [{"modes": {name: {} for name in ("single_pass", *names)}}]}

    mixed, documents = modes("span_loop"), modes("span_loop", "span_loop_all_spans")
    own = modes("span_loop", "span_loop_all_spans")
    same = [("single_pass", "single_pass"), ("span_loop", "span_loop")]
    assert list(paired_modes(mixed, documents)) == [*same, ("span_loop", "span_loop_all_spans")]
    assert list(paired_modes(own, documents)) == [*same, ("span_loop_all_spans",) * 2]
    assert list(paired_modes(documents, mixed)) == same
    assert list(paired_modes(modes(), documents)) == same[:1]
    for path in sorted(RESULTS.glob("*/comparisons.json")):
        pairs = [
            (one["arm"], one["reference"], *one["modes"])
            for one in json.loads(path.read_text(encoding="utf-8"))
        ]
        assert len(set(pairs)) == len(pairs)
        assert all(reference.rpartition("-seed")[0] in REFERENCES for _, reference, *_ in pairs)
        # Arms with fewer strings are not compared as if they had all.
        assert not [
            p for p in pairs if "own-spans" in p[0] and p[2:] == (same[1][0], "span_loop_all_spans")
        ]


def test_spread() -> None:
    assert spread([]) == "missing"
    assert spread([0.5]) == "0.500"
    assert spread([0.25, 0.5]) == "0.375 (0.250–0.500)"


@pytest.mark.parametrize("path", tables.PAGES, ids=lambda path: path.stem)
def test_the_pages_have_the_figures_of_the_results(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert filled(page, tables.blocks()) == page, "run python -m benchmarks.claim.tables"


def test_labels_that_name_no_arm_are_refused() -> None:
    with pytest.raises(ValueError, match="label \\(mixed\\)"):
        arm_and_seed("mixed")


def test_a_block_that_is_not_generated_is_an_error() -> None:
    with pytest.raises(KeyError):
        filled("<!-- other -->\n<!-- end -->", tables.blocks())
