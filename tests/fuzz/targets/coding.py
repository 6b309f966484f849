"""Targets of the commands that code notes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.targets.target import Target


def note_targets() -> Iterator[Target]:
    sources = (
        ("note.txt", "text"),
        ("notes.jsonl", "jsonl"),
        ("notes.parquet", "parquet"),
        ("notes.csv", "table"),
    )
    for file, kind in sources:
        code = ("code", file)
        yield Target(f"code {file}", kind, file, code, shows_notes=True, weight=3)
        for out in ("x.html", "x.tsv", "x.json", "x.jsonl"):
            form = ("--format", "fhir") if out == "x.json" else ()
            yield Target(f"code {file} --out", kind, file, (*code, "--out", out, *form), weight=0.5)
        if kind != "text":
            yield Target(f"code {file} --out folder", kind, file, (*code, "--out", "out/"))
    folder = ("code", "texts", "--out", "out/")
    yield Target("code texts/ --out folder", "text", "texts/n1.txt", folder, ("texts",))
    yield Target(
        "code texts/", "text", "texts/n1.txt", ("code", "texts"), ("texts",), shows_notes=True
    )
    yield Target("code -", "text", "note.txt", ("code", "-"), shows_notes=True)
    for form in ("codiesp-d", "codiesp-x"):
        command = ("code", "notes.jsonl", "--out", "x.out", "--format", form)
        yield Target("code notes.jsonl --out", "jsonl", "notes.jsonl", command, weight=0.3)
    for form in ("html", "tsv", "fhir", "codiesp-x", "jsonl"):
        for file, kind in (("gold.jsonl", "jsonl"), ("gold.parquet", "parquet")):
            command = ("export", file, "--out", "x.out", "--format", form)
            yield Target(f"export {file}", kind, file, command, weight=0.5)
    pairs = ("code", "note.txt", "--pairs")
    yield Target(
        "code --pairs",
        "jsonl",
        "pairs.jsonl",
        (*pairs, "pairs.jsonl"),
        ("note.txt",),
        shows_notes=True,
    )
    yield Target(
        "code --pairs",
        "parquet",
        "pairs.parquet",
        (*pairs, "pairs.parquet"),
        ("note.txt",),
        shows_notes=True,
    )
    replay = ("code", "notes.jsonl", "--model", "replay:replay.jsonl")
    yield Target(
        "replay", "jsonl", "replay.jsonl", replay, ("notes.jsonl",), shows_notes=True, weight=2
    )
    named = ("code", "note.txt", "--calibration", "calibration.json")
    yield Target(
        "calibration.json",
        "json",
        "calibration.json",
        named,
        ("note.txt",),
        shows_notes=True,
        weight=2,
    )
    span_loop = ("code", "note.txt", "--mode", "span_loop")
    loop = ("recogniser=lexicon", "segments=sentence", "window=500", "assignment=choose",
            "candidates=10", "embeddings=null", "verify=false")  # fmt: skip
    for setting in loop:
        command = (*span_loop, "--loop", "{}")
        yield Target(
            "--loop", "setting", setting, command, ("note.txt",), shows_notes=True, weight=0.2
        )
    engine = ("batch_size=2", "max_new_tokens=9", "timeout=3.5", "temperature=0", "constraint=none",
              "tokens=5", "cost=1.5", "cache=off", "send_restricted=false")  # fmt: skip
    for setting in engine:
        command = ("code", "note.txt", "--engine", "{}")
        yield Target(
            "--engine", "setting", setting, command, ("note.txt",), shows_notes=True, weight=0.2
        )
    cache = ("code", "notes.jsonl", "--model", "replay:replay.jsonl", "--engine", "{}")
    yield Target(
        "--engine",
        "setting",
        "cache=answers",
        cache,
        ("notes.jsonl", "replay.jsonl"),
        shows_notes=True,
    )


def folder_targets() -> Iterator[Target]:
    for file, kind in (("manifest.json", "json"), ("summary.json", "json"), ("rejected.jsonl", "jsonl"),
                       ("shards/00000.done", "json"), ("shards/00000.jsonl", "jsonl")):  # fmt: skip
        out = ("export", "coded", "--out", "x.tsv")
        yield Target("export folder", kind, f"coded/{file}", out, ("coded",))
        again = ("code", "notes.jsonl", "--out", "coded", "--shard-size", "2")
        yield Target(
            "code, finished folder",
            kind,
            f"coded/{file}",
            again,
            ("coded", "notes.jsonl"),
            weight=0.5,
        )
    for file, kind in (
        ("manifest.json", "json"),
        ("shards/00000.done", "json"),
        ("shards/00001.jsonl", "jsonl"),
    ):
        on = ("code", "notes.jsonl", "--out", "half", "--shard-size", "2")
        yield Target("code, resumed", kind, f"half/{file}", on, ("half", "notes.jsonl"))
        retry = (*on, "--retry")
        yield Target(
            "code --retry", kind, f"half/{file}", retry, ("half", "notes.jsonl"), weight=0.3
        )
