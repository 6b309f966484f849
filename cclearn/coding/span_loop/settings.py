"""A `span_loop` coder by the names and settings that commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from cclearn.errors import ConfigurationError
from cclearn.notes.segments import Segmentation

if TYPE_CHECKING:
    from cclearn.codes import CodeSystem
    from cclearn.coding.lexicon.coder import LexiconCoder
    from cclearn.coding.span_loop.assigners import Assigner
    from cclearn.coding.span_loop.candidates import Candidates
    from cclearn.coding.span_loop.coder import SpanLoopCoder
    from cclearn.coding.span_loop.recognisers import Recogniser
    from cclearn.engines import Engine
    from cclearn.engines.settings import EngineSettings
    from cclearn.prompts import Template


class LoopSettings(BaseModel):
    """Settings of `span_loop`.

    Attributes:
        recogniser: `lexicon`, `spacy:FOLDER` or any model; None for the model that assigns.
        segments: What the recogniser reads at a time.
        window: The most code points of a window.
        assignment: Whether the model chooses among candidates, or writes the code; None to choose
            where the engine weighs answers.
        candidates: How many codes are chosen among, beside `none`.
        embeddings: A sentence encoder that finds candidates too: a folder or a name on the hub.
        verify: Whether an assigned code is weighed again among its siblings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recogniser: str | None = None
    segments: Segmentation = "section"
    window: int = Field(default=1_000, ge=100)
    assignment: Literal["choose", "generate"] | None = None
    candidates: int = Field(default=100, ge=1, le=2_000)
    embeddings: str | None = None
    verify: bool = False


def load_span_loop(
    model: str,
    system: CodeSystem,
    settings: EngineSettings | None,
    loop: LoopSettings,
) -> SpanLoopCoder:
    """Return a `span_loop` coder.

    Args:
        model: Assigns the codes: `lexicon` takes the nearest candidate, else as `load_engine` takes it.
        system: The code system.
        settings: Of the engines.
        loop: Of the loop.

    Raises:
        ConfigurationError: A model is missing, or cannot do what it is asked for.
    """
    from cclearn.coding.lexicon.coder import LexiconCoder
    from cclearn.coding.single_pass.coder import template_of
    from cclearn.coding.span_loop.coder import SpanLoopCoder
    from cclearn.engines.registry import is_lexicon, load_engine

    template = template_of(model, system)
    engine = None if is_lexicon(model) else load_engine(model, settings)
    _refuse_impossible(model, engine, loop)
    lexicon = LexiconCoder(system)  # It reads its phrases when it is first asked.
    recogniser = _recogniser(loop.recogniser, engine, lexicon, template, settings)
    coder = SpanLoopCoder(
        recogniser,
        _assigner(engine, lexicon, template, loop),
        system,
        segmentation=loop.segments,
        window=loop.window,
        name="lexicon" if engine is None else engine.name,
        engine=engine,
    )
    coder.mode = " ".join(["span_loop", loop.model_dump_json(), *_hashes(recogniser, loop)])
    return coder


def _hashes(recogniser: Recogniser, loop: LoopSettings) -> list[str]:
    """Return the hashes of the models that the settings name, beside the one that assigns."""
    from cclearn.models import model_hash

    found = [recogniser.model_sha256 if loop.recogniser is not None else ""]
    found.append(model_hash(loop.embeddings) if loop.embeddings is not None else "")
    return [each for each in found if each]


def _refuse_impossible(model: str, engine: Engine | None, loop: LoopSettings) -> None:
    problems = []
    weighs = engine is not None and engine.weighs
    if loop.assignment == "choose" and engine is not None and not weighs:
        problems.append(
            f"assignment (assignment = choose): {model} gives no probabilities of answers. Use"
            " assignment=generate, or a model on this machine."
        )
    if loop.assignment == "generate" and engine is None:
        problems.append(
            "assignment (assignment = generate): the lexicon writes nothing. Name a model."
        )
    if loop.verify and not weighs:
        problems.append(
            f"verify (verify = true): {model} gives no probabilities of answers. Use verify=false, or a"
            " model on this machine."
        )
    if loop.embeddings is not None and _generates(engine, loop):
        problems.append(
            f"embeddings (embeddings = {loop.embeddings}): a code that is written needs no candidates."
            " Use assignment=choose, or leave them out."
        )
    if problems:
        raise ConfigurationError(problems)


def _generates(engine: Engine | None, loop: LoopSettings) -> bool:
    return engine is not None and (loop.assignment == "generate" or not engine.weighs)


def _recogniser(
    name: str | None,
    engine: Engine | None,
    lexicon: LexiconCoder,
    template: Template,
    settings: EngineSettings | None,
) -> Recogniser:
    from cclearn.coding.single_pass.coder import LLMCoder, template_of
    from cclearn.coding.span_loop.recognisers import LexiconRecogniser, LLMRecogniser
    from cclearn.engines.registry import ModelSpec, load_engine

    system = lexicon.system
    if name is None and engine is not None:
        return LLMRecogniser(LLMCoder(engine, system, template=template))
    spec = None if name is None else ModelSpec.parse(name, recogniser=True)
    if spec is None or spec.is_lexicon:
        return LexiconRecogniser(lexicon)
    if spec.is_spacy:
        from cclearn.coding.span_loop.spacy_recogniser import SpacyRecogniser

        return SpacyRecogniser(Path(spec.target))
    other = load_engine(spec.name, settings)
    return LLMRecogniser(LLMCoder(other, system, template=template_of(spec.name, system)))


def _assigner(
    engine: Engine | None, lexicon: LexiconCoder, template: Template, loop: LoopSettings
) -> Assigner:
    from cclearn.coding.span_loop.assigners import (
        ChoosingAssigner,
        GeneratingAssigner,
        RetrievingAssigner,
    )
    from cclearn.coding.span_loop.verify import VerifyingAssigner

    assigner: Assigner
    if engine is None:
        assigner = RetrievingAssigner(_candidates(lexicon, loop))
    elif _generates(engine, loop):
        assigner = GeneratingAssigner(engine, lexicon.system, template)
    else:
        assigner = ChoosingAssigner(engine, _candidates(lexicon, loop), template, loop.candidates)
    if engine is not None and loop.verify:
        return VerifyingAssigner(assigner, engine, lexicon.system)
    return assigner


def _candidates(lexicon: LexiconCoder, loop: LoopSettings) -> Candidates:
    from cclearn.coding.span_loop.candidates import Candidates

    further = None
    if loop.embeddings is not None:
        from cclearn.coding.span_loop.embeddings import EmbeddingRanking

        further = EmbeddingRanking(lexicon.system, loop.embeddings)
    return Candidates(lexicon, further)
