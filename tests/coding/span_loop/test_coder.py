from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from cclearn import Coder, Note
from cclearn.codes import CodeSystem
from cclearn.coding.base import Usage
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.single_pass.coder import LLMCoder
from cclearn.coding.span_loop.assigners import Assigner, Assignment, Mention
from cclearn.coding.span_loop.coder import SpanLoopCoder
from cclearn.coding.span_loop.recognisers import LexiconRecogniser, LLMRecogniser
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines import Answer, Engine, Request
from cclearn.engines.registry import load_engine
from cclearn.errors import ConfigurationError
from cclearn.notes import Invalid
from tests.models import random_engine

NOTE = (
    "Chief complaint: Asthma.\nFamily history: Asthma in the mother.\n"
    "Plan: No pneumonia. Asthma inhaler, and aspirin for chest pain."
)


class Table(Assigner):
    """Assigns the codes of a table, and records the mentions."""

    def __init__(self, **codes: Assignment) -> None:
        self.codes = codes
        self.mentions: list[Mention] = []

    def assign(self, mentions: Iterable[Mention]) -> Iterator[Assignment]:
        for mention in mentions:
            self.mentions.append(mention)
            yield self.codes.get(mention.text.lower().replace(" ", "_"), Assignment())


class Echo(Engine):
    """Quotes words of each segment, with a code that nobody reads."""

    name = "echo"
    grounded = False

    def __init__(self, *quotes: str) -> None:
        self.quotes = quotes
        self.requests: list[Request] = []

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        for request in requests:
            self.requests.append(request)
            text = request.prompt[0]["content"]
            lines = [f"- {quote} => X" for quote in self.quotes if quote in text]
            if "Plan" in text:
                lines += ["- never said => I10", "what?"]
            yield Answer(request.id, "\n".join(lines) or "none", prompt_tokens=3)


def test_evidence_is_recognised_in_segments_and_assigned_once(system: CodeSystem) -> None:
    engine = Echo("Asthma", "pneumonia", "chest pain")
    table = Table(asthma=Assignment(["J45.909"], 0.75), chest_pain=Assignment(problem="timeout"))
    usage = Usage()
    recogniser = LLMRecogniser(LLMCoder(engine, system, usage=usage))
    coder = SpanLoopCoder(recogniser, table, system, usage=usage)
    coded = coder.code(Note(id="n", text=NOTE, origin="public"))
    (code,) = coded.codes
    # Not the mother's; and what is negated is not even assigned.
    assert [evidence.start for evidence in code.evidence] == [17, NOTE.rindex("Asthma")]
    assert (code.code, code.score) == ("J45.909", 0.75)
    assert [mention.text for mention in table.mentions] == ["Asthma", "chest pain"]
    assert {mention.origin for mention in table.mentions} == {"public"}
    assert [request.id for request in engine.requests] == ["n#1", "n#2", "n#3"]
    assert [ungrounded.quote for ungrounded in coded.ungrounded] == ["never said"]
    assert coded.invalid == [Invalid(code=None, status="unreadable")]
    assert coded.flags == ["timeout"]
    assert coder.usage.prompt_tokens == 9
    assert not coder.grounded


def test_an_answered_header_gives_way_to_the_code_below_it(system: CodeSystem) -> None:
    header = Invalid(code="J45", status="header")
    table = Table(
        **{"asthma.": Assignment(invalid=header), "asthma_inhaler": Assignment(["J45.20"])}
    )
    recogniser = LLMRecogniser(LLMCoder(Echo("Asthma.", "Asthma inhaler"), system))
    coded = SpanLoopCoder(recogniser, table, system).code(Note(id="n", text=NOTE))
    (code,) = coded.codes
    assert [evidence.text for evidence in code.evidence] == ["Asthma.", "Asthma inhaler"]
    assert header in coded.invalid


def test_windows_that_overlap_assign_a_span_once(system: CodeSystem) -> None:
    text = "word " * 30 + "Asthma. " + "word " * 30
    table = Table(asthma=Assignment(["J45.909"]))
    recogniser = LexiconRecogniser(LexiconCoder(system))
    coder = SpanLoopCoder(recogniser, table, system, segmentation="window", window=170)
    (note_findings,) = coder.read_many([Note(id="n", text=text)])
    assert len(table.mentions) == 1
    holding = [
        number
        for number, (start, end) in enumerate(note_findings.parts)
        if start <= text.index("Asthma") and text.index("Asthma") + 6 <= end
    ]
    assert [finding.part for finding in note_findings.findings] == holding


def test_many_notes_keep_their_order(system: CodeSystem) -> None:
    table = Table(asthma=Assignment(["J45.909"]))
    coder = SpanLoopCoder(LexiconRecogniser(LexiconCoder(system)), table, system)
    texts = ["Asthma." if number % 3 == 0 else " " * (number % 2) for number in range(150)]
    coded = list(coder.code_many(Note(id=str(n), text=text) for n, text in enumerate(texts)))
    assert [note.id for note in coded] == [str(number) for number in range(150)]
    assert [len(note.codes) for note in coded] == [number % 3 == 0 for number in range(150)]


@pytest.mark.parametrize("assignment", ["choose", "generate"])
def test_no_weights_can_invent_a_code_or_a_quote(
    system: CodeSystem, assignment: str, tmp_path: Path
) -> None:
    engine = random_engine(1, max_new_tokens=48)
    engine.model.save_pretrained(tmp_path)
    engine.tokenizer.save_pretrained(tmp_path)
    loop = LoopSettings(
        assignment=assignment,  # type: ignore[arg-type]
        segments="sentence",
        candidates=12,
        verify=True,
    )
    coder = Coder.load(tmp_path, system, loop=loop)
    assert coder.grounded
    coded = list(coder.code_many(Note(id=str(n), text=NOTE[n * 20 :]) for n in range(4)))
    for note in coded:
        assert note.invalid == []
        assert note.ungrounded == []
        assert all(code.status == "valid" and code.evidence for code in note.codes)
    again = [coder.code(note.note) for note in coded]
    assert [[c.code for c in note.codes] for note in again] == [
        [c.code for c in note.codes] for note in coded
    ]


def test_all_unsupported_settings_are_reported_together(system: CodeSystem, tmp_path: Path) -> None:
    replay = tmp_path / "answers.jsonl"
    replay.write_text('{"id": "n", "answer": "none"}\n')
    loop = LoopSettings(assignment="choose", verify=True)
    with pytest.raises(ConfigurationError) as caught:
        Coder.load(f"replay:{replay}", system, loop=loop)
    assert [problem.split()[0] for problem in caught.value.problems] == ["assignment", "verify"]
    with pytest.raises(ConfigurationError, match=r"Use Coder\.lexicon"):
        load_engine("lexicon")
    with pytest.raises(ConfigurationError, match="does not generate text"):
        Coder.load("lexicon", system, loop=LoopSettings(assignment="generate"))
    with pytest.raises(ConfigurationError, match="need no candidates"):
        Coder.load(f"replay:{replay}", system, loop=LoopSettings(embeddings="x"))


def test_span_loop_works_with_the_lexicon_as_its_model(system: CodeSystem) -> None:
    coder = Coder.load("lexicon", system, loop=LoopSettings())
    coded = coder.code(NOTE)
    assert [code.code for code in coded.codes] == ["J45.909", "R07.9"]
    assert next(iter(coder.code_spans(["Anxiety disorder"])))[0] == "F41.9"
