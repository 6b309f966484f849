from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.engines.settings import EngineSettings
from cclearn.errors import CclearnError, ConfigurationError, DataError
from cclearn.evaluation import Comparison
from cclearn.evaluation.corpora import find_corpus, options_of
from cclearn.evaluation.results import Result
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.prompts import document_answer
from cclearn.runtime.files import sha256_of_file, write_json
from cclearn.runtime.parsing import read_json
from cclearn.workflows.benchmark import BenchmarkData, BenchmarkSettings, run_benchmark
from data_builders.builder import configure, find_builder
from data_builders.output import build
from tests.coding.calibration.test_model import made
from tests.engines.servers import completion, serving
from tests.models import random_engine

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> Path:
    """Synthetic notes, twelve for the test and ten for training."""
    root = tmp_path_factory.mktemp("synthetic")
    spans, notes = find_builder("icd10cm"), find_builder("template_notes")
    pairs = build(spans, configure(spans, {"under": "I21"}), root / "pairs", system).data
    for split, count, seed in (("train", 10, 1), ("test", 12, 2)):
        settings = {"pairs": str(pairs), "notes": count, "seed": seed}
        build(notes, configure(notes, settings), root / split, system)
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model's folder, as a recipe writes it."""
    saved = tmp_path_factory.mktemp("models") / "random"
    engine = random_engine()
    engine.model.save_pretrained(saved)
    engine.tokenizer.save_pretrained(saved)
    (saved / "manifest.json").write_text('{"tokens_seen": 123, "seconds": 4.5, "gpu_seconds": 9}')
    return saved


def run(
    folder: Path, out: Path, system: CodeSystem, *models: str, **settings: object
) -> Comparison:
    corpus = find_corpus("synthetic")
    data = BenchmarkData(corpus, folder, options_of(corpus, {}), system)
    benchmark = BenchmarkSettings(models, draws=20, **settings)  # type: ignore[arg-type]
    return run_benchmark(data, benchmark, out).comparison


def test_models_are_coded_and_scored_on_the_same_notes(
    folder: Path, model: Path, tmp_path: Path, system: CodeSystem
) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(f"lexicon: {{hour: 3600}}\n{model}: {{prompt: 1.0, answer: 2.0}}\n")
    out = tmp_path / "out"
    found = run(folder, out, system, "lexicon", str(model), prices=prices)
    assert list(found.evaluations) == ["lexicon", "random"]
    assert {p.name for p in out.iterdir()} == {
        ".cclearn.json",
        "codes.csv",
        "predictions",
        "metrics.json",
        "report.html",
        "report.md",
        "scores.csv",
        "scores.xlsx",
    }
    gold = list(read_coded_notes(folder / "test" / "notes.jsonl", system))
    coded = list(read_coded_notes(out / "predictions" / "lexicon.jsonl"))
    assert [note.id for note in coded] == [note.id for note in gold]
    assert [n.codes for n in coded] == [
        n.codes for n in Coder.lexicon(system).code_many(n.note for n in gold)
    ]
    result = json.loads((out / "metrics.json").read_text())
    assert Result.model_validate(result)
    assert result["described"]["benchmark"]["name"] == "synthetic"
    assert set(result["sha256"]) == {"gold", "lexicon", "random"}
    cost = result["described"]["cost"]
    assert cost["lexicon"]["prompt_tokens"] == 0
    # An hour costs 3,600: a second 1.
    assert cost["lexicon"]["price"] == pytest.approx(cost["lexicon"]["seconds"], abs=1e-3)
    assert cost["random"]["prompt_tokens"] > 10
    assert (cost["random"]["training_tokens"], cost["random"]["training_seconds"]) == (123, 4.5)
    assert (cost["random"]["training_gpu_seconds"], cost["random"]["gpu_seconds"]) == (9, 0.0)
    assert cost["random"]["peak_mib"] > 50
    read, written = cost["random"]["prompt_tokens"], cost["random"]["answer_tokens"]
    assert cost["random"]["price"] == pytest.approx((read + 2 * written) / 1e6, rel=0.01)
    assert result["differences"][0]["first"] == "lexicon"
    assert result["described"]["models"]["lexicon"]["prompt_sha256"] == ""
    assert result["described"]["models"]["lexicon"]["calibration"] is None
    for name in ("metrics.json", "scores.csv", "report.html", "report.md"):
        content = (out / name).read_text()
        assert not [n.id for n in gold if n.text[:40] in content]
    assert (out / "predictions" / "lexicon.jsonl").stat().st_mode & 0o077 == 0
    assert "training tokens" in (out / "report.html").read_text()
    assert "| training tokens | – | 123 |" in (out / "report.md").read_text()
    bounds = result["described"]["bounds"]
    names = ["most frequent codes", "lexicon, perfectly filtered", "random, perfectly filtered"]
    assert sorted(bounds) == sorted(names)
    assert bounds["lexicon, perfectly filtered"]["micro_f1"] >= found.evaluations["lexicon"].value(
        "micro_f1"
    )
    assert "## Bounds" in (out / "report.md").read_text()
    # The codes of training notes are counted.
    assert found.evaluations["lexicon"].value("seen/micro_recall") is not None
    with pytest.raises(CclearnError, match="--overwrite"):
        run(folder, out, system, "lexicon")


def test_a_calibrated_model_is_scored_by_its_decisions(
    folder: Path, tmp_path: Path, system: CodeSystem
) -> None:
    calibration = made(
        Coder.lexicon(system), curve={"method": "platt", "intercept": 3.0, "coefficients": {}}
    )
    write_json(tmp_path / "c.json", calibration.model_dump(mode="json"))
    out = tmp_path / "out"
    found = run(folder, out, system, "lexicon", calibration=str(tmp_path / "c.json"))
    assert found.evaluations["lexicon"].value("decision/accept/share") == 1.0
    result = json.loads((out / "metrics.json").read_text())
    described = result["described"]["models"]["lexicon"]["calibration"]
    assert described["thresholds"]["accept"] == 0.8
    assert "precision, accepted codes" in (out / "report.md").read_text()


def test_tokens_of_a_server_are_priced(folder: Path, tmp_path: Path, system: CodeSystem) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("openai:tiny: {prompt: 1.0, answer: 2.0}\n")
    with serving(completion("none")) as server:
        engine = EngineSettings(base_url=server.url, cache=Path("off"))
        run(folder, tmp_path / "out", system, "openai:tiny", prices=prices, engine=engine)
        assert len(server.asked) == 12
    result = json.loads((tmp_path / "out" / "metrics.json").read_text())
    cost = result["described"]["cost"]["tiny"]
    # 10 tokens read and 4 written a note.
    assert (cost["prompt_tokens"], cost["answer_tokens"]) == (10, 4)
    assert cost["price"] == pytest.approx(18e-6)


def test_examples_precede_the_note_in_the_prompt(
    folder: Path, model: Path, tmp_path: Path, system: CodeSystem
) -> None:
    run(folder, tmp_path / "none", system, str(model), limit=2)
    run(folder, tmp_path / "two", system, str(model), limit=2, shots=2)
    costs = [
        json.loads((tmp_path / name / "metrics.json").read_text())["described"]["cost"]["random"]
        for name in ("none", "two")
    ]
    assert costs[1]["prompt_tokens"] > 2 * costs[0]["prompt_tokens"]
    example: CodedNote = next(
        note for note in read_coded_notes(folder / "train" / "notes.jsonl") if note.codes
    )
    coder = Coder.load(model, system, examples=[example])
    prompt = coder.request(example.note).prompt  # type: ignore[attr-defined]
    assert [turn["role"] for turn in prompt] == ["user", "assistant", "user"]
    assert prompt[1]["content"].startswith("- ")
    assert prompt[0] == prompt[2]


def test_a_training_split_that_cannot_be_read_gives_a_warning(
    folder: Path, tmp_path: Path, system: CodeSystem
) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "train" / "notes.jsonl").write_text("not a note\n")
    found = run(tmp_path / "copy", tmp_path / "out", system, "lexicon")
    (warning,) = found.warnings
    assert warning.startswith("Scores by training frequency are left out: ")
    assert "notes.jsonl:1" in warning
    result = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert result["warnings"] == [warning]
    assert warning.split(":")[0] in (tmp_path / "out" / "report.html").read_text()


def test_errors_name_models_and_prices_that_cannot_be_used(
    folder: Path,
    model: Path,
    tmp_path: Path,
    system: CodeSystem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    out = tmp_path / "out"
    for models, settings, message in (
        (["lexicon", "lexicon"], {}, "the name lexicon is used twice"),
        (["openai:gpt"], {}, r"OPENAI_API_KEY \(server = api\.openai\.com\): it is not set"),
        (["lexico", "gtp:x"], {}, r"Did you mean 'lexicon'(.|\n)*there is no engine gtp"),
        (["replay:none.jsonl"], {}, "no such file"),
        ([str(model)], {"shots": 99}, r"shots \(shots = 99\): \d+ notes"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            run(folder, out, system, *models, **settings)
        assert not out.exists()
    prices = tmp_path / "prices.yaml"
    for content, message in (
        ("- 1", "not a table of prices"),
        ("lexicon: {hour: 1" + "0" * 400 + "}", "not a table of prices"),
        ("lexicon: &r {hour: *r}", "a value contains itself"),
        ("lexicon: {token: 1}", "unknown: token"),
        ("other: {hour: 1}", "no price of lexicon"),
        ("lexicon: {hour: -1, prompt: .nan}", "lexicon: hour, lexicon: prompt"),
        ("lexicon: {hour: true}", "not a table of prices"),
    ):
        prices.write_text(content)
        with pytest.raises(DataError, match=message):
            run(folder, out, system, "lexicon", prices=prices)
    with pytest.raises(DataError, match="contains none of"):
        run(tmp_path, out, system, "lexicon")
    assert not out.exists()


def test_pairs_add_phrases_to_the_lexicon(folder: Path, tmp_path: Path, system: CodeSystem) -> None:
    pairs = tmp_path / "pairs.jsonl"
    notes = read_coded_notes(folder / "test" / "notes.jsonl", system)
    text = next(note for note in notes if note.codes).codes[0].evidence[0].text
    phrase = SpanPair(
        id="1",
        text=text,
        code="R52",
        system=system.name,
        release=system.release,
        grade="gold",
        source="test",
    )
    write_rows(pairs, [phrase])
    run(folder, tmp_path / "out", system, "lexicon", pairs=pairs)
    result = read_json(tmp_path / "out" / "metrics.json")
    assert result["described"]["pairs_sha256"] == sha256_of_file(pairs)
    coded = read_coded_notes(tmp_path / "out" / "predictions" / "lexicon.jsonl")
    assert any(assigned.code == "R52" for note in coded for assigned in note.codes)


def test_an_edition_map_adds_scores_and_is_read_before_notes_are_coded(
    folder: Path, tmp_path: Path, system: CodeSystem
) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError, match="no such file"):
        run(folder, out, system, "lexicon", edition_map=str(tmp_path / "none.csv"))
    assert not out.exists()
    found = run(folder, out, system, "lexicon", edition_map="packaged")
    assert any("the edition map has no code of the gold" in line for line in found.warnings)
    lexicon = found.evaluations["lexicon"]
    assert lexicon.value("edition_map/micro_f1") == lexicon.value("micro_f1")
    assert "edition_map" in read_json(out / "metrics.json")["sha256"]


def test_scored_notes_are_not_used_as_examples(
    tmp_path: Path, folder: Path, system: CodeSystem
) -> None:
    corpus = find_corpus("jsonl")
    test = list(read_coded_notes(folder / "test" / "notes.jsonl", system))
    write_rows(tmp_path / "test.jsonl", test)
    out = tmp_path / "out"
    data = BenchmarkData(corpus, tmp_path / "test.jsonl", options_of(corpus, {}), system)
    found = run_benchmark(data, BenchmarkSettings(("lexicon",), draws=0), out).comparison
    assert "contains only the scored notes" in found.warnings[-1]
    assert found.evaluations["lexicon"].value("unseen/micro_recall") is None
    with pytest.raises(ConfigurationError, match="0 notes of the training split"):
        run_benchmark(data, BenchmarkSettings(("lexicon",), shots=1), tmp_path / "x")


def test_an_output_folder_that_contains_an_input_is_refused(
    tmp_path: Path, folder: Path, system: CodeSystem
) -> None:
    corpus = find_corpus("synthetic")
    data = BenchmarkData(corpus, folder, options_of(corpus, {}), system)
    settings = BenchmarkSettings(("lexicon",), draws=0)
    with pytest.raises(ConfigurationError, match="is in it"):
        run_benchmark(data, settings, folder, overwrite=True)
    assert (folder / "test" / "notes.jsonl").exists()


def test_a_report_describes_the_run_and_the_differences_of_systems(
    folder: Path, tmp_path: Path, system: CodeSystem
) -> None:
    answers = tmp_path / "theirs.jsonl"
    notes = list(read_coded_notes(folder / "test" / "notes.jsonl", system))
    rows = [{"id": note.id, "answer": document_answer(note)} for note in notes[1:]]
    rows[0]["answer"] = "- words that no note has => I21.4"
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    found = run(folder, out, system, "lexicon", f"replay:{answers}", limit=7)
    theirs = found.evaluations["theirs"]
    assert theirs.value("ungrounded_rate") > 0  # type: ignore[operator]
    assert "1 of 7 notes are flagged no_answer" in theirs.warnings
    for page in ("report.html", "report.md"):
        text = (out / page).read_text()
        assert "7 notes." in text
        assert "Benchmark synthetic: split test" in text
        assert "limit 7" in text
        assert "lexicon less theirs" in text
        assert "theirs: 1 of 7 notes are flagged no_answer." in text
    described = json.loads((out / "metrics.json").read_text())["described"]["models"]
    assert described["lexicon"]["grounded"]
    assert not described["theirs"]["grounded"]
    assert len(described["theirs"]["prompt_sha256"]) == 64
