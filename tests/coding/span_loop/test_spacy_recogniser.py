from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import spacy
from pydantic import ValidationError
from spacy.cli.train import train

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.coding.span_loop.spacy_recogniser import SpacyRecogniser
from cclearn.errors import ConfigurationError
from cclearn.notes import AssignedCode, CodedNote, Evidence, Note
from cclearn.notes.jsonl import write_rows

RECIPES = Path(__file__).parents[3] / "recipes" / "spacy"
PHRASES = ("acute heart failure", "type 2 diabetes", "atrial fibrillation", "pneumonia")


def notes() -> list[CodedNote]:
    found = []
    for number in range(40):
        phrase = PHRASES[number % 4]
        text = f"Patient {number} came at night.\r\nSeen for {phrase} 🚑 today. He walks well."
        start = text.index(phrase)
        evidence = [Evidence(start=start, end=start + len(phrase), text=phrase)]
        if number % 4 == 0:  # Of it a second one, inside.
            inner = start + len("acute ")
            evidence.append(Evidence(start=inner, end=start + len(phrase), text="heart failure"))
        codes = [AssignedCode(code="I10", evidence=evidence)]
        found.append(CodedNote(id=f"n{number}", text=text, codes=codes))
    return found


def spans(recogniser: SpacyRecogniser, texts: list[str]) -> list[list[tuple[int, int]]]:
    segments = (Note(id=str(number), text=text) for number, text in enumerate(texts))
    return [list(recognition.spans) for recognition in recogniser.recognise(segments)]


@pytest.fixture(scope="module", params=["ner", pytest.param("spancat", marks=pytest.mark.slow)])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline, trained for sixty steps by one of the packaged configurations."""
    root = tmp_path_factory.mktemp(request.param)
    write_rows(root / "notes.jsonl", notes())
    paths = dict.fromkeys(("paths.train", "paths.dev"), str(root / "notes.jsonl"))
    steps = {"training.max_steps": 60, "training.eval_frequency": 30}
    train(RECIPES / f"{request.param}.cfg", root / "run", overrides={**paths, **steps})
    return root / "run" / "model-best"


def test_a_trained_pipeline_finds_its_training_evidence(folder: Path) -> None:
    recogniser = SpacyRecogniser(folder)
    assert recogniser.name == f"spacy:{folder}"
    texts = ["🚑\r\nSeen for atrial fibrillation 🚑 today.", "", " \n", "He walks well."] * 100
    texts.append("Seen for acute heart failure 🚑 today.")
    found = spans(recogniser, texts)
    assert found[:-1] == [[(12, 31)], [], [], []] * 100
    last = [texts[-1][start:end] for start, end in found[-1]]
    overlapping = folder.parent.parent.name.startswith("spancat")
    # The entity is the piece that ends first, of two that end together the shorter.
    assert last == (["acute heart failure"] * overlapping + ["heart failure"])


def test_a_pipeline_may_only_have_parts_of_spacy(folder: Path, tmp_path: Path) -> None:
    config = (folder / "config.cfg").read_text()
    name = "ner" if 'factory = "ner"' in config else "spancat"
    changes = {
        (f'factory = "{name}"', 'factory = "transformer"'): f"component {name} could run any code",
        (
            f'factory = "{name}"',
            'source = "en_core_web_sm"',
        ): f"component {name} could run any code",
        (
            '@architectures = "spacy.MultiHashEmbed.v2"',
            '@architectures = "mine.v1"',
        ): "@architectures = mine.v1 could run any code",
        (
            '@tokenizers = "spacy.Tokenizer.v1"',
            '@layers = "TorchScriptWrapper.v1"',
        ): "@layers = TorchScriptWrapper.v1 could run any code",
        (
            "before_creation = null",
            'before_creation = {"@callbacks": "spacy.copy_from_base_model.v1", "tokenizer": "x"}',
        ): "@callbacks = spacy.copy_from_base_model.v1 could run any code",
    }
    for (before, after), message in changes.items():
        shutil.copytree(folder, tmp_path / "changed", dirs_exist_ok=True)
        assert before in config
        (tmp_path / "changed" / "config.cfg").write_text(config.replace(before, after))
        with pytest.raises(ConfigurationError) as error:
            SpacyRecogniser(tmp_path / "changed")
        assert message in str(error.value)


def test_sections_for_training_are_not_resolved(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "changed")
    path = tmp_path / "changed" / "config.cfg"
    path.write_text(path.read_text().replace("cclearn.CodedNotes.v1", "gone.v1"))
    assert spans(SpacyRecogniser(path.parent), ["He walks well."]) == [[]]


def test_a_folder_that_cannot_be_loaded_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"contains no pipeline\. Name the folder model-best"
    ):
        SpacyRecogniser(tmp_path)
    shutil.copytree(folder, tmp_path / "damaged")
    (tmp_path / "damaged" / "tok2vec" / "model").write_bytes(b"\x80\x04.")
    with pytest.raises(ConfigurationError, match="spaCy cannot load or run it"):
        SpacyRecogniser(tmp_path / "damaged")
    blank = spacy.blank("en")
    blank.add_pipe("sentencizer")
    blank.to_disk(tmp_path / "blank")
    with pytest.raises(ConfigurationError, match="none of its components finds evidence"):
        SpacyRecogniser(tmp_path / "blank")


def test_a_pipeline_recognises_and_another_engine_assigns(folder: Path, system: CodeSystem) -> None:
    loop = LoopSettings(recogniser=f"spacy:{folder}", segments="sentence")
    coder = Coder.load("lexicon", system, loop=loop)
    text = "He came.\r\nSeen for atrial fibrillation 🚑 today. Seen for asthma."
    (code,) = coder.code(text).codes
    assert (code.code, code.evidence[0].text) == ("I48.91", "atrial fibrillation")
    with pytest.raises(ConfigurationError, match="contains no pipeline"):
        Coder.load("lexicon", system, loop=LoopSettings(recogniser="spacy:nowhere"))


@pytest.mark.slow
def test_a_second_recogniser_adds_what_the_first_does_not_overlap(
    folder: Path, system: CodeSystem
) -> None:
    text = "Seen for atrial fibrillation 🚑 today. Has chest pain."
    found = {}
    for recogniser in ("lexicon", f"spacy:{folder}", ("lexicon", f"spacy:{folder}")):
        loop = LoopSettings(recogniser=recogniser, segments="sentence")
        coder = Coder.load("lexicon", system, loop=loop)
        note = coder.code(text)
        found[recogniser] = sorted((e.start, e.end) for c in note.codes for e in c.evidence)
    lexicon, pipeline, both = found.values()
    assert (9, 28) in lexicon
    assert lexicon != pipeline
    assert set(lexicon) <= set(both)
    added = set(both) - set(lexicon)
    assert added <= set(pipeline)
    assert all(end <= s or e <= start for start, end in added for s, e in lexicon)
    with pytest.raises(ValidationError, match="recogniser"):
        LoopSettings(recogniser=())
