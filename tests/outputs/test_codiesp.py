from __future__ import annotations

from pathlib import Path

import pytest

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.evaluation.corpora import find_corpus, options_of
from cclearn.notes import CodedNote
from cclearn.outputs import find_output
from tests.outputs.notes import EMPTY, FULL


def written(name: str, *notes: CodedNote) -> str:
    return "".join(find_output(None, name).chunks(notes))


def test_the_files_are_as_computed_by_hand() -> None:
    """The columns are those of the official scripts' `read_run`, and of their toy submissions."""
    assert written("codiesp-d", FULL, EMPTY) == (
        "visit 7\ti50.23\nvisit 7\ti25.2\nvisit 7\tr52\nvisit 7\te11\n"
    )
    assert written("codiesp-x", FULL, EMPTY) == (
        "visit 7\t9 48\tDIAGNOSTICO\ti50.23\nvisit 7\t35 48\tDIAGNOSTICO\ti50.23\n"
        "visit 7\t0 6\tDIAGNOSTICO\ti25.2\nvisit 7\t51 58\tDIAGNOSTICO\tr52\n"
    )


def test_an_id_that_would_break_a_line_is_refused() -> None:
    note = CodedNote(id="a\tb", text="x")
    with pytest.raises(CclearnError, match=r"id = a\\tb\): an id in this format contains no tab"):
        written("codiesp-d", note)


def read_back(
    folder: Path, notes: list[CodedNote], language: str, system: CodeSystem
) -> list[CodedNote]:
    """Write a submission, and read it as a split of the corpus."""
    texts = folder / "dev" / ("text_files" if language == "es" else "text_files_en")
    texts.mkdir(parents=True)
    for note in notes:
        (texts / f"{note.id}.txt").write_bytes(note.text.encode())
    letter = "X" if language == "es" else "D"
    find_output(folder / "dev" / f"dev{letter}.tsv", f"codiesp-{letter.lower()}").write(notes)
    corpus = find_corpus("codiesp")
    return list(corpus.read(folder, "dev", options_of(corpus, {"language": language}), system))


@pytest.mark.parametrize("language", ["en", pytest.param("es", marks=pytest.mark.slow)])
def test_a_submission_is_read_back(language: str, tmp_path: Path, system: CodeSystem) -> None:
    *read, empty = sorted(
        read_back(tmp_path, [FULL, EMPTY], language, system), key=lambda n: n.id, reverse=True
    )
    assert (empty.id, empty.codes) == ("8", [])
    (note,) = read
    with_evidence = language == "es"
    expected = [a for a in FULL.ranked if a.evidence or not with_evidence]
    assert [(a.code, a.evidence) for a in note.codes] == [
        (a.code, a.evidence if with_evidence else []) for a in expected
    ]


@pytest.mark.shared_data
@pytest.mark.parametrize("language", ["en", pytest.param("es", marks=pytest.mark.slow)])
def test_codiesp_coded_by_the_lexicon_is_read_back(
    language: str, tmp_path: Path, shared_data: Path, system: CodeSystem
) -> None:
    corpus = find_corpus("codiesp")
    options = options_of(corpus, {"language": "en"})
    gold = corpus.read(shared_data / "codiesp", "dev", options, system)
    coded = list(Coder.lexicon(system).code_many(note.note for note in gold))
    assert sum(len(note.codes) for note in coded) > 250
    for before, after in zip(coded, read_back(tmp_path, coded, language, system), strict=True):
        assert (before.id, before.text) == (after.id, after.text)
        assert [a.code for a in before.ranked] == [a.code for a in after.codes]
        if language == "es":
            assert [a.evidence for a in before.ranked] == [a.evidence for a in after.codes]
