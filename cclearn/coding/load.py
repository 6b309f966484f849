"""The construction of every coder from its settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cclearn.coding.base import Usage, set_loader
from cclearn.errors import ConfigurationError
from cclearn.model_manifest import scores_labels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cclearn.codes import CodeSystem
    from cclearn.coding.base import Coder
    from cclearn.coding.calibration.model import Calibration
    from cclearn.coding.labels.coder import LabelCoder
    from cclearn.coding.labels.settings import LabelSettings
    from cclearn.coding.settings import CoderSettings
    from cclearn.coding.span_loop.assigners import Assigner
    from cclearn.coding.span_loop.candidates import Candidates, Ranking
    from cclearn.coding.span_loop.coder import SpanLoopCoder
    from cclearn.coding.span_loop.recognisers import Recogniser
    from cclearn.coding.span_loop.settings import LoopSettings
    from cclearn.engines import Engine
    from cclearn.engines.registry import ModelSpec
    from cclearn.notes import SpanPair


def load_coder(settings: CoderSettings, system: CodeSystem | None = None) -> Coder:
    """Construct the coder that settings describe.

    Args:
        settings: Settings of the coder.
        system: Code system, if it is already loaded. None loads the one that the settings name.

    Raises:
        ConfigurationError: The settings contradict each other, a model is missing or does not support
            them, or the calibration was made for another coder.
        DataError: A file cannot be read.
    """
    settings.check()
    system = system or settings.load_system()
    path = settings.calibration_path
    if path is None:
        return _construct(settings, system, None)
    from cclearn.coding.calibration.model import read_calibration, refuse_other_coder

    calibration = read_calibration(path)
    coder = _construct(settings, system, calibration)
    refuse_other_coder(path, calibration.made_for, coder.identity)
    return coder


set_loader(load_coder)


def load_coder_quietly(settings: CoderSettings, system: CodeSystem | None = None) -> Coder:
    """Construct a coder in a process that shows its own progress.

    It does the same as `load_coder`, and turns off the progress bars of the libraries that load models.
    """
    if not settings.is_lexicon:
        from cclearn.runtime.progress import quiet_libraries

        quiet_libraries()
    return load_coder(settings, system)


def _construct(
    settings: CoderSettings, system: CodeSystem, calibration: Calibration | None
) -> Coder:
    if settings.is_lexicon:
        return _lexicon_coder(settings, system, calibration)
    if settings.loop is None and scores_labels(settings.model):
        return _label_coder(settings, system, calibration)
    if settings.loop is None:
        return _single_pass_coder(settings, system, calibration)
    return _SpanLoopBuilder(settings, settings.loop, system).build(calibration)


def _lexicon_coder(
    settings: CoderSettings, system: CodeSystem, calibration: Calibration | None
) -> Coder:
    from cclearn.coding.lexicon.coder import LexiconCoder

    pairs = _pairs(settings, system)
    return LexiconCoder(
        system,
        pairs,
        calibration=calibration,
        encounter=settings.encounter,
        assertion=settings.assertion,
    )


def _pairs(settings: CoderSettings, system: CodeSystem) -> Iterable[SpanPair]:
    if isinstance(settings.pairs, Path):
        from cclearn.notes.jsonl import read_span_pairs

        return read_span_pairs(settings.pairs, system)
    return settings.pairs or ()


def _single_pass_coder(
    settings: CoderSettings, system: CodeSystem, calibration: Calibration | None
) -> Coder:
    from cclearn.coding.single_pass.coder import LLMCoder
    from cclearn.coding.templates import learnt_template
    from cclearn.engines.registry import load_engine

    return LLMCoder(
        load_engine(settings.model, settings.engine),
        system,
        settings.examples,
        learnt_template(settings.model, system),
        calibration=calibration,
        encounter=settings.encounter,
        assertion=settings.assertion,
    )


_RANKED = 300
"""Number of codes that a discriminative coder ranks for each span."""


def _label_coder(
    settings: CoderSettings, system: CodeSystem, calibration: Calibration | None
) -> Coder:
    from cclearn.coding.labels.coder import LabelCoder
    from cclearn.coding.templates import learnt_template

    learnt_template(settings.model, system)  # It refuses a model of another code system.
    return LabelCoder(
        settings.model,
        system,
        settings.labels,
        calibration=calibration,
        encounter=settings.encounter,
        assertion=settings.assertion,
    )


class _SpanLoopBuilder:
    """Constructs the parts of a `span_loop` coder, which share one model, one lexicon and one usage.

    Args:
        settings: Settings of the coder.
        loop: Settings of `span_loop`.
        system: Code system whose codes are assigned.

    Raises:
        ConfigurationError: The model is missing, or does not support the settings.
    """

    def __init__(self, settings: CoderSettings, loop: LoopSettings, system: CodeSystem) -> None:
        from cclearn.coding.lexicon.coder import LexiconCoder
        from cclearn.coding.templates import learnt_template
        from cclearn.engines.registry import is_lexicon, load_engine

        self._settings = settings
        self._loop = loop
        self._system = system
        self._usage = Usage()
        self._template = learnt_template(settings.model, system)
        self._engine: Engine | None = None
        if not is_lexicon(settings.model):
            self._engine = load_engine(settings.model, settings.engine)
        _refuse_unsupported(settings, self._engine, loop)
        self._pairs = tuple(_pairs(settings, system))
        self._lexicon = LexiconCoder(system, self._pairs)  # It loads its phrases on first use.

    def build(self, calibration: Calibration | None) -> SpanLoopCoder:
        """Return the coder.

        Args:
            calibration: Calibration of the coder. None for raw scores.
        """
        from cclearn.coding.span_loop.coder import SpanLoopCoder

        recogniser = self._recogniser()
        return SpanLoopCoder(
            recogniser,
            self._assigner(),
            self._system,
            segmentation=self._loop.segments,
            window=self._loop.window,
            name="lexicon" if self._engine is None else self._engine.name,
            mode=self._mode(recogniser),
            engine=self._engine,
            usage=self._usage,
            calibration=calibration,
            encounter=self._settings.encounter,
            assertion=self._settings.assertion,
        )

    def _mode(self, recogniser: Recogniser) -> str:
        """Return the mode of the coder: its settings, and the hashes of the models in them."""
        from cclearn.codes import CodeSystem
        from cclearn.coding.identity import rows_sha256
        from cclearn.models import model_hash

        parts: list[str | None] = ["span_loop", self._loop.model_dump_json()]
        if self._pairs:
            parts.append(rows_sha256(self._pairs))
        if self._engine is not None:
            parts.append(self._engine.variant)
        if self._loop.recognisers:
            parts.append(recogniser.model_sha256)
        if self._loop.embeddings is not None:
            parts.append(model_hash(self._loop.embeddings))
        if self._loop.ranker is not None:
            parts.append(model_hash(self._loop.ranker.removeprefix("plm:")))
        if self._loop.translate:
            parts.append(CodeSystem.load().source)  # The release that is searched.
        if self._settings.labels is not None:
            parts.append(self._settings.labels.model_dump_json(exclude={"batch_size"}))
        return " ".join(filter(None, parts))

    def _recogniser(self) -> Recogniser:
        from cclearn.coding.span_loop.recognisers import LexiconRecogniser, UnitedRecogniser

        found = [self._named_recogniser(spec) for spec in self._settings.recognisers()]
        if found:
            return found[0] if len(found) == 1 else UnitedRecogniser(found, self._loop.overlaps)
        if self._engine is not None:
            return self._llm_recogniser(self._settings.model, self._engine)
        return LexiconRecogniser(self._lexicon)

    def _named_recogniser(self, spec: ModelSpec) -> Recogniser:
        from cclearn.coding.span_loop.recognisers import LexiconRecogniser
        from cclearn.engines.registry import load_engine

        if spec.is_lexicon:
            return LexiconRecogniser(self._lexicon)
        if spec.is_spacy:
            from cclearn.coding.span_loop.spacy_recogniser import SpacyRecogniser

            return SpacyRecogniser(Path(spec.target))
        if spec.scores_labels:
            from cclearn.coding.labels.drafts import LabelRecogniser

            return LabelRecogniser(self._label_coder(spec.target, self._settings.labels))
        if self._engine is not None and spec.name == self._settings.models()["model"].name:
            return self._llm_recogniser(spec.name, self._engine)  # Its weights are loaded once.
        return self._llm_recogniser(spec.name, load_engine(spec.name, self._settings.engine))

    def _llm_recogniser(self, model: str, engine: Engine) -> Recogniser:
        from cclearn.coding.single_pass.coder import LLMCoder
        from cclearn.coding.span_loop.recognisers import LLMRecogniser
        from cclearn.coding.templates import learnt_template

        template = self._template
        if engine is not self._engine:
            template = learnt_template(model, self._system)
        if template == "codes":
            raise ConfigurationError(
                [
                    f"recogniser (model = {model}): it has learnt codes without evidence"
                    " (rows.template: codes). Use the lexicon, or a model that has learnt evidence."
                ]
            )
        coder = LLMCoder(
            engine,
            self._system,
            template=template,
            usage=self._usage,
            assertion=self._settings.assertion,
        )
        return LLMRecogniser(coder)

    def _assigner(self) -> Assigner:
        from cclearn.coding.span_loop.assigners import (
            ChoosingAssigner,
            GeneratingAssigner,
            RetrievingAssigner,
        )
        from cclearn.coding.span_loop.verify import VerifyingAssigner

        if self._engine is None:
            return RetrievingAssigner(self._candidates())
        assigner: Assigner
        if _generates_codes(self._engine, self._loop):
            assigner = GeneratingAssigner(self._engine, self._system, self._template, self._usage)
        else:
            assigner = ChoosingAssigner(
                self._engine,
                self._candidates(),
                self._template,
                self._loop.candidates,
                self._loop.prior,
                self._usage,
            )
        if self._loop.verify:
            return VerifyingAssigner(assigner, self._engine, self._system, self._usage)
        return assigner

    def _candidates(self) -> Candidates:
        from cclearn.coding.span_loop.candidates import Candidates

        rankings: list[Ranking] = []
        if self._loop.embeddings is not None:
            from cclearn.coding.span_loop.embeddings import EmbeddingRanking

            rankings.append(EmbeddingRanking(self._system, self._loop.embeddings, self._pairs))
        if self._loop.ranker is not None:
            from cclearn.coding.labels.drafts import LabelRanking
            from cclearn.coding.labels.settings import LabelSettings

            ranked = LabelSettings(threshold=1.0, top=_RANKED, evidence="none")
            coder = self._label_coder(self._loop.ranker.removeprefix("plm:"), ranked)
            rankings.append(LabelRanking(coder))
        if self._loop.translate:
            from cclearn.coding.span_loop.translated import TranslatedRanking

            rankings.append(TranslatedRanking(self._system, self._pairs))
        return Candidates(self._lexicon, rankings, self._pairs)

    def _label_coder(self, folder: str, labels: LabelSettings | None) -> LabelCoder:
        from cclearn.coding.labels.coder import LabelCoder
        from cclearn.coding.templates import learnt_template

        learnt_template(folder, self._system)  # It refuses a model of another code system.
        return LabelCoder(folder, self._system, labels)


def _refuse_unsupported(settings: CoderSettings, engine: Engine | None, loop: LoopSettings) -> None:
    """Raise ConfigurationError if a model does not support the settings of `span_loop`."""
    model, problems = settings.model, []
    named = settings.recognisers()
    recognises = any(spec.is_lexicon for spec in named) if named else engine is None
    if settings.pairs is not None and not recognises and _generates_codes(engine, loop):
        problems.append(
            "pairs: neither the recogniser nor generated codes use them. Use --loop"
            " recogniser=lexicon or assignment=choose, or omit the pairs."
        )
    scores_answers = engine is not None and engine.gives_log_likelihoods
    if loop.assignment == "choose" and engine is not None and not scores_answers:
        problems.append(
            f"assignment (assignment = choose): {model} gives no probabilities of answers. Use"
            " assignment=generate, or a model on this machine."
        )
    if loop.assignment == "generate" and engine is None:
        problems.append(
            "assignment (assignment = generate): the lexicon does not generate text. Name a model."
        )
    if loop.verify and not scores_answers:
        problems.append(
            f"verify (verify = true): {model} gives no probabilities of answers. Use verify=false, or a"
            " model on this machine."
        )
    if _generates_codes(engine, loop):
        further = {
            "embeddings": loop.embeddings,
            "ranker": loop.ranker,
            "translate": "true" if loop.translate else None,
        }
        problems += [
            f"{name} ({name} = {value}): generated codes need no candidates. Use assignment=choose, or"
            f" omit `{name}`."
            for name, value in further.items()
            if value is not None
        ]
    if problems:
        raise ConfigurationError(problems)


def _generates_codes(engine: Engine | None, loop: LoopSettings) -> bool:
    """Return whether a model generates the codes. Otherwise codes are chosen among candidates."""
    return engine is not None and (
        loop.assignment == "generate" or not engine.gives_log_likelihoods
    )
