from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.claim.data import (
    LONGEST,
    TUNING,
    long_evidence_shares,
    read_notes,
    read_split,
    write_split,
)
from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.notes.inputs import read_notes as read_plain
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from tests.benchmarks.claim.corpus import write_corpus


def test_smaller_sets_of_documents_are_parts_of_larger_ones(
    tmp_path: Path, system: CodeSystem
) -> None:
    data = write_corpus(tmp_path)
    small, large, whole = (read_split(data, "dev", n, False, system) for n in (5, 12, 20))
    ids = [[note.id for note in split.documents] for split in (small, large, whole)]
    assert ids[1][:5] == ids[0]
    assert ids[2][:12] == ids[1]
    assert {n.id for n in small.others} == set(ids[2]) - set(ids[0])
    assert whole.others == whole.documents
    assert {note.id for note in small.evaluation} == {f"dev{number}" for number in range(6)}


def test_a_budget_above_the_number_of_notes_is_refused(tmp_path: Path, system: CodeSystem) -> None:
    with pytest.raises(ConfigurationError, match=r"budget = 21\): 20 notes"):
        read_split(write_corpus(tmp_path), "dev", 21, False, system)


def test_held_out_codes_are_in_no_document(tmp_path: Path, system: CodeSystem) -> None:
    split = read_split(write_corpus(tmp_path, training=60), "dev", 5, True, system)
    assert split.held_out
    assert split.held_out <= split.span_only_codes
    assert not split.held_out & split.document_codes


def test_the_tuning_split_has_training_notes_that_are_not_trained_on(
    tmp_path: Path, system: CodeSystem
) -> None:
    data = write_corpus(tmp_path, training=TUNING + 10)
    split = read_split(data, "tuning", 5, False, system)
    trained = {note.id for note in (*split.documents, *split.others)}
    scored = {note.id for note in split.evaluation}
    assert len(scored) == TUNING
    assert len(trained) == 10
    assert not trained & scored
    assert trained | scored == {note.id for note in read_notes(data, "train", system)}


def test_the_files_of_an_arm(tmp_path: Path, system: CodeSystem) -> None:
    split = read_split(write_corpus(tmp_path), "dev", 5, False, system)
    files = write_split(split, tmp_path / "arm", system)
    assert tuple(read_coded_notes(files.documents)) == split.documents
    assert [note.text for note in read_plain(files.notes)] == [n.text for n in split.evaluation]
    strings = {e.text for note in split.others for code in note.codes for e in code.evidence}
    spans, variants = (list(read_span_pairs(p)) for p in (files.spans, files.variants))
    assert {pair.text for pair in spans} == strings
    assert len(spans) == 15 * 3
    assert not strings & {pair.text for pair in variants}
    assert len(list(read_span_pairs(files.document_pairs))) == 5 * 3
    assert len(list(read_span_pairs(files.all_pairs))) == 20 * 3
    written = files.spans.stat().st_mtime_ns
    assert write_split(split, tmp_path / "arm", system) == files
    assert files.spans.stat().st_mtime_ns == written


@pytest.mark.shared_data
def test_the_budgets_of_codiesp(shared_data: Path, system: CodeSystem) -> None:
    split = read_split(shared_data, "dev", 50, False, system)
    assert (len(split.documents), len(split.others), len(split.evaluation)) == (50, 450, 250)
    by_code = read_split(shared_data, "dev", 150, True, system)
    assert len(by_code.documents) == 150
    with pytest.raises(ConfigurationError, match="notes can be documents"):
        read_split(shared_data, "dev", 500, True, system)


def test_long_evidence_is_not_trained_on(tmp_path: Path, system: CodeSystem) -> None:
    data = write_corpus(tmp_path)
    for split in ("train", "dev"):
        text = data / "codiesp" / split / "text_files" / f"{split}0.txt"
        text.write_text(text.read_text(encoding="utf-8") + 100 * " x", encoding="utf-8")
        table = data / "codiesp" / split / f"{split}X.tsv"
        line = f"{split}0\tDIAGNOSTICO\tr69\tx\t0 8;{LONGEST} {LONGEST + 1}\n"
        table.write_text(table.read_text(encoding="utf-8") + line, encoding="utf-8")
    split_of_arm = read_split(data, "dev", 20, False, system)
    (trained,) = (note for note in split_of_arm.documents if note.id == "train0")
    (scored,) = (note for note in split_of_arm.evaluation if note.id == "dev0")
    assert "R69" not in {code.code for code in trained.codes}
    assert len(trained.codes) == 3
    assert "R69" in {code.code for code in scored.codes}
    shares = long_evidence_shares(read_notes(data, "train", system))
    assert shares["mentions"] == pytest.approx(1 / 61)
    assert shares["codes"] == pytest.approx(1 / 61)
    lengths = [len(e.text) for n in split_of_arm.documents for c in n.codes for e in c.evidence]
    assert shares["characters"] == pytest.approx(101 / (101 + sum(lengths)))
