from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.cli.main import main
from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.engines.local import LocalEngine
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.evaluation import Settings
from cclearn.evaluation.metrics.spans import evaluate_spans
from cclearn.notes import SpanPair
from cclearn.notes.contract import Grade
from cclearn.notes.jsonl import write_rows
from cclearn.workflows.score import ScoringOptions, score_spans
from tests.evaluation.notes import note


def pair(number: int, code: str, grade: Grade = "gold", text: str = "x") -> SpanPair:
    return SpanPair(id=str(number), text=text, code=code, release="r", grade=grade, source="test")


def test_a_fixture_counted_by_hand(system: CodeSystem) -> None:
    gold = [pair(1, "I21.4"), pair(2, "I10"), pair(3, "e119", "silver"), pair(4, "J18.9", "silver")]
    answers = [["I21.4"], ["I21.4", "E11.9", "I10"], ["E11.8", "I10", "I21.4", "E11.9"], []]
    settings = Settings(draws=50, training={"I21.4": 3, "E11.9": 1})
    found = evaluate_spans(gold, {"a": answers, "b": answers}, system, settings)
    ours = found.evaluations["a"]
    for name, expected in {
        "accuracy": 1 / 4,
        "top_3": 2 / 4,
        "top_5": 3 / 4,
        "category_accuracy": 2 / 4,
        "answered": 3 / 4,
        "grade/gold/accuracy": 1 / 2,
        "grade/silver/accuracy": 0,
        "seen/accuracy": 1 / 2,
        "unseen/accuracy": 0,
    }.items():
        assert ours.value(name) == pytest.approx(expected), name
    assert ours.missing == ("4",)
    score = ours.scores["accuracy"]
    assert score.low is not None
    assert score.high is not None
    assert score.low <= 0.25 <= score.high
    assert found.differences["a", "b"]["top_3"].value == 0
    with pytest.raises(CclearnError, match="1 for 4 spans"):
        evaluate_spans(gold, {"a": [["I10"]]}, system, settings)
    with pytest.raises(CclearnError, match="nothing to score against"):
        evaluate_spans([], {"a": []}, system, settings)


def test_the_lexicon_codes_spans(system: CodeSystem) -> None:
    spans = ["Essential hypertension", "seen for acute heart failure", "hart failure", "xyzzy", ""]
    first, second, third, *nothing = Coder.lexicon(system).code_spans(spans)
    assert first[0] == "I10"
    assert second[0] == "I50.9"
    assert len(set(third)) == len(third) > 3
    assert all(system.is_billable(code) for code in third)
    assert nothing == [[], []]


def test_a_model_codes_spans(random_engine: LocalEngine, system: CodeSystem) -> None:
    from cclearn.coding.single_pass.coder import LLMCoder

    coder = LLMCoder(random_engine, system)
    answers = list(coder.code_spans(["heart\nfailure", 'a "quote" => x', "é"]))
    assert [len(codes) for codes in answers] == [1, 1, 1]
    assert all(system.is_billable(codes[0]) for codes in answers)
    assert coder.usage.prompt_tokens > 0


def test_files_of_spans_are_scored(tmp_path: Path, system: CodeSystem) -> None:
    pairs, train = tmp_path / "pairs.jsonl", tmp_path / "train.jsonl"
    texts = ["Essential hypertension", "Heart failure", "Pneumonia", "secret words of a note"]
    codes = ["I10", "I50.9", "J18.9", "I10"]
    rows = [pair(n, c, text=t) for n, (t, c) in enumerate(zip(texts, codes, strict=True))]
    write_rows(pairs, rows)
    write_rows(train, [note("1", {"I10": []})])
    out = tmp_path / "out"
    options = ScoringOptions(out, train, draws=20)
    found = score_spans(pairs, ["lexicon"], system, options).comparison
    assert found.evaluations["lexicon"].value("accuracy") == 0.75
    assert found.evaluations["lexicon"].value("unseen/accuracy") == 1.0
    for name in ("metrics.json", "report.html", "report.md", "spans/lexicon.jsonl"):
        assert "secret" not in (out / name).read_text()
    lines = (out / "spans" / "lexicon.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == {"0", "1", "2", "3"}
    with pytest.raises(ConfigurationError, match="the name lexicon is used twice"):
        score_spans(pairs, ["lexicon", "lexicon"], system)
    (tmp_path / "gold").mkdir()
    with pytest.raises(ConfigurationError, match="the name gold is used twice, or reserved"):
        score_spans(pairs, [str(tmp_path / "gold")], system)
    few = score_spans(pairs, ["lexicon"], system, ScoringOptions(draws=0), limit=2).comparison
    assert few.evaluations["lexicon"].notes == 2


def test_known_pairs_add_their_strings(
    tmp_path: Path,
    system: CodeSystem,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spans, known, out = (tmp_path / name for name in ("spans.jsonl", "known.jsonl", "out"))
    write_rows(spans, [pair(1, "R50.9", text="calentura")])
    write_rows(known, [pair(2, "R50.9", text="Calentura")])
    alone = score_spans(spans, ["lexicon"], system, ScoringOptions(draws=0)).comparison
    assert alone.evaluations["lexicon"].value("accuracy") == 0
    command = f"cclearn spans {spans} --model lexicon --pairs {known} --out {out} --draws 0 --json"
    monkeypatch.setattr("sys.argv", command.split())
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    result = json.loads(capsys.readouterr().out)
    assert result["systems"]["lexicon"]["scores"]["accuracy"]["value"] == 1
    assert set(json.loads((out / "metrics.json").read_text())["sha256"]) == {"gold", "pairs"}
    with pytest.raises(CclearnError, match="missing"):
        score_spans(spans, ["lexicon"], system, pairs=tmp_path / "missing.jsonl")


def test_spans_without_an_answer_give_a_warning(system: CodeSystem, tmp_path: Path) -> None:
    pairs, answers = tmp_path / "pairs.jsonl", tmp_path / "answers.jsonl"
    write_rows(
        pairs,
        [
            SpanPair(id=name, text="x", code="I10", release="x", grade="gold", source="test")
            for name in "abc"
        ],
    )
    # A replay knows spans by their place; it has an answer to the second.
    answers.write_text('{"id": "1", "answer": "- x => I10"}\n')
    found = score_spans(
        pairs, [f"replay:{answers}"], system, ScoringOptions(tmp_path / "out", draws=0)
    ).comparison
    (warning,) = found.warnings
    assert warning == "answers: 2 of 3 spans have no answer (no_answer), and count as wrong"
    assert warning in (tmp_path / "out" / "report.md").read_text()
