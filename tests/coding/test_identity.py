from __future__ import annotations

from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.coding.identity import Difference, coder_manifest, difference, flatten
from cclearn.coding.settings import CoderSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import write_rows

PAIR = SpanPair(
    id="a", text="sugar trouble", code="E11.9", release="x", grade="gold", source="test"
)


def test_leaves_have_dotted_keys() -> None:
    nested = {"a": {"b": [1, {"c": 2}], "d": {}}, "e": [], "f": None}
    assert dict(flatten(nested)) == {
        "a.b.0": 1,
        "a.b.1.c": 2,
        "a.d": {},
        "e": [],
        "f": None,
    }


def test_differences_are_sorted_and_shortened() -> None:
    stored = {"z": "1" * 64, "a": {"seed": 0}, "same": [1]}
    present = {"a.seed": 1, "same": [1], "empty": {}, "z": "2" * 64}
    assert difference(stored, present) == [
        Difference("a.seed", "0", "1"),
        Difference("z", "111111111111…", "222222222222…"),
    ]
    assert difference(stored, stored) == []


def test_a_manifest_names_every_file(tmp_path: Path, system: CodeSystem) -> None:
    write_rows(tmp_path / "pairs.jsonl", [PAIR])
    (tmp_path / "answers.jsonl").write_text('{"id": "n", "answer": "none"}\n')
    replay = f"replay:{tmp_path}/answers.jsonl"
    plain = coder_manifest(CoderSettings(), system)
    assert list(plain) == ["cclearn", "coder", "code_system"]
    assert plain["coder"]["sha256"] == {}
    assert "examples_sha256" not in plain["coder"]
    variants = [
        CoderSettings(pairs=tmp_path / "pairs.jsonl"),
        CoderSettings(pairs=(PAIR,)),
        CoderSettings(replay),
        CoderSettings(replay, loop=LoopSettings(recogniser=replay)),
        CoderSettings(replay, examples=(CodedNote(id="e", text="cough"),)),
        CoderSettings(calibration="off"),
        CoderSettings(encounter="outpatient"),
        CoderSettings(assertion="off"),
    ]
    manifests = [plain, *(coder_manifest(settings, system) for settings in variants)]
    for number, manifest in enumerate(manifests):
        for other in manifests[:number]:
            assert difference(manifest, other)
    assert list(manifests[4]["coder"]["sha256"]) == ["model answers", "recogniser answers"]
