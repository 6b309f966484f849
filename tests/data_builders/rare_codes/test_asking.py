from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.engines import Answer, Engine, Request
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_coded_notes, read_rows, write_rows
from data_builders.builder import RejectedRow, configure, find_builder
from data_builders.output import BuildResult, build
from data_builders.rare_codes import asking
from data_builders.rare_codes.prompts import SECTIONS, draw_patient
from tests.data_builders.rare_codes.coded import coded

GOOD = (
    "HPI: longstanding systolic HF, EF 25 %. HTN. {}\nEvidence:\n"
    "- longstanding systolic HF => I50.22\n- HTN => I10"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a training corpus that has one note with I50.22."""
    write_rows(tmp_path / "train.jsonl", [coded("a", "I50.22", "I10")])
    (tmp_path / "labels.txt").write_text("I50.22\n")
    return tmp_path


def run(
    folder: Path, system: CodeSystem, answers: dict[str, str], **settings: object
) -> tuple[BuildResult, dict[str, CodedNote], dict[str, tuple[str, str]]]:
    """Build notes with answers from a file. Return also the notes and the rejected rows by id."""
    path = folder / "answers.jsonl"
    rows = [{"id": identifier, "answer": answer} for identifier, answer in answers.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    builder = find_builder("rare_code_notes")
    chosen = {
        "notes": [str(folder / "train.jsonl")],
        "labels": str(folder / "labels.txt"),
        "model": f"replay:{path}",
        **settings,
    }
    result = build(builder, configure(builder, chosen), folder / "out", system, overwrite=True)
    rejected = read_rows(folder / "out" / "rejected.jsonl", RejectedRow)
    return (
        result,
        {note.id: note for note in read_coded_notes(result.data)},
        {row.text: (row.reason, row.detail) for row in rejected},
    )


def test_notes_are_asked_for_again_and_then_rejected(folder: Path, system: CodeSystem) -> None:
    answers = {
        "rare-I50.22-1": GOOD.format(1) + "\n- EF 25 % => I50.20",
        "rare-I50.22-2": "HTN.\n- HTN => I10",
        "rare-I50.22-2 try 2": GOOD.format(2),
        "rare-I50.22-3": "I cannot help with that.",
        "rare-I50.22-3 try 2": "I cannot help with that.",
        "rare-I50.22-4": "",
        "rare-I50.22-4 try 2": "HTN, HF.\n- HTN => I10\n- systolic HF => I50.22",
        "rare-I50.22-5": GOOD.format(1) + "\n- EF 25 % => I50.20",
        "rare-I50.22-6": "",
        "rare-I50.22-6 try 2": "",
        "rare-I50.22-6 try 3": GOOD.format(6),
    }
    result, notes, rejected = run(folder, system, answers, lexicon=True)
    assert set(notes) == {"rare-I50.22-1", "rare-I50.22-2"}
    first = notes["rare-I50.22-1"]
    assert {a.code: [e.text for e in a.evidence] for a in first.codes} == {
        "I50.22": ["longstanding systolic HF"],
        "I10": ["HTN"],
    }
    assert (first.origin, first.flags) == ("synthetic", ["not asked for: I50.20"])
    assert first.metadata["stratum"] == "ultra_tail"
    assert {identifier: rejected[identifier] for identifier in sorted(rejected)[4:]} == {
        "rare-I50.22-3": ("the answer has no note with lines of evidence", ""),
        "rare-I50.22-4": ("a quote is not in the note", "I50.22"),
        "rare-I50.22-5": ("the text is that of another note", ""),
        "rare-I50.22-6": ("the answer is empty", ""),
        **{f"rare-I50.22-{n}": ("the model gave no answer", "no_answer") for n in (7, 8, 9)},
    }
    stats = result.stats
    assert stats["asked again"] == 4
    assert stats["codes that were not asked for"]["model"] == 2  # Notes 1 and 5.
    assert stats["codes that were not asked for"]["lexicon"] > 0
    assert stats["strata"]["ultra_tail"]["realised"] == 2
    assert stats["missing"] == {"I50.22": 11}
    manifest = json.loads((folder / "out" / "manifest.json").read_text())
    assert len(manifest["prompt_sha256"]) == 64
    # With more tries, the last note is built too.
    _, notes, _ = run(folder, system, answers, tries=3)
    assert set(notes) == {"rare-I50.22-1", "rare-I50.22-2", "rare-I50.22-6"}


class Recording(Engine):
    """Keeps all requests, and answers with a text."""

    name = "recording"
    grounded = False

    def __init__(self, answer: str, longest: int = 100_000) -> None:
        self.requests: list[Request] = []
        self._answer = answer
        self._longest = longest

    def fits(self, request: Request) -> bool:
        return len(request.prompt[-1]["content"]) <= self._longest

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        for request in requests:
            self.requests.append(request)
            yield Answer(request.id, self._answer)


def record(
    monkeypatch: pytest.MonkeyPatch,
    engine: Recording,
    folder: Path,
    system: CodeSystem,
    **more: object,
) -> BuildResult:
    monkeypatch.setattr(
        "data_builders.rare_codes.builder.load_engine", lambda model, settings: engine
    )
    return run(folder, system, {}, **more)[0]


def test_prompts_inject_knowledge(
    folder: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = SpanPair(id="p", text="HFrEF, chronic", code="I50.22", grade="gold", source="x")
    write_rows(folder / "pairs.jsonl", [pair])
    style = [
        coded("s1", "I50.22", "I10", text="CC: dyspnea.", origin="synthetic"),
        *(coded(f"s{n}", "J18.9", text="CC: cough.", origin="synthetic") for n in range(2, 9)),
    ]
    write_rows(folder / "style.jsonl", style)
    more = {"pairs": [str(folder / "pairs.jsonl")], "style": str(folder / "style.jsonl")}
    engine = Recording("HTN.\n- HTN => I10")
    record(monkeypatch, engine, folder, system, **more)
    first = [r for r in engine.requests if "try" not in r.id]
    prompts = [request.prompt[-1]["content"] for request in first]
    assert len(set(prompts)) == len(first) == 13  # The patients and the order of codes differ.
    assert {request.origin for request in engine.requests} == {"synthetic"}
    for prompt in prompts:
        assert "- I50.22 Chronic systolic (congestive) heart failure (" in prompt
        assert "Diseases of the circulatory system" in prompt
        assert "synonyms: HFrEF, chronic" in prompt
        assert prompt.startswith(prompts[0].partition("\n\n")[0])
        assert "\n\nNote for style:\nCC: " in prompt
    assert any(prompt.endswith("CC: dyspnea.") for prompt in prompts)
    second = next(r for r in engine.requests if r.id == "rare-I50.22-1 try 2")
    text = second.prompt[-1]["content"]
    assert "could not be used: a code has no mention (I50.22)." in text
    assert text.index("could not be used") < text.index("Note for style")
    # A note for style that does not fit is left out.
    short = Recording("", longest=len(prompts[0]) - 1)
    record(monkeypatch, short, folder, system, **more)
    assert any("Note for style" not in r.prompt[-1]["content"] for r in short.requests)


def test_restricted_text_makes_restricted_notes(
    folder: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(folder / "style.jsonl", [coded("s", "I10", text="CC: dyspnea.")])
    engine = Recording(GOOD)
    record(monkeypatch, engine, folder, system, style=str(folder / "style.jsonl"))
    assert {request.origin for request in engine.requests} == {"restricted"}
    (note,) = read_coded_notes(folder / "out" / "notes.jsonl")  # The others have the same text.
    assert note.origin == "restricted"
    pair = SpanPair(
        id="p", text="HFrEF", code="I50.22", grade="gold", source="x", origin="restricted"
    )
    write_rows(folder / "pairs.jsonl", [pair])
    engine = Recording(GOOD)
    record(monkeypatch, engine, folder, system, pairs=[str(folder / "pairs.jsonl")])
    assert {request.origin for request in engine.requests} == {"restricted"}


def test_a_note_is_written_section_by_section(
    folder: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Recording("")
    record(monkeypatch, engine, folder, system, sections="section", tries=1)
    asked: dict[str, list[str]] = {}
    for request in engine.requests:
        identifier, _, section = request.id.partition(" ")
        assert section in SECTIONS
        assert f"the section “{section}”" in request.prompt[-1]["content"]
        asked.setdefault(identifier, []).append(section)
    (divided, *_) = [i for i, sections in asked.items() if len(sections) == 2]
    half = next(
        r
        for r in engine.requests
        if r.id.startswith(f"{divided} ") and "I50.22" in r.prompt[-1]["content"]
    )
    other = next(r for r in engine.requests if r.id.startswith(f"{divided} ") and r.id != half.id)
    heart = "Longstanding systolic HF with HTN.\n- Longstanding systolic HF => I50.22\n- HTN => I10"
    answers = {half.id: heart, f"{other.id} try 2": "HTN, stable.\n- HTN => I10"}
    answers[other.id] = "Stable."
    monkeypatch.undo()
    result, notes, _ = run(folder, system, answers, sections="section")
    note = notes[divided]
    first, second = asked[divided]
    assert note.text.startswith(f"{first}:\n")
    assert f"\n\n{second}:\n" in note.text
    assert {a.code: [e.text for e in a.evidence] for a in note.codes} == {
        "I50.22": ["Longstanding systolic HF"],
        "I10": ["HTN"],
    }
    assert note.flags == []
    assert result.stats["asked again"] == 1


def test_batches_change_nothing(
    folder: Path, system: CodeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {f"rare-I50.22-{n}": GOOD.format(n) for n in range(1, 14, 2)}
    answers |= {f"rare-I50.22-{n}": "" for n in range(2, 14, 2)}
    answers |= {f"rare-I50.22-{n} try 2": GOOD.format(n) for n in range(2, 14, 4)}
    run(folder, system, answers)
    expected = (folder / "out" / "notes.jsonl").read_bytes()
    assert expected.count(b"\n") == 10
    monkeypatch.setattr(asking, "_BATCH", 3)
    run(folder, system, answers)
    assert (folder / "out" / "notes.jsonl").read_bytes() == expected


def test_patients_fit_the_codes(system: CodeSystem) -> None:
    patients = [draw_patient(system, ["O80", "Z37.0"], random.Random(n)) for n in range(50)]
    assert {patient.sex for patient in patients} == {"female"}
    assert all(9 <= patient.age <= 64 for patient in patients)
    assert str(draw_patient(system, ["P07.30"], random.Random(0))).startswith("newborn ")
    assert {draw_patient(system, ["I10"], random.Random(n)).sex for n in range(20)} == {
        "female", "male"
    }  # fmt: skip
