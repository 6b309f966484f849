"""The base class of builders, and the folder that a build writes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

from pydantic import BaseModel, ConfigDict

import cclearn
from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.errors import ConfigurationError, DataError, shown_id
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_rows, row_to_json, write_rows
from cclearn.notes.parquet import jsonl_to_parquet
from cclearn.registry import BUILDERS, checked_settings
from cclearn.runtime.files import atomic_file, atomic_folder, sha256_of_file, write_json
from data_builders.coverage import Coverage, markdown, plot, string_hash
from data_builders.parallel import ParallelMap, in_process


class RejectedRow(BaseModel):
    """A row that a builder does not include in its data, and the reason.

    Attributes:
        text: String of a span pair, or id of a note.
        code: Code of the row.
        reason: Short reason, which is the same for all rows of its kind and is counted in `stats.json`.
        detail: Further information about this row, for example the codes that claim the string.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    code: str
    reason: str
    detail: str = ""


class AmbiguousString(BaseModel):
    """A string that several codes claim equally strongly. No pair is built for it.

    Attributes:
        text: The ambiguous string.
        codes: Codes that claim it.
        source: Source of the first claim.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    codes: tuple[str, ...]
    source: str


class BuilderConfig(BaseModel):
    """Settings that all builders share.

    Attributes:
        seed: Seed of all random choices.
    """

    # YAML and the command line yield numbers for settings such as a chapter.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    seed: int = 0


BuiltRow = SpanPair | CodedNote | RejectedRow | AmbiguousString
"""Items that a builder yields: data, and what is left out of the data."""


class Builder(ABC):
    """Base class of builders, which turn settings into rows.

    Attributes:
        name: Name of the builder for `cclearn build NAME`.
        summary: One-line description for `cclearn build --list`.
        config_type: Class of the settings.
        row_type: Class of the rows.
        data_file: Name of the JSONL file of the rows. A Parquet file of the same rows is written beside
            it.
        keeps_shared_strings: Whether a string may have span pairs with several codes. Otherwise such a
            string is ambiguous, and has no pair.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    config_type: ClassVar[type[BuilderConfig]]
    row_type: ClassVar[type[SpanPair | CodedNote]]
    data_file: ClassVar[str]
    keeps_shared_strings: ClassVar[bool] = False

    @abstractmethod
    def rows(
        self, config: Any, system: CodeSystem, parallel_map: ParallelMap = in_process
    ) -> Iterator[BuiltRow]:
        """Yield rows, rejected rows and ambiguous strings.

        The result depends only on the settings and the code system.

        Args:
            config: Settings of the builder.
            system: Code system of the rows.
            parallel_map: Map that runs the expensive step. It does not influence the result.
        """

    @abstractmethod
    def has_parallel_step(self, config: Any) -> bool:
        """Return whether these settings require an expensive step that `parallel_map` runs.

        Args:
            config: Settings of the builder.
        """


def builder_names() -> list[str]:
    """Return the names of all builders."""
    return BUILDERS.names()


def find_builder(name: str) -> Builder:
    """Return a builder by name. Raises ConfigurationError if there is none."""
    builder: Builder = BUILDERS.find(name, Builder)()
    return builder


def all_builders() -> dict[str, Builder]:
    """Return every builder by name. A plug-in that cannot be imported is left out with a warning."""
    return {name: builder() for name, builder in BUILDERS.find_all(Builder).items()}


def require_system(builder: Builder, name: str, system: CodeSystem) -> None:
    """Raise ConfigurationError if a builder requires another code system.

    Args:
        builder: Builder, for the message.
        name: Name of the code system that the builder requires.
        system: Code system of the build.
    """
    if system.name != name:
        raise ConfigurationError(
            [
                f"code system (system = {system.name}): the builder {builder.name} only reads"
                f" {name}. Use user_table for titles and synonyms of any system."
            ]
        )


def read_pairs(path: Path, system: CodeSystem) -> Iterator[SpanPair]:
    """Yield the span pairs of a file, which must belong to a code system.

    Args:
        path: Path of the file.
        system: Code system of the pairs.

    Raises:
        DataError: The file is invalid, or contains pairs of another code system.
    """
    for pair in read_rows(path, SpanPair):
        if pair.system != system.name:
            problem = f"'{shown_id(pair.id)}' is of {shown_id(pair.system)}, not of {system.name}"
            raise DataError(path, problem, field="system")
        yield pair


def configure(builder: Builder, settings: dict[str, Any]) -> BuilderConfig:
    """Return checked settings. Raises ConfigurationError, which lists all problems.

    Args:
        builder: Builder that the settings are for.
        settings: Values by the names of the settings.
    """
    return checked_settings(builder.config_type, settings, builder.name)


@dataclass
class BuildResult:
    """Result of a build.

    Attributes:
        folder: Folder that the build wrote.
        data: Path of the file of rows.
        stats: Content of `stats.json`.
    """

    folder: Path
    data: Path
    stats: dict[str, Any]


def build(
    builder: Builder,
    config: BuilderConfig,
    folder: Path,
    system: CodeSystem | None = None,
    overwrite: bool = False,
    progress: Callable[[Iterable[BuiltRow], str], Iterable[BuiltRow]] | None = None,
    parallel_map: ParallelMap = in_process,
) -> BuildResult:
    """Run a builder and write its folder.

    The folder contains the rows as JSONL and Parquet, the rejected rows, the ambiguous strings, counts,
    a manifest, and a data card with a table and a plot of the coverage of the code system.

    Args:
        builder: Builder to run.
        config: Settings of the builder.
        folder: Output folder, which appears only when the build is complete.
        system: Code system of the rows. The default is ICD-10-CM.
        overwrite: Whether an existing output folder may be replaced.
        progress: Function that shows the progress of an iterable of rows under a title, and returns its
            rows. None shows nothing.
        parallel_map: Map that runs the expensive step of the builder.

    Raises:
        CclearnError: The folder exists, or an input cannot be read.
    """
    system = system or CodeSystem.load()
    with atomic_folder(folder, overwrite, "data set") as partial:
        data = partial / builder.data_file
        with (
            (partial / "rejected.jsonl").open("w", encoding="utf-8") as rejected,
            (partial / "ambiguous.jsonl").open("w", encoding="utf-8") as ambiguous,
        ):
            tally = _Tally(rejected, ambiguous)
            rows: Iterable[BuiltRow] = builder.rows(config, system, parallel_map)
            if progress:
                rows = progress(rows, f"building {builder.name}")
            write_rows(data, tally.data_rows(rows))
            if builder.row_type is SpanPair and not builder.keeps_shared_strings:
                tally.remove_shared_strings(data)
        jsonl_to_parquet(data, data.with_suffix(".parquet"), builder.row_type)
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
            "code_system": {
                "name": system.name,
                "release": system.release,
                "source": system.source,
            },
            "inputs_sha256": {str(path): sha256_of_file(path) for path in _inputs(config)},
            "data_sha256": sha256_of_file(data),
        }
        write_json(partial / "manifest.json", manifest)
        plot(coverage, partial / "coverage.png")
        card = _card(builder, manifest, stats, markdown(coverage, system))
        (partial / "README.md").write_text(card, encoding="utf-8")
    return BuildResult(folder, folder / builder.data_file, stats)


def _inputs(config: BuilderConfig) -> list[Path]:
    """Return the paths in the settings."""
    values = [getattr(config, name) for name in type(config).model_fields]
    items = [item for value in values for item in (value if isinstance(value, tuple) else (value,))]
    return [item for item in items if isinstance(item, Path)]


class _Tally:
    """Counts the rows of a build, and writes rejected rows and ambiguous strings to their files.

    Args:
        rejected: Open file of the rejected rows.
        ambiguous: Open file of the ambiguous strings.

    Attributes:
        counts: Counts for `stats.json` by name, for example of the rows and of the rows of each source.
        rejected: Number of rejected rows by reason.
        coverage: Strings of each code.
    """

    def __init__(self, rejected: IO[str], ambiguous: IO[str]) -> None:
        self._rejected = rejected
        self._ambiguous = ambiguous
        self.counts: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.coverage = Coverage()

    def data_rows(self, rows: Iterable[BuiltRow]) -> Iterator[SpanPair | CodedNote]:
        """Yield the span pairs and the coded notes. All rows are counted."""
        for row in rows:
            if isinstance(row, RejectedRow):
                self.rejected[row.reason] += 1
                self._rejected.write(row_to_json(row) + "\n")
            elif isinstance(row, AmbiguousString):
                self._count_ambiguous(row)
            else:
                self.counts["rows"] += 1
                if isinstance(row, SpanPair):
                    self.counts[f"source {row.source}"] += 1
                    self.coverage.add(row.code, row.text)
                else:
                    self._count_note(row)
                yield row

    def remove_shared_strings(self, data: Path) -> None:
        """Move pairs whose strings have several codes from the data to the ambiguous strings.

        A builder resolves the claims of its source. But variants of different strings may be equal, such
        as `choera` for cholera and for chorea. This is known only when all rows are built, so that the
        file is read again.
        """
        shared = self.coverage.shared()
        if not shared:
            return
        ambiguous: dict[str, list[dict[str, str]]] = {}
        with data.open("rb") as lines, atomic_file(data) as kept:
            for line in lines:
                fields = json.loads(line)
                if string_hash(fields["text"]) in shared:
                    ambiguous.setdefault(string_key(fields["text"]), []).append(fields)
                else:
                    kept.write(line)
        for pairs in ambiguous.values():
            text, source = pairs[0]["text"], pairs[0]["source"]
            codes = tuple(sorted({fields["code"] for fields in pairs}))
            self._count_ambiguous(AmbiguousString(text=text, codes=codes, source=source))
            for fields in pairs:
                self.counts["rows"] -= 1
                self.counts[f"source {fields['source']}"] -= 1
                self.coverage.remove(fields["code"], fields["text"])

    def _count_ambiguous(self, row: AmbiguousString) -> None:
        self.counts["ambiguous strings"] += 1
        self._ambiguous.write(row_to_json(row) + "\n")

    def _count_note(self, note: CodedNote) -> None:
        self.counts["notes without codes"] += not note.codes
        for assigned in note.codes:
            self.counts["mentions"] += len(assigned.evidence)
            for evidence in assigned.evidence:
                self.coverage.add(assigned.code, evidence.text)


def _card(builder: Builder, manifest: dict[str, Any], stats: dict[str, Any], coverage: str) -> str:
    system = manifest["code_system"]
    parquet = Path(builder.data_file).with_suffix(".parquet").name
    lines = [
        # `datasets.load_dataset` and the hub read which of the files are the data.
        "---",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f"    path: {parquet}",
        "---",
        "",
        f"# {builder.name}",
        "",
        builder.summary,
        "",
        f"Codes: {system['name']}, release {system['release']}. Built by cclearn"
        f" {manifest['cclearn']}; `manifest.json` contains the settings and hashes,"
        " `rejected.jsonl` the rejected rows with the reasons, and `ambiguous.jsonl` the strings that"
        " several codes share with the same precedence.",
        "",
        "| item | count |",
        "| --- | --- |",
    ]
    counted = {name: count for name, count in stats.items() if isinstance(count, int)}
    counted |= {f"rejected: {reason}": count for reason, count in stats["rejected"].items()}
    lines += [f"| {name} | {count:,} |" for name, count in counted.items()]
    lines += [
        "",
        "## Coverage",
        "",
        "Number of billable codes by number of distinct strings, for each chapter that has strings.",
        "",
        coverage,
        "",
        "![The same numbers as shares of each chapter](coverage.png)",
    ]
    return "\n".join(lines) + "\n"
