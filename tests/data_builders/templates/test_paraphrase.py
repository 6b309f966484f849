from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.engines.registry import load_engine
from cclearn.engines.settings import EngineSettings
from data_builders.templates.paraphrase import Paraphrase, Paraphraser
from data_builders.templates.writer import WrittenNote

BODY = (
    "The patient has chronic gout and takes allopurinol every day. He denies asthma. Regarding his gout,"
    " he is doing well."
)
TEXT = f"HPI: {BODY}\nPlan: rest.\n"


def spans_of(text: str, word: str) -> list[tuple[int, int]]:
    found, at = [], 0
    while (at := text.find(word, at)) >= 0:
        found.append((at, at + len(word)))
        at += 1
    return found


def written() -> WrittenNote:
    gout = [*spans_of(TEXT, "chronic gout"), spans_of(TEXT, "gout")[1]]
    start = TEXT.index(BODY)
    plan = TEXT.index("rest.")
    return WrittenNote(
        TEXT,
        [gout, [(plan, plan + 4)]],
        spans_of(TEXT, "asthma"),
        [(start, start + len(BODY)), (plan, plan + 5)],
    )


def rewrite(tmp_path: Path, system: CodeSystem, answer: str) -> Paraphrase:
    note = written()
    start, end = note.sections[0]
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps({"id": f"n {start}:{end}", "answer": answer}) + "\n")
    engine = load_engine(f"replay:{path}", EngineSettings())
    (found,) = Paraphraser(engine, system).rewrite([("n", note)])
    return found


def test_mentions_are_found_at_their_new_places(tmp_path: Path, system: CodeSystem) -> None:
    answer = (
        "Well with regard to gout. On daily allopurinol for chronic gout. The man denies asthma."
    )
    found = rewrite(tmp_path, system, answer)
    text = found.note.text
    assert (found.rewritten, found.kept) == (1, {})
    assert text == f"HPI: {answer}\nPlan: rest.\n"
    quotes = [[text[s:e] for s, e in spans] for spans in found.note.spans]
    assert quotes == [["chronic gout", "gout"], ["rest"]]
    assert found.note.spans[0][1] == spans_of(text, "gout")[0]
    assert [text[s:e] for s, e in found.note.distractors] == ["asthma"]
    assert [text[s:e] for s, e in found.note.sections] == [answer, "rest."]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no answer"),
        ("Well.", "the length changed"),
        (BODY.replace("chronic gout", "long-standing gout"), "a mention is missing"),
        (BODY.replace("He denies asthma", "He has asthma now"), "an assertion changed"),
        (BODY + " Also has pneumonia.", "a condition was added"),
    ],
)
def test_a_paraphrase_that_changes_facts_is_not_used(
    tmp_path: Path, system: CodeSystem, answer: str, reason: str
) -> None:
    found = rewrite(tmp_path, system, answer)
    assert (found.rewritten, found.kept) == (0, {reason: 1})
    assert found.note == written()
