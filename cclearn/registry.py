"""The one registry of classes that are found by name, and the validation of their settings.

Builders, engines, benchmark corpora, output formats and metrics are found here. Each `Registry` maps a
name to `module:Class`, and the module is imported when the name is first used. Another package adds to a
registry through the entry-point group of the registry, e.g. in its `pyproject.toml`:

    [project.entry-points."cclearn.builders"]
    my_builder = "my_package.builder:MyBuilder"
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from cclearn.errors import (
    CclearnError,
    CclearnWarning,
    ConfigurationError,
    did_you_mean,
    foreign_errors,
    shown_id,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Settings = TypeVar("Settings", bound=BaseModel)


class Registry:
    """Classes of one kind by name: those of cclearn and those of plug-ins.

    A plug-in cannot replace a class of cclearn. A plug-in that takes a name already in use is left out
    with a warning.

    Args:
        kind: The word for a member of the registry in messages, e.g. `builder`.
        group: The entry-point group that plug-ins use.
        own: The classes of cclearn as `module:Class`, by name.
        remedy: Sentence of an error message that lists the known names.
        reserved: Further names that no plug-in may take.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        own: Mapping[str, str],
        remedy: str = "",
        reserved: Collection[str] = (),
    ) -> None:
        self.kind = kind
        self.group = group
        self._own = own
        self._remedy = remedy
        self._reserved = reserved
        self._plugins: dict[str, EntryPoint] = {}
        self._searched: list[str] | None = None

    def names(self) -> list[str]:
        """Return the names of the registry in alphabetical order."""
        return sorted({*self._own, *self._find_plugins()})

    def find(self, name: str, base: type) -> Any:
        """Return the class of a name.

        Args:
            name: The name that the user wrote.
            base: The class that the result must be derived from.

        Raises:
            ConfigurationError: The name is unknown, or its plug-in cannot be imported or is of another
                kind.
        """
        plugins = self._find_plugins()
        if name in self._own:
            return _import(self._own[name])
        if name not in plugins:
            remedy = self._remedy or f"Name one of: {', '.join(self.names())}."
            raise ConfigurationError(
                [
                    f"{self.kind} (name = {name}): not known.{did_you_mean(name, self.names())}"
                    f" {remedy}"
                ]
            )
        plugin = self._describe(plugins[name])
        with foreign_errors(
            lambda location: ConfigurationError(
                [f"{plugin}: it cannot be imported ({location}). Repair or remove its package."]
            )
        ):
            found = _import(plugins[name].value)
        if not (isinstance(found, type) and issubclass(found, base)):
            raise ConfigurationError(
                [
                    f"{plugin}: it is not a class derived from {base.__module__}.{base.__name__}."
                    " Repair or remove its package."
                ]
            )
        return found

    def find_all(self, base: type) -> dict[str, Any]:
        """Return every class by name. A plug-in that cannot be used is left out with a warning.

        Args:
            base: The class that every member must be derived from.
        """
        found = {}
        for name in self.names():
            try:
                found[name] = self.find(name, base)
            except CclearnError as error:
                warnings.warn(str(error), CclearnWarning, stacklevel=2)
        return found

    def _find_plugins(self) -> dict[str, EntryPoint]:
        """Return the entry points of other packages by name. They are searched once for a `sys.path`."""
        if self._searched != sys.path:
            self._searched = list(sys.path)
            self._plugins = self._read_entry_points()
        return self._plugins

    def _read_entry_points(self) -> dict[str, EntryPoint]:
        from importlib.metadata import entry_points

        found: dict[str, EntryPoint] = {}
        # The order of packages on the disk must not decide which of two plug-ins is used.
        for entry in sorted(entry_points(group=self.group), key=lambda e: (e.name, e.value)):
            owner = None
            if entry.name in self._own or entry.name in self._reserved:
                owner = "cclearn"
            elif entry.name in found:
                owner = found[entry.name].value
            if owner is None:
                found[entry.name] = entry
                continue
            warnings.warn(
                f"{self._describe(entry)}: the name is already used by {owner}, and the plug-in is left"
                " out. Give it another name.",
                CclearnWarning,
                stacklevel=2,
            )
        return found

    def _describe(self, entry: EntryPoint) -> str:
        return f"plug-in ({self.group}: {entry.name} = {entry.value})"


BUILDERS = Registry(
    "builder",
    "cclearn.builders",
    {
        "corpus": "data_builders.sources.corpus:CorpusBuilder",
        "disease_ontology": "data_builders.sources.disease_ontology:DiseaseOntologyBuilder",
        "icd10cm": "data_builders.sources.icd10cm:ICD10CMBuilder",
        "icd10cm_index": "data_builders.sources.icd10cm_index:ICD10CMIndexBuilder",
        "joined_spans": "data_builders.synthetic.joined_spans:JoinedSpansBuilder",
        "merge": "data_builders.sources.merge:MergeBuilder",
        "neighbours": "data_builders.synthetic.neighbours:NeighboursBuilder",
        "note_evidence": "data_builders.sources.note_evidence:NoteEvidenceBuilder",
        "policies": "data_builders.policies.builder:PoliciesBuilder",
        "rare_code_notes": "data_builders.rare_codes.builder:RareCodeNotesBuilder",
        "silver": "data_builders.silver.builder:SilverBuilder",
        "sssom": "data_builders.sources.sssom:SSSOMBuilder",
        "template_notes": "data_builders.synthetic.template_notes:TemplateNotesBuilder",
        "user_table": "data_builders.sources.user_table:UserTableBuilder",
    },
    "See `cclearn build --list`.",
)

ENGINES = Registry(
    "engine",
    "cclearn.engines",
    {
        "openai": "cclearn.engines.openai:OpenAIEngine",
        "replay": "cclearn.engines.replay:ReplayEngine",
        "transformers": "cclearn.engines.local:LocalEngine",
        "vllm": "cclearn.engines.vllm:VLLMEngine",
    },
    reserved=("lexicon", "spacy"),
)

CORPORA = Registry(
    "corpus",
    "cclearn.corpora",
    {
        "aci-bench": "cclearn.evaluation.corpora.aci_bench:ACIBench",
        "brat": "cclearn.evaluation.corpora.brat:Brat",
        "codiesp": "cclearn.evaluation.corpora.codiesp:CodiEsp",
        "doccano": "cclearn.evaluation.corpora.doccano:Doccano",
        "inception": "cclearn.evaluation.corpora.inception:InceptionCorpus",
        "jsonl": "cclearn.evaluation.corpora.own_notes:OwnNotes",
        "label-studio": "cclearn.evaluation.corpora.label_studio:LabelStudio",
        "mdace": "cclearn.evaluation.corpora.mdace:MDACECorpus",
        "mimic3": "cclearn.evaluation.corpora.mimic:MIMIC3",
        "mimic4": "cclearn.evaluation.corpora.mimic:MIMIC4",
        "synthetic": "cclearn.evaluation.corpora.own_notes:SyntheticNotes",
        "table": "cclearn.evaluation.corpora.user_tables:TableCorpus",
    },
    "See `cclearn benchmark --list`.",
)

OUTPUTS = Registry(
    "format",
    "cclearn.outputs",
    {
        "brat": "cclearn.outputs.annotation_tools:Brat",
        "codiesp-d": "cclearn.outputs.codiesp:CodiEspD",
        "codiesp-x": "cclearn.outputs.codiesp:CodiEspX",
        "csv": "cclearn.outputs.delimited:CSV",
        "doccano": "cclearn.outputs.annotation_tools:Doccano",
        "fhir": "cclearn.outputs.fhir:FHIR",
        "html": "cclearn.outputs.html:HTML",
        "inception": "cclearn.outputs.inception:Inception",
        "jsonl": "cclearn.outputs.jsonl:JSONL",
        "label-studio": "cclearn.outputs.annotation_tools:LabelStudio",
        "mdace": "cclearn.outputs.mdace:MDACE",
        "omop": "cclearn.outputs.omop:OMOP",
        "tsv": "cclearn.outputs.delimited:TSV",
        "xlsx": "cclearn.outputs.xlsx:XLSX",
    },
)

METRICS = Registry(
    "metric",
    "cclearn.metrics",
    {},
    # The groups of scores that an evaluation reports by itself.
    reserved=("chapter", "decision", "frequency", "grade", "seen", "unseen"),
)
"""The metrics of plug-ins. The scores of cclearn itself are not optional and are not listed."""


def _import(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def checked_settings(
    settings_type: type[Settings], settings: Mapping[str, Any], name: str
) -> Settings:
    """Return validated settings. Every problem is reported, not only the first.

    Args:
        settings_type: The model that validates the settings.
        settings: The settings that the user gave.
        name: The name of the owner of the settings, for messages.

    Raises:
        ConfigurationError: Settings are unknown, missing or of the wrong type.
    """
    try:
        return settings_type.model_validate(settings)
    except ValidationError as error:
        known = settings_type.model_fields
        problems = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"]) or "settings"
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                hint = did_you_mean(key, known) or f" There are: {', '.join(known)}."
                message = f"unknown setting.{hint}"
            elif problem["type"] == "missing":
                message = "missing"
            elif problem["type"] == "tuple_type":
                message = f"not a list. Write {key}=[…]."
            problems.append(f"{name}: {shown_id(key)}: {message}")
        raise ConfigurationError(problems) from None
