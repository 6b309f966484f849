"""What every builder is, and the folder that each of them writes."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

import cclearn
from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, did_you_mean
from cclearn.files import atomic_folder, sha256_of_file, write_json
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import row_to_json, write_rows
from cclearn.notes.parquet import parquet_of_jsonl
from data_builders.coverage import Coverage, markdown, plot


class Rejected(BaseModel):
    """A row that a builder did not make, and why.

    Attributes:
        text: The string, or a note's id.
        code: The code it would have had.
        reason: In a few words, the same for all rows of a kind; counted in `stats.json`.
        detail: What tells this row apart, e.g. the codes that claim the string.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    code: str
    reason: str
    detail: str = ""


class BuilderConfig(BaseModel):
    """Settings that all builders share."""

    # A chapter given as 9 is as good as "9".
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    seed: int = 0


Built = SpanPair | CodedNote | Rejected


class Builder(ABC):
    """A source of rows.

    Attributes:
        name: As `cclearn build NAME` calls it.
        summary: One line for `cclearn build --list`.
        config_type: Its settings.
        row_type: What its rows are.
        data_file: The name of the file that holds the rows; a Parquet file of the same rows stands
            beside it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    config_type: ClassVar[type[BuilderConfig]]
    row_type: ClassVar[type[SpanPair | CodedNote]]
    data_file: ClassVar[str]

    @abstractmethod
    def rows(self, config: Any, system: CodeSystem) -> Iterator[Built]:
        """Yield rows and rejected rows, the same ones in the same order for the same settings."""

    def inputs(self, config: Any) -> list[Path]:
        """Return the files that the builder reads; their hashes go into the manifest."""
        return []


_BUILDERS = {
    "icd10cm": "data_builders.icd10cm:ICD10CMBuilder",
    "icd10cm_index": "data_builders.icd10cm_index:ICD10CMIndexBuilder",
    "template_notes": "data_builders.template_notes:TemplateNotesBuilder",
}


def builder_names() -> list[str]:
    """Return the names of all builders."""
    return sorted(_BUILDERS)


def find_builder(name: str) -> Builder:
    """Return a builder by name. Raises ConfigurationError when there is none."""
    if name not in _BUILDERS:
        raise ConfigurationError(
            [
                f"builder (name = {name}): not known.{did_you_mean(name, _BUILDERS)}"
                " See `cclearn build --list`."
            ]
        )
    module, _, attribute = _BUILDERS[name].partition(":")
    builder: Builder = getattr(importlib.import_module(module), attribute)()
    return builder


def configure(builder: Builder, settings: dict[str, Any]) -> BuilderConfig:
    """Check settings, all of them at once.

    Raises:
        ConfigurationError: Settings are unknown, missing or of the wrong type.
    """
    try:
        return builder.config_type.model_validate(settings)
    except ValidationError as error:
        known = builder.config_type.model_fields
        problems = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"]) or "settings"
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                message = f"unknown setting.{did_you_mean(key, known)}"
            elif problem["type"] == "missing":
                message = "missing"
            problems.append(f"{builder.name}: {key}: {message}")
        raise ConfigurationError(problems) from None


@dataclass
class BuildResult:
    """Where a build is, and what it counted."""

    folder: Path
    data: Path
    stats: dict[str, Any]


def build(
    builder: Builder,
    config: BuilderConfig,
    folder: Path,
    system: CodeSystem | None = None,
    overwrite: bool = False,
    progress: Callable[[Iterable[Built], str], Iterable[Built]] | None = None,
) -> BuildResult:
    """Run a builder and write its folder: data as JSONL and Parquet, rejected rows, counts, manifest,
    and a dataset card with a table and a plot of the codes that are covered.

    Args:
        builder: What to run.
        config: Its settings.
        folder: The output; it appears only when the build is complete.
        system: The code system, ICD-10-CM if none is given.
        overwrite: Whether the folder may be replaced.
        progress: Passes the rows on while it shows them under a title.

    Raises:
        CclearnError: The folder exists, or an input cannot be read.
    """
    system = system or CodeSystem.load()
    with atomic_folder(folder, overwrite) as partial:
        data = partial / builder.data_file
        with (partial / "rejected.jsonl").open("w", encoding="utf-8") as stream:
            tally = _Tally(stream)
            rows: Iterable[Built] = builder.rows(config, system)
            if progress:
                rows = progress(rows, f"building {builder.name}")
            write_rows(data, tally.kept(rows))
        parquet_of_jsonl(data, data.with_suffix(".parquet"), builder.row_type)
        coverage = tally.coverage.table(system)
        stats: dict[str, Any] = {
            **dict(sorted(tally.counts.items())),
            "codes": tally.coverage.codes,
            "rejected": dict(sorted(tally.rejected.items())),
            "coverage": coverage,
        }
        write_json(partial / "stats.json", stats)
        manifest = {
            "builder": builder.name,
            "config": config.model_dump(mode="json"),
            "cclearn": cclearn.__version__,
            "code_system": {"name": system.name, "release": system.release},
            "inputs_sha256": {str(path): sha256_of_file(path) for path in builder.inputs(config)},
            "data_sha256": sha256_of_file(data),
        }
        write_json(partial / "manifest.json", manifest)
        plot(coverage, partial / "coverage.png")
        card = _card(builder, manifest, stats, markdown(coverage, system))
        (partial / "README.md").write_text(card, encoding="utf-8")
    return BuildResult(folder, folder / builder.data_file, stats)


class _Tally:
    """Counts rows as they pass, and writes the rejected ones away."""

    def __init__(self, rejected: IO[str]) -> None:
        self._stream = rejected
        self.counts: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.coverage = Coverage()

    def kept(self, rows: Iterable[Built]) -> Iterator[SpanPair | CodedNote]:
        """Yield the rows that are data."""
        for row in rows:
            if isinstance(row, Rejected):
                self.rejected[row.reason] += 1
                self._stream.write(row_to_json(row) + "\n")
                continue
            self.counts["rows"] += 1
            if isinstance(row, SpanPair):
                self.counts[f"source {row.source}"] += 1
                self.coverage.add(row.code, row.text)
            else:
                self._count_note(row)
            yield row

    def _count_note(self, note: CodedNote) -> None:
        self.counts["notes without codes"] += not note.codes
        for assigned in note.codes:
            self.counts["mentions"] += len(assigned.evidence)
            for evidence in assigned.evidence:
                self.coverage.add(assigned.code, evidence.text)


def _card(builder: Builder, manifest: dict[str, Any], stats: dict[str, Any], coverage: str) -> str:
    system = manifest["code_system"]
    lines = [
        f"# {builder.name}",
        "",
        builder.summary,
        "",
        f"Codes: {system['name']}, release {system['release']}. Built by cclearn"
        f" {manifest['cclearn']}; the settings and hashes are in `manifest.json`, the rows that were"
        " not made and the reasons in `rejected.jsonl`.",
        "",
        "| what | count |",
        "| --- | --- |",
    ]
    counted = {name: count for name, count in stats.items() if isinstance(count, int)}
    counted |= {f"rejected: {reason}": count for reason, count in stats["rejected"].items()}
    lines += [f"| {name} | {count:,} |" for name, count in counted.items()]
    lines += [
        "",
        "## Coverage",
        "",
        "Billable codes by how many distinct strings stand for them, in the chapters that have any.",
        "",
        coverage,
        "",
        "![The same, as shares of each chapter](coverage.png)",
    ]
    return "\n".join(lines) + "\n"
