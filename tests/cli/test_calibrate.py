from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cclearn import Coder, Note
from cclearn.cli.calibrate import calibrate_command
from cclearn.codes import CodeSystem
from cclearn.coding.calibration.model import read_calibration
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from cclearn.models import model_hash
from cclearn.notes import AssignedCode, CodedNote, SpanPair
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.runtime.files import LISTING, sha256_of_file
from cclearn.weights import CALIBRATION
from tests.commands import fails, one_line, run
from tests.models import WORDS, random_engine

RIGHT, CODE, WRONG = "gastroenteritis", "K52.9", "gout"


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty coded notes. One of the three codes that the lexicon assigns to each is correct."""
    path = tmp_path_factory.mktemp("notes") / "notes.jsonl"
    text = f"Seen with {RIGHT}, {WRONG} and acne."
    gold = [AssignedCode(code=CODE)]
    write_rows(path, (CodedNote(id=f"n{n}", text=text, codes=gold) for n in range(80)))
    return path


def test_the_lexicon_is_calibrated_and_uses_its_calibration(notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "lexicon.json"
    assert "Name --out" in one_line(fails("calibrate", "--model", "lexicon", "--data", notes))
    arguments = ("calibrate", "--model", "lexicon", "--data", notes, "--out", out)
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert "80 notes, 240 codes, 33.3% of them right" in done.stdout.decode()
    assert re.search(r"accept +≥ 0\.\d+ +80 +33\.3% +100\.0%", done.stdout.decode())
    assert re.search(r"reject +≤ 0\.\d+ +160 +66\.7% +0\.0%", done.stdout.decode())
    found = read_calibration(out)
    assert found.data_sha256 == sha256_of_file(notes)
    assert (found.notes, found.codes, found.base_rate) == (80, 240, pytest.approx(1 / 3))
    assert found.expected_calibration_error.before is None
    assert found.expected_calibration_error.after < 0.05
    assert RIGHT not in out.read_text()
    assert out.stat().st_mode & 0o077 == 0
    assert "--overwrite" in one_line(fails(*arguments))
    text = f"{RIGHT} and {WRONG}".encode()
    (line,) = run("code", "-", "--calibration", out, stdin=text).stdout.splitlines()
    row = json.loads(line)
    assert [(c["code"], c["decision"]) for c in row["codes"]] == [(CODE, "accept")]
    assert [(c["decision"], c["evidence"][0]["text"]) for c in row["rejected"]] == [(None, WRONG)]
    assert row["codes"][0]["score"] > 0.9 > 0.1 > row["rejected"][0]["score"]
    (line,) = run("code", "-", "--calibration", "off", stdin=text).stdout.splitlines()
    assert [c["decision"] for c in json.loads(line)["codes"]] == [None, None]


def test_data_that_cannot_be_used_for_calibration_is_refused(notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.json"
    arguments = ("calibrate", "--model", "lexicon", "--data", notes, "--out", out)
    message = one_line(fails(*arguments, "--method", "isotonic"))
    assert "240 of 240 codes have no score. Use platt" in message
    assert "precision = 0.05" in one_line(fails(*arguments, "--precision", "0.05"))
    few = tmp_path / "few.jsonl"
    rows = list(read_coded_notes(notes))
    write_rows(few, rows[:10])
    message = fails("calibrate", "--model", "lexicon", "--data", few, "--out", out)
    assert "codes = 30): fewer than 50" in one_line(message)
    empty = tmp_path / "empty.jsonl"
    write_rows(empty, [])
    message = fails("calibrate", "--model", "lexicon", "--data", empty, "--out", out)
    assert "codes = 0): fewer than 50" in one_line(message)
    assert not out.exists()


def test_a_precision_that_cannot_be_reached_gives_a_remark(notes: Path, tmp_path: Path) -> None:
    # Right and wrong by turns: nothing tells them apart.
    rows = list(read_coded_notes(notes))
    turns = [row if n % 2 else row.model_copy(update={"codes": []}) for n, row in enumerate(rows)]
    data, out = tmp_path / "turns.jsonl", tmp_path / "c.json"
    write_rows(data, turns)
    done = run("calibrate", "--model", "lexicon", "--data", data, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "to reach a precision of 0.9" in done.stderr.decode()
    assert "nothing is accepted" in read_calibration(out).remarks[0]
    assert read_calibration(out).thresholds.accept is None
    (line,) = run("code", "-", "--calibration", out, stdin=RIGHT.encode()).stdout.splitlines()
    assert [c["decision"] for c in json.loads(line)["codes"]] == ["review"]


def test_codes_are_rejected_for_the_best_f1_with_the_phrases_of_pairs(
    notes: Path, tmp_path: Path, system: CodeSystem
) -> None:
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "c.json"
    phrase = SpanPair(
        id="1",
        text="Seen",
        code="R52",
        system=system.name,
        release=system.release,
        grade="gold",
        source="test",
    )
    write_rows(pairs, [phrase])
    arguments = ("calibrate", "--model", "lexicon", "--data", notes, "--out", out, "--best-f1")
    done = run(*arguments, "--pairs", pairs)
    assert done.returncode == 0, done.stderr
    assert "80 notes, 320 codes, 25.0% of them right" in done.stdout.decode()
    found = read_calibration(out)
    assert found.thresholds.rejected_right is None
    assert (found.decisions["reject"].codes, found.decisions["reject"].right) == (240, 0)
    # The pairs belong to the coder that was calibrated.
    text = f"{RIGHT} and {WRONG}".encode()
    assert "a different lexicon" in one_line(fails("code", "-", "--calibration", out, stdin=text))


def test_answers_from_a_file_are_calibrated_and_others_refused(notes: Path, tmp_path: Path) -> None:
    answers, out = tmp_path / "theirs.jsonl", tmp_path / "c.json"
    answer = f"- {RIGHT} => {CODE}\n- {WRONG} => M10.9"
    rows = [json.dumps({"id": n.id, "answer": answer}) for n in read_coded_notes(notes)]
    answers.write_text("\n".join(rows))
    model = f"replay:{answers}"
    done = run("calibrate", "--model", model, "--data", notes, "--out", out)
    assert done.returncode == 0, done.stderr
    assert read_calibration(out).made_for.model == "theirs"
    assert "it was made for another model (theirs), and this is lexicon" in one_line(
        fails("code", "-", "--calibration", out)
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_models_calibration_is_kept_in_its_folder(
    tmp_path: Path, system: CodeSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, data = tmp_path / "random", tmp_path / "gold.jsonl"
    engine = random_engine(3)
    engine.model.save_pretrained(folder)
    engine.tokenizer.save_pretrained(folder)
    (folder / LISTING).write_text(json.dumps({"kind": "model", "files": []}))
    before = model_hash(folder)
    texts = [
        Note(id=str(i), text=f"{WORDS[i % 5]} {WORDS[(i * 7 + 1) % 5]}\n{i}") for i in range(120)
    ]
    settings = EngineSettings(max_new_tokens=64, batch_size=60)
    raw = list(Coder.load(folder, system, engine=settings).code_many(texts))
    # What the model says of every other note is right.
    write_rows(
        data,
        (n if i % 2 else n.model_copy(update={"codes": []}) for i, n in enumerate(raw)),
    )
    # The command itself, in this process, which has torch already.
    engines = ["max_new_tokens=64", "batch_size=60"]
    calibrate_command(str(folder), data, "isotonic", engine=engines)
    captured = capsys.readouterr()
    assert "120 notes" in captured.out
    assert str(folder / CALIBRATION) in captured.err
    assert model_hash(folder) == before
    assert json.loads((folder / LISTING).read_text())["files"] == [CALIBRATION]
    found = read_calibration(folder / CALIBRATION)
    assert found.made_for.model_sha256 == before
    error = found.expected_calibration_error
    assert error.before is not None
    assert error.after < error.before
    coder = Coder.load(folder, system, engine=settings)
    assert coder.calibration == found
    coded = coder.code_many(texts)
    decided = [a.decision for note in coded for a in note.codes]
    assert set(decided) == {"review"}
    bare = Coder.load(folder, system, engine=settings, calibration="off")
    assert list(bare.code_many(texts)) == raw
    # Another model in the same folder.
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"another model \(random\)"):
        Coder.load(folder, system)
