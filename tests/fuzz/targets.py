"""What is mutated, and the command that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.fuzz.seeds import STOPPED
from tests.training.runs import overrides


@dataclass(frozen=True)
class Target:
    """A command and the input of it that is mutated.

    Attributes:
        name: As the table shows it.
        kind: The format, for `mutate`.
        file: The file that is mutated, relative to the seeds; of kind `setting`, the setting itself.
        command: The command line; `{}` stands for a mutated setting.
        needs: The files and folders that the command reads, besides `file`.
        program: `cclearn` or `sft`.
        shows_notes: Whether the command's standard output may hold the note's text.
        weight: How often it is drawn, compared with the others.
        model: Whether it needs the seeds of models.
        holds_notes: Whether the mutated file is one that holds notes; a model's settings do not.
        group: `sealed` for a checkpoint's file whose hash is corrected.
    """

    name: str
    kind: str
    file: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    program: str = "cclearn"
    shows_notes: bool = False
    weight: float = 1.0
    model: bool = False
    holds_notes: bool = True
    group: str = field(default="")


NO_DRAWS = ("--draws", "10")


def targets() -> list[Target]:
    """Return every target."""
    return [*_notes(), *_folders(), *_scores(), *_codes(), *_builders(), *_recipes(), *_models()]


def _notes() -> Iterator[Target]:
    sources = (("note.txt", "text"), ("notes.jsonl", "jsonl"), ("notes.parquet", "parquet"))
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
    for each in loop:
        command = (*span_loop, "--loop", "{}")
        yield Target(
            "--loop", "setting", each, command, ("note.txt",), shows_notes=True, weight=0.2
        )
    engine = ("batch_size=2", "max_new_tokens=9", "timeout=3.5", "temperature=0", "constraint=none",
              "tokens=5", "cost=1.5", "cache=off", "send_restricted=false")  # fmt: skip
    for each in engine:
        command = ("code", "note.txt", "--engine", "{}")
        yield Target(
            "--engine", "setting", each, command, ("note.txt",), shows_notes=True, weight=0.2
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


def _folders() -> Iterator[Target]:
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


def _scores() -> Iterator[Target]:
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
            "mimic4": "mimic4-icd10",
            "mimic4feather": "mimic4-icd10",
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
    for each in ("split=test", "split=train"):
        yield Target("benchmark setting", "setting", each, (*own, "{}"), ("own",), weight=0.3)


def _codes() -> Iterator[Target]:
    show = ("codes", "show", "I10")
    search = ("codes", "search", "heart failure")
    for file, kind in (("icd10cm-order-2031.txt", "table"), ("icd10cm-order-2031.txt.gz", "gz"),
                       ("icd10cm-tabular-2031.xml", "xml")):  # fmt: skip
        yield Target(
            f"--release {file[8:]}",
            kind,
            file,
            ("codes", "show", "S72", "--release", file),
            shows_notes=True,  # It shows what the file says of the code.
            weight=2,
        )
        yield Target(f"--release {file[8:]}", kind, file, (*search, "--release", file), weight=0.5)
    code = ("code", "note.txt", "--release")
    tabular, order = "icd10cm-tabular-2031.xml", "icd10cm-order-2031.txt"
    yield Target(
        "code --release", "xml", tabular, (*code, tabular), ("note.txt",), shows_notes=True
    )
    for file, kind in ((tabular, "xml"), (order, "table")):
        both = ("codes", "show", "S72", "--release", "release")
        yield Target("--release folder", kind, f"release/{file}", both, ("release",), weight=0.5)
    yield Target("--earlier", "table", order, (*show, "--earlier", order), weight=0.5)
    titles = ("codes", "show", "42821", "--system", "icd9cm", "--release", "icd9.txt")
    yield Target("--system icd9cm", "table", "icd9.txt", titles)
    yield Target(
        "--system table.csv",
        "table",
        "table.csv",
        ("codes", "show", "10.1", "--system", "table.csv"),
        weight=2,
    )
    own = ("code", "note.txt", "--system", "table.csv")
    yield Target("--system table.csv", "table", "table.csv", own, ("note.txt",), shows_notes=True)
    yield Target("codes show", "argument", "I10", ("codes", "show", "{}"))
    yield Target("codes search", "argument", "heart failure", ("codes", "search", "{}"))


def _builders() -> Iterator[Target]:
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
    settings = (
        "notes=3 codes=[I10] reserved=0.3 grades=[gold] prefix=n seed=1 noise=0.1 most_codes=2"
    )
    for each in (*settings.split(), "avoid=null"):
        command = (
            "build",
            "template_notes",
            "pairs=pairs.jsonl",
            "notes=2",
            "{}",
            "--out",
            "built",
        )
        yield Target("build setting", "setting", each, command, short, weight=0.4)


def _recipes() -> Iterator[Target]:
    needs = ("pairs.jsonl", "gold.jsonl")
    yield Target(
        "recipes validate",
        "yaml",
        "recipe.yaml",
        ("recipes", "validate", "recipe.yaml"),
        needs,
        weight=6,
    )
    dry = ("recipes", "validate", "recipe.yaml", "--dry-run")
    yield Target(
        "recipes validate --dry-run", "yaml", "recipe.yaml", dry, needs, weight=2, model=True
    )
    for file in needs:
        other = tuple(each for each in needs if each != file)
        yield Target(
            "recipes validate --dry-run", "jsonl", file, dry, ("recipe.yaml", *other), model=True
        )
    yield Target(
        "recipes show", "yaml", "recipe.yaml", ("recipes", "show", "recipe.yaml"), shows_notes=True
    )
    yield Target("recipes cp", "yaml", "recipe.yaml", ("recipes", "cp", "recipe.yaml", "copy.yaml"))
    for each in ("training.steps=3", "rows.sources.0.share=0.5", "model.scratch.layers=2", "seed=1",
                 "rows.sources.1.share=0.5", "training.batch_size=2"):  # fmt: skip
        command = ("recipes", "validate", "recipe.yaml", "{}")
        yield Target(
            "recipes override", "setting", each, command, (*needs, "recipe.yaml"), weight=0.4
        )


def _models() -> Iterator[Target]:
    small = ("--engine", "max_new_tokens=8", "--engine", "batch_size=2")
    code = ("code", "note.txt", "--model", "model", *small)
    for file, kind, weight in (
        ("config.json", "json", 4.0),
        ("generation_config.json", "json", 2.0),
        ("tokenizer.json", "json", 4.0),
        ("tokenizer_config.json", "json", 4.0),
        ("chat_template.jinja", "template", 6.0),
        ("manifest.json", "json", 2.0),
        ("model.safetensors", "safetensors", 2.0),
    ):
        yield Target(f"model/{file}", kind, f"model/{file}", code, ("model", "note.txt"),
                     shows_notes=True, weight=weight, model=True, holds_notes=False)  # fmt: skip
    loop = (*code, "--mode", "span_loop", "--loop", "candidates=4")
    for file, kind in (
        ("config.json", "json"),
        ("tokenizer_config.json", "json"),
        ("chat_template.jinja", "template"),
    ):
        yield Target(
            "span_loop",
            kind,
            f"model/{file}",
            loop,
            ("model", "note.txt"),
            shows_notes=True,
            model=True,
            holds_notes=False,
        )
    cached = ("code", "note.txt", "--model", "model", *small, "--engine", "cache=answers.sqlite")
    yield Target(
        "cache",
        "binary",
        "answers.sqlite",
        cached,
        ("model", "note.txt"),
        shows_notes=True,
        model=True,
        holds_notes=False,
    )
    adapted = ("code", "note.txt", "--model", "lora", *small)
    merge = ("merge", "lora", "--out", "merged")
    for file, kind in (("adapter_config.json", "json"), ("adapter_model.safetensors", "safetensors"),
                       ("tokenizer_config.json", "json"), ("manifest.json", "json")):  # fmt: skip
        yield Target(
            "adapter",
            kind,
            f"lora/{file}",
            adapted,
            ("lora", "model", "note.txt"),
            shows_notes=True,
            weight=1.5,
            model=True,
            holds_notes=False,
        )
        yield Target(
            "merge", kind, f"lora/{file}", merge, ("lora", "model"), model=True, holds_notes=False
        )
    spacy = ("code", "note.txt", "--mode", "span_loop", "--loop", "recogniser=spacy:spacy")
    settings = ("meta.json", "ner/cfg", "vocab/strings.json")
    packed = ("config.cfg", "tokenizer", "ner/model", "ner/moves", "vocab/vectors")
    packed += ("span_ruler/patterns",)
    for file, kind in (*((f, "json") for f in settings), *((f, "binary") for f in packed)):
        yield Target(
            "spaCy",
            kind,
            f"spacy/{file}",
            spacy,
            ("spacy", "note.txt"),
            shows_notes=True,
            model=True,
            holds_notes=False,
        )
    dry = ("recipes", "validate", "recipe.yaml", "model.scratch=null", "model.path=model",
           "adapter={kind: lora, rank: 2}", "training.optimizer=adamw", "--dry-run")  # fmt: skip
    for file in ("config.json", "tokenizer_config.json", "tokenizer.json"):
        needs = ("model", "recipe.yaml", "pairs.jsonl", "gold.jsonl")
        yield Target(
            "dry-run of a model", "json", f"model/{file}", dry, needs, model=True, holds_notes=False
        )
    for file in ("rows/pairs/pairs.jsonl", "rows/notes/notes.jsonl"):
        yield Target(
            "sft", "jsonl", file, _sft("run", "training.steps=1"), ("rows",), "sft", model=True
        )
    for file, kind in (
        ("complete.json", "json"),
        ("trainer_state.json", "json"),
        ("config.json", "json"),
        ("model.safetensors", "safetensors"),
        ("optimizer.pt", "binary"),
        ("rng_state.pth", "binary"),
        ("scheduler.pt", "binary"),
        ("metrics.jsonl", "jsonl"),
        ("tokenizer.json", "json"),
    ):
        place = f"stopped.checkpoints/step-00000001/{file}"
        resume = ("--resume", "auto", *_sft("stopped", *STOPPED))
        needs = ("stopped.checkpoints", "rows")
        yield Target(
            "sft --resume",
            kind,
            place,
            resume,
            needs,
            "sft",
            weight=0.3,
            model=True,
            holds_notes=False,
        )
        if file != "complete.json":  # Damage that its hash does not tell: as if written so.
            sealed = Target(
                "sft --resume, sealed",
                kind,
                place,
                resume,
                needs,
                "sft",
                weight=0.3,
                model=True,
                holds_notes=False,
                group="sealed",
            )
            yield sealed


def _sft(output: str, *settings: str) -> tuple[str, ...]:
    from pathlib import Path

    return ("--config", "tiny/sft_scratch", *overrides(Path("rows"), Path(output), *settings))
