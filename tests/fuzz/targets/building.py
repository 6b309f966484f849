"""Targets of the builders."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.targets.target import Target


def builder_targets() -> Iterator[Target]:
    def built(name: str, *settings: str) -> tuple[str, ...]:
        return ("build", name, *settings, "--out", "built")

    yield Target("build icd10cm", "xml", "icd10cm-tabular-2031.xml",
                 (*built("icd10cm"), "--release", "icd10cm-tabular-2031.xml"))  # fmt: skip
    yield Target("build icd10cm", "table", "icd10cm-order-2031.txt",
                 (*built("icd10cm"), "--release", "icd10cm-order-2031.txt"))  # fmt: skip
    yield Target(
        "build icd10cm_index",
        "xml",
        "index.xml",
        built("icd10cm_index", "files=[index.xml]"),
        weight=4,
    )
    yield Target(
        "build icd10cm_index",
        "xml",
        "drugs.xml",
        built("icd10cm_index", "files=[drugs.xml]"),
        weight=2,
    )
    yield Target(
        "build disease_ontology",
        "table",
        "onto.obo",
        built("disease_ontology", "file=onto.obo"),
        weight=3,
    )
    yield Target(
        "build disease_ontology", "gz", "onto.obo.gz", built("disease_ontology", "file=onto.obo.gz")
    )
    yield Target(
        "build sssom", "table", "map.sssom.tsv", built("sssom", "files=[map.sssom.tsv]"), weight=2
    )
    yield Target(
        "build user_table",
        "table",
        "table.csv",
        (*built("user_table"), "--system", "table.csv"),
        weight=2,
    )
    yield Target(
        "build merge", "jsonl", "pairs.jsonl", built("merge", "files=[pairs.jsonl]"), weight=2
    )
    yield Target("build merge", "parquet", "pairs.parquet", built("merge", "files=[pairs.parquet]"))
    yield Target(
        "build note_evidence",
        "jsonl",
        "gold.jsonl",
        built("note_evidence", "files=[gold.jsonl]"),
        weight=2,
    )
    table = built("corpus", "file=coded.csv", "id=id", "text=text", "codes=icd")
    yield Target("build corpus", "table", "coded.csv", table, weight=2)
    again = built("corpus", "file=gold.jsonl", "format=jsonl")
    yield Target("build corpus", "jsonl", "gold.jsonl", again)
    bare = built("silver", "notes=bare.jsonl", "strings=[gold.jsonl]")
    yield Target("build silver", "jsonl", "bare.jsonl", bare, ("gold.jsonl",), weight=2)
    asked = built("silver", "notes=bare.jsonl", "model=replay:answers.jsonl")
    yield Target("build silver", "jsonl", "answers.jsonl", asked, ("bare.jsonl",))
    inferred = built(
        "neighbours", "pairs=[pairs.jsonl]", "model=replay:answers.jsonl", "under=I50.2"
    )
    yield Target("build neighbours", "jsonl", "pairs.jsonl", inferred, ("answers.jsonl",))
    own = built("policies", "notes=2", "content=[content.yaml]")
    yield Target("build policies", "yaml", "content.yaml", own, weight=3)
    yield Target("build policies", "yaml", "content.yaml", (*own, "--check"))
    rare = built("rare_code_notes", "notes=[gold.jsonl]", "under=I50.2", "most=2")
    yield Target("build rare_code_notes", "jsonl", "gold.jsonl", rare)
    written = (*rare[:-2], "model=replay:answers.jsonl", "style=bare.jsonl", *rare[-2:])
    needed = ("gold.jsonl", "bare.jsonl")
    yield Target("build rare_code_notes", "jsonl", "answers.jsonl", written, needed)
    shown = ("gold.jsonl", "answers.jsonl")
    yield Target("build rare_code_notes", "jsonl", "bare.jsonl", written, shown)
    labels = built("rare_code_notes", "labels=table.csv", "cooccurrence=gold.jsonl")
    yield Target("build rare_code_notes", "table", "table.csv", labels, ("gold.jsonl",))
    yield Target(
        "build joined_spans",
        "jsonl",
        "pairs.jsonl",
        built("joined_spans", "pairs=pairs.jsonl", "rows=5"),
    )
    notes = built("template_notes", "pairs=pairs.jsonl", "notes=3")
    yield Target("build template_notes", "jsonl", "pairs.jsonl", notes)
    avoid = built("template_notes", "pairs=pairs.jsonl", "notes=3", "avoid=gold.jsonl")
    yield Target("build template_notes", "jsonl", "gold.jsonl", avoid, ("pairs.jsonl",))
    short = ("pairs.jsonl",)
    abbreviations = built(
        "joined_spans", "pairs=pairs.jsonl", "rows=5", "abbreviations=abbreviations.csv"
    )
    yield Target("build abbreviations", "table", "abbreviations.csv", abbreviations, short)
    rare_settings = "alpha=0.5 below=3 most=2 noise=0.1 longest_mention=9 prefix=n seed=1"
    for setting in (*rare_settings.split(), "bounds={tail: 2}"):
        asked = ("build", "rare_code_notes", "notes=[gold.jsonl]", "under=I50.2", "{}")
        needs = ("gold.jsonl",)
        yield Target(
            "build setting", "setting", setting, (*asked, "--out", "built"), needs, weight=0.2
        )
    settings = (
        "notes=3 codes=[I10] reserved=0.3 grades=[gold] prefix=n seed=1 noise=0.1 most_codes=2"
    )
    for setting in (*settings.split(), "avoid=null"):
        command = (
            "build",
            "template_notes",
            "pairs=pairs.jsonl",
            "notes=2",
            "{}",
            "--out",
            "built",
        )
        yield Target("build setting", "setting", setting, command, short, weight=0.4)
