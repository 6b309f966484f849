"""The folder that a build writes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cclearn
from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import row_to_json
from cclearn.notes.parquet import jsonl_to_parquet
from cclearn.runtime.files import (
    atomic_file,
    atomic_folder,
    sha256_of_file,
    sha256_of_path,
    write_json,
)
from data_builders.builder import (
    AmbiguousString,
    Builder,
    BuilderConfig,
    BuiltRow,
    RejectedRow,
)
from data_builders.coverage import Coverage, markdown, plot, string_hash
from data_builders.parallel import ParallelMap, in_process


@dataclass
class BuildResult:
    """Result of a build.

    Attributes:
        folder: Folder that the build wrote.
        data: Path of the first file of rows.
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
        row_types = builder.data_files(config)
        files = [partial / name for name in row_types]
        with (
            (partial / "rejected.jsonl").open("w", encoding="utf-8") as rejected,
            (partial / "ambiguous.jsonl").open("w", encoding="utf-8") as ambiguous,
        ):
            tally = _Tally(rejected, ambiguous)
            rows: Iterable[BuiltRow] = builder.rows(config, system, parallel_map)
            if progress:
                rows = progress(rows, f"building {builder.name}")
            with ExitStack() as stack:
                streams = {file.name: stack.enter_context(atomic_file(file)) for file in files}
                for row in tally.data_rows(rows):
                    line = row_to_json(row).encode("utf-8") + b"\n"
                    streams[builder.file_of(row, config)].write(line)
            for file in files:
                if row_types[file.name] is SpanPair and not builder.keeps_shared_strings:
                    tally.remove_shared_strings(file)
        for file in files:
            parquet, row_type = file.with_suffix(".parquet"), row_types[file.name]
            jsonl_to_parquet(file, parquet, row_type, tally.metadata())
        coverage = tally.coverage.table(system)
        stats: dict[str, Any] = {
            **builder.statistics,
            **dict(sorted(tally.counts.items())),
            "codes": tally.coverage.codes,
            "rejected": dict(sorted(tally.rejected.items())),
            "coverage": coverage,
        }
        write_json(partial / "stats.json", stats)
        manifest: dict[str, Any] = {
            **builder.provenance,
            "builder": builder.name,
            "config": config.model_dump(mode="json"),
            "cclearn": cclearn.__version__,
            "code_system": {
                "name": system.name,
                "release": system.release,
                "source": system.source,
            },
            "inputs_sha256": {str(path): sha256_of_path(path) for path in config.inputs()},
            "data_sha256": {file.name: sha256_of_file(file) for file in files},
        }
        write_json(partial / "manifest.json", manifest)
        plot(coverage, partial / "coverage.png")
        card = _card(builder, row_types, manifest, stats, markdown(coverage, system))
        (partial / "README.md").write_text(card, encoding="utf-8")
    return BuildResult(folder, folder / files[0].name, stats)


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
        self._metadata: Counter[tuple[str, ...] | None] = Counter()

    def metadata(self) -> tuple[str, ...]:
        """Return the names of the metadata that every note has as text. Parquet contains no other."""
        names = next(iter(self._metadata), None)
        return names if names is not None and len(self._metadata) == 1 else ()

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
        is_text = all(isinstance(value, str) for value in note.metadata.values())
        self._metadata[tuple(sorted(note.metadata)) if is_text else None] += 1
        self.counts["notes without codes"] += not note.codes
        for assigned in note.codes:
            self.counts["codes of notes"] += 1
            self.counts["codes without evidence"] += not assigned.evidence
            if assigned.status != "valid":
                self.counts[f"codes that are {assigned.status}"] += 1
            self.counts["mentions"] += len(assigned.evidence)
            for evidence in assigned.evidence:
                self.coverage.add(assigned.code, evidence.text)


def _data_files(files: Mapping[str, type[SpanPair | CodedNote]]) -> Iterator[str]:
    """Yield the lines of a data card that name the data: files of one type as splits, others alone."""
    if len(set(files.values())) == 1:
        yield "- config_name: default"
        yield "  data_files:"
        for file in files:
            name = Path(file).stem
            yield f"  - split: {'train' if len(files) == 1 else name}"
            yield f"    path: {name}.parquet"
        return
    for number, file in enumerate(files):
        name = Path(file).stem
        yield f"- config_name: {name}"
        yield from ["  default: true"] if not number else []
        yield f"  data_files: {name}.parquet"


def _card(
    builder: Builder,
    files: Mapping[str, type[SpanPair | CodedNote]],
    manifest: dict[str, Any],
    stats: dict[str, Any],
    coverage: str,
) -> str:
    system = manifest["code_system"]
    lines = [
        # `datasets.load_dataset` and the hub read which of the files are the data.
        "---",
        "configs:",
        *_data_files(files),
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
