from __future__ import annotations

import logging
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from cclearn.errors import ConfigurationError
from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.jsonl import write_rows
from cclearn.rows.examples import LABEL, SPANS_KEY, Alignment, annotate, coded_notes
from tests.rows.test_windows import note_of

NLP = spacy.blank("en")
ROOT = Path(__file__).parents[2]


@given(
    text=st.text(st.sampled_from("ab,. -/\r\n\t🚑é\u0301\u00a0"), min_size=1, max_size=60),
    starts=st.lists(st.tuples(st.integers(0, 59), st.integers(1, 20)), max_size=5),
)
def test_evidence_is_expanded_to_whole_tokens(text: str, starts: list[tuple[int, int]]) -> None:
    cited = sorted({(a, min(a + n, len(text))) for a, n in starts if a < len(text)})
    alignment = Alignment()
    doc = annotate(NLP.make_doc(text), note_of(text, cited), alignment)
    assert doc.text == text
    spans = {(span.start_char, span.end_char) for span in doc.spans[SPANS_KEY]}
    # Every evidence but blank ones is inside a span, and no span is longer than its tokens ask for.
    wanted = []
    for start, end in cited:
        inside = [t for t in doc if t.idx < end and start < t.idx + len(t) and not t.is_space]
        if inside:
            wanted.append((inside[0].idx, inside[-1].idx + len(inside[-1])))
    assert spans == set(wanted)
    assert alignment.evidence == len(cited)
    assert alignment.blank == len(cited) - len(wanted)
    assert alignment.merged == len(wanted) - len(spans)
    # Entities are spans that do not overlap; what overlaps them is counted.
    entities = [(entity.start_char, entity.end_char) for entity in doc.ents]
    assert set(entities) <= spans
    assert all(entity.label_ == LABEL for entity in doc.ents)
    assert alignment.overlapping == len(spans) - len(entities)
    assert all(any(a < d and c < b for c, d in entities) for a, b in spans)


def test_offsets_are_code_points_and_tokens_are_not_cut() -> None:
    text = "🚑 e\u0301 HTN/DM2,\r\n heart failure"
    start = text.index("M2")
    whole = text.index("heart")
    alignment = Alignment()
    doc = annotate(
        NLP.make_doc(text), note_of(text, [(start, start + 1), (whole - 2, len(text))]), alignment
    )
    found = [(text[s.start_char : s.end_char], s.text) for s in doc.spans[SPANS_KEY]]
    assert found == [("DM2", "DM2"), ("heart failure", "heart failure")]
    assert (alignment.evidence, alignment.expanded, alignment.longest) == (2, 1, 2)


def test_as_many_overlapping_spans_as_possible_are_entities() -> None:
    text = "pain in chest and left arm"
    alignment = Alignment()
    doc = annotate(NLP.make_doc(text), note_of(text, [(0, 26), (0, 4), (8, 13)]), alignment)
    assert [entity.text for entity in doc.ents] == ["pain", "chest"]
    assert len(doc.spans[SPANS_KEY]) == 3
    assert alignment.overlapping == 1


def test_a_reader_splits_notes_and_reports_what_it_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("spacy"), "propagate", True)
    path = tmp_path / "notes.jsonl"
    write_rows(path, [note_of("Seen. Acute gout. Well.", [(6, 16)])])
    read = coded_notes(str(path))
    with caplog.at_level(logging.INFO, "spacy"):
        examples = list(read(NLP))
    assert [example.text for example in examples] == ["Seen. ", "Acute gout. ", "Well."]
    assert [[e.text for e in example.reference.ents] for example in examples] == [
        [],
        ["Acute gout"],
        [],
    ]
    assert not any(example.predicted.ents for example in examples)
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "1 pieces of evidence in 3 segments, the longest of 2 tokens" in record.message
    write_rows(path, [note_of("Acute gout of knee", [(0, 18), (6, 9)])])
    with caplog.at_level(logging.INFO, "spacy"):
        (example,) = coded_notes(path, None)(NLP)
    assert caplog.records[-1].levelno == logging.WARNING
    assert "1 end inside a token" in caplog.records[-1].message
    assert "gout" not in caplog.text
    assert [entity.text for entity in example.reference.ents] == ["gout"]


def test_invalid_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        coded_notes(None, "word")  # type: ignore[arg-type]
    assert len(error.value.problems) == 2
    assert "segments (word): not known. Use section, sentence, or null" in str(error.value)
    path = tmp_path / "notes.jsonl"
    write_rows(path, [CodedNote(id="bare", text="x", codes=[AssignedCode(code="I10")])])
    with pytest.raises(ConfigurationError, match=r"\(id = bare\): I10 without evidence"):
        list(coded_notes(path)(NLP))


def test_the_package_registers_the_reader_with_spacy() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ((name, function),) = project["entry-points"]["spacy_readers"].items()
    module, _, attribute = function.partition(":")
    assert getattr(import_module(module), attribute) is coded_notes
    for config in (ROOT / "recipes" / "spacy").glob("*.cfg"):
        assert config.read_text().count(f'@readers = "{name}"') == 2
