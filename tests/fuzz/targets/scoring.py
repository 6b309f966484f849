"""Targets of the commands that evaluate and calibrate."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.targets.target import NO_DRAWS, Target


def scoring_targets() -> Iterator[Target]:
    # The exit code of a failed check is 1, so that the limits are large.
    limits = ("most_unsupported=99", "most_code_texts=99", "lexicon_notes=0")
    compared = ("most_copies=99", "most_passages=99", "most_near_duplicates=99", "most_leaking=99")
    yield Target("audit", "jsonl", "gold.jsonl", ("audit", "gold.jsonl", *limits), weight=2)
    yield Target(
        "audit --against",
        "jsonl",
        "pred.jsonl",
        ("audit", "gold.jsonl", "--against", "pred.jsonl", *limits, *compared),
        ("gold.jsonl",),
    )
    both = ("--gold", "gold.jsonl", "--pred", "pred.jsonl", *NO_DRAWS)
    for file in ("gold.jsonl", "pred.jsonl"):
        needs = tuple({"gold.jsonl": "pred.jsonl", "pred.jsonl": "gold.jsonl"}[file].split())
        yield Target("evaluate", "jsonl", file, ("evaluate", *both), needs, weight=2)
        report = ("evaluate", *both, "--out", "scores", "--show", "2")
        yield Target("evaluate --out", "jsonl", file, report, needs)
        train = ("evaluate", *both, "--train", "gold.parquet")
        yield Target(
            "evaluate --train",
            "parquet",
            "gold.parquet",
            train,
            ("gold.jsonl", "pred.jsonl"),
            weight=0.5,
        )
        compare = ("compare", *both, "--pred", "other.jsonl")
        yield Target("compare", "jsonl", file, compare, (*needs, "other.jsonl"))
    needs = ("gold.jsonl", "pred.jsonl")
    changes = ("evaluate", *both, "--edition-map", "conversion.txt")
    yield Target("evaluate --edition-map", "table", "conversion.txt", changes, needs)
    gold = ("evaluate", "--gold", "gold.parquet", "--pred", "pred.jsonl", *NO_DRAWS)
    yield Target("evaluate", "parquet", "gold.parquet", gold, ("pred.jsonl",))
    for file, kind in (("pairs.jsonl", "jsonl"), ("pairs.parquet", "parquet")):
        yield Target("spans", kind, file, ("spans", file, "--model", "lexicon", *NO_DRAWS))
    dev = ("calibrate", "--model", "lexicon", "--data", "dev.jsonl", "--out", "c.json")
    yield Target("calibrate", "jsonl", "dev.jsonl", dev)
    for name, file, kind, settings in (
        ("codiesp", "dev/devD.tsv", "table", ()),
        ("codiesp", "dev/devX.tsv", "table", ("language=es",)),
        ("codiesp", "dev/devP.tsv", "table", ("procedures=true",)),
        ("codiesp", "dev/text_files_en/S1.txt", "text", ()),
        ("codiesp", "dev/text_files/S1.txt", "text", ("language=es",)),
        ("mdace", "data/Inpatient/ICD-10/1.0/100-ICD-10.json", "json", ()),
        ("mdace", "splits/Inpatient/MDace-ev-test.csv", "table", ()),
        ("mdace", "NOTEEVENTS.csv", "table", ()),
        ("mimic4", "diagnoses_icd.csv", "table", ()),
        ("mimic4", "discharge.csv.gz", "gz", ()),
        ("mimic4", "splits.csv", "table", ()),
        ("mimic4feather", "mimiciv_icd10_split.feather", "binary", ()),
        ("aci", "valid.csv", "table", ("codes=codes.csv",)),
        ("aci", "codes.csv", "table", ("codes=codes.csv",)),
        ("own", "test.jsonl", "jsonl", ()),
        ("own", "dev.parquet", "parquet", ("split=dev",)),
        ("own", "train.jsonl", "jsonl", ()),
    ):
        corpus = {
            "mimic4": "mimic4",
            "mimic4feather": "mimic4",
            "aci": "aci-bench",
            "own": "jsonl",
        }.get(name, name)
        command = (
            "benchmark",
            corpus,
            *settings,
            "--data",
            name,
            "--model",
            "lexicon",
            "--out",
            "scores",
            *NO_DRAWS,
        )
        yield Target(f"benchmark {corpus}", kind, f"{name}/{file}", command, (name,), weight=0.7)
        if file in ("dev/devX.tsv", "data/Inpatient/ICD-10/1.0/100-ICD-10.json", "test.jsonl"):
            task = ("export-task", corpus, *settings, "--data", name, "--out", "task")
            yield Target("export-task", kind, f"{name}/{file}", task, (name,), weight=0.3)
    own = (
        "benchmark",
        "jsonl",
        "--data",
        "own",
        "--model",
        "lexicon",
        "--out",
        "scores",
        *NO_DRAWS,
    )
    yield Target(
        "--prices", "yaml", "prices.yaml", (*own, "--prices", "prices.yaml"), ("own",), weight=2
    )
    retention = (*own, "--retention", "retention.json")
    yield Target("--retention", "json", "retention.json", retention, ("own",))
    for setting in ("split=test", "split=train"):
        yield Target("benchmark setting", "setting", setting, (*own, "{}"), ("own",), weight=0.3)
