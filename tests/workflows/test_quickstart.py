from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from cclearn.workflows.quickstart import (
    FIRST_NOTE,
    RESERVED,
    QuickstartData,
    build_data,
    eligible_codes,
    run_quickstart,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, system: CodeSystem) -> QuickstartData:
    """The data of a chapter."""
    folder = tmp_path_factory.mktemp("quickstart")
    return build_data(folder, eligible_codes("9", system), seed=0, system=system)


def test_span_only_codes_are_in_no_training_note(data: QuickstartData) -> None:
    training = {a.code for note in read_coded_notes(data.training) for a in note.codes}
    held_out = {a.code for note in read_coded_notes(data.held_out) for a in note.codes}
    paired = {pair.code for pair in read_span_pairs(data.pairs)}
    assert not data.span_only & training
    assert len(data.span_only & held_out) > 0.8 * len(data.span_only)
    assert training | data.span_only == paired
    texts = {note.text for note in read_coded_notes(data.training)}
    assert not texts & {note.text for note in read_coded_notes(data.held_out)}


def test_held_out_notes_contain_new_terms(data: QuickstartData) -> None:
    known = {
        (e.text.casefold(), a.code)
        for note in read_coded_notes(data.training)
        for a in note.codes
        for e in a.evidence
    }
    mentions = [
        (e.text.casefold(), a.code)
        for note in read_coded_notes(data.held_out)
        for a in note.codes
        for e in a.evidence
        if a.code not in data.span_only
    ]
    new = sum(mention not in known for mention in mentions) / len(mentions)
    assert 0.5 * RESERVED < new < 0.5


@pytest.mark.slow
def test_a_short_quickstart_writes_all_its_outputs(tmp_path: Path) -> None:
    lines: list[str] = []
    scores = run_quickstart(tmp_path / "out", steps=20, print_line=lines.append)
    assert set(scores) == {"tiny/sft_scratch", "lexicon"}
    # A coded note is shown before anything else is done.
    assert FIRST_NOTE in lines[0]
    assert lines[1].startswith("  I50.21 ")
    assert lines[1].endswith("from characters 14 to 42: acute systolic heart failure")
    for evaluation in scores.values():
        assert evaluation.value("invalid_rate") == evaluation.value("ungrounded_rate") == 0
        assert evaluation.value("unseen/micro_recall") is not None
    lexicon = scores["lexicon"].scores["micro_f1"]
    assert lexicon.value is not None
    assert lexicon.value > 0.5
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["systems"]["lexicon"]["scores"]["micro_f1"]["value"] == lexicon.value
    page = (tmp_path / "out" / "report.html").read_text()
    assert "held-out-1" in page
    assert lines
    assert (tmp_path / "out" / "note.txt").read_text()
    with pytest.raises(CclearnError, match="--overwrite"):
        run_quickstart(tmp_path / "out", steps=20)
    # What a stopped quickstart has written is kept.
    weights = (tmp_path / "out" / "model" / "model.safetensors").stat().st_mtime_ns
    (tmp_path / "out" / "report.html").unlink()
    (tmp_path / "out" / "predictions" / "lexicon.jsonl").unlink()
    lines.clear()
    again = run_quickstart(tmp_path / "out", steps=20, print_line=lines.append)
    assert lines[0] == f"Continuing the quickstart in {tmp_path / 'out'}"
    assert again["lexicon"].scores == scores["lexicon"].scores
    assert (tmp_path / "out" / "report.html").read_text() == page
    assert (tmp_path / "out" / "model" / "model.safetensors").stat().st_mtime_ns == weights
    # An unknown chapter is refused before anything is removed.
    with pytest.raises(CclearnError, match="not in icd10cm"):
        run_quickstart(tmp_path / "out", chapter="99", overwrite=True)
    assert (tmp_path / "out" / "report.html").exists()


def test_a_quickstart_with_other_arguments_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    found: list[bool] = []

    def killed(folder: Path, *_: object) -> None:
        found.append((folder / "train").exists())
        (folder / "train").mkdir(exist_ok=True)
        (folder / ".note.txt.partial").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("cclearn.workflows.quickstart.eligible_codes", lambda *_: [])
    monkeypatch.setattr("cclearn.workflows.quickstart.build_data", killed)
    for seed, overwrite in ((0, False), (0, False), (1, False), (1, True)):
        with pytest.raises(KeyboardInterrupt):
            run_quickstart(out, seed=seed, overwrite=overwrite, print_line=lambda line: None)
    assert found == [False, True, False, False]
    (out / "report.html").touch()
    with pytest.raises(CclearnError, match="--overwrite"):
        run_quickstart(out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_the_users_is_never_cleared(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "precious").touch()
    with pytest.raises(CclearnError, match="no quickstart wrote it"):
        run_quickstart(tmp_path, overwrite=True)
    assert (tmp_path / "model" / "precious").exists()


def test_a_chapter_that_is_too_small_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CclearnError, match=r"chapter \(chapter = 22\)"):
        run_quickstart(tmp_path / "out", chapter="22")
    assert not (tmp_path / "out").exists()
    with pytest.raises(CclearnError, match="not in icd10cm"):
        run_quickstart(tmp_path / "out", chapter="99")
