"""Runs all steps from builders to reports, and writes all outputs to the working folder.

PYTHONHASHSEED=1 python -m tests.end_to_end MODEL

`MODEL` is the folder of a small model. Two runs write the same bytes with any hash seeds.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import spacy

from cclearn.bulk import BulkOptions, code_corpus
from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings
from cclearn.coding.settings import CoderSettings
from cclearn.coding.span_loop.settings import LoopSettings
from cclearn.engines.settings import EngineSettings
from cclearn.notes import Note
from cclearn.notes.jsonl import read_coded_notes, write_rows
from cclearn.outputs import find_output, format_names
from cclearn.rows.examples import coded_notes
from cclearn.training.batches import make_dataset
from cclearn.training.choose import choose_rows
from cclearn.training.initial_model import initial_tokenizer
from cclearn.training.manifest import rows_hash
from cclearn.training.prepare import prepare_rows
from cclearn.training.recipe_file import load_recipe
from data_builders.builder import configure, find_builder
from data_builders.output import build
from tests.data_builders.sources import test_disease_ontology, test_icd10cm_index, test_sssom
from tests.training.runs import overrides

TITLES = 40
"""One of so many official titles is coded."""

VARYING = "Continue treatment of non-ischemic myocardial injury (non-traumatic)."
"""Phrases of several words match these words in several ways."""


def chapter(system: CodeSystem) -> CodeSystem:
    """Return a code system with one chapter, whose indexes are built quickly."""
    with Path("chapter.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("code", "description", "billable"))
        for code in system.billable_codes("9"):
            table.writerow((code, system.description(code), 1))
    return CodeSystem.load("chapter.csv")


def builders(system: CodeSystem, small: CodeSystem) -> None:
    """Run every builder on inputs that need no published data, with variants if it has them."""
    Path("index.xml").write_text(test_icd10cm_index.INDEX, encoding="utf-8")
    Path("doid.obo").write_text(test_disease_ontology.ONTOLOGY, encoding="utf-8")
    test_sssom.write(Path("x.sssom.tsv"), test_sssom.ROWS)
    pairs, variants = "pairs/pairs.jsonl", {"variants": 4}
    for name, folder, settings, codes in (
        ("icd10cm", "pairs", {"under": "I20-I25", **variants}, system),
        ("icd10cm_index", "index", {"files": ["index.xml"], **variants}, system),
        ("user_table", "table", variants, small),
        ("disease_ontology", "ontology", {"file": "doid.obo", "prefix": "ICD10CM"}, small),
        ("sssom", "mappings", {"files": ["x.sssom.tsv"], "prefix": "ICD10CM"}, small),
        ("merge", "merged", {"files": [pairs, "index/pairs.jsonl"]}, system),
        ("joined_spans", "joined", {"pairs": pairs, "rows": 100}, system),
        ("template_notes", "notes", {"pairs": pairs, "notes": 200}, system),
    ):
        builder = find_builder(name)
        build(builder, configure(builder, settings), Path(folder), codes)


def corpus(system: CodeSystem) -> Iterator[Note]:
    """Yield the notes to code: template notes, and official titles as notes."""
    yield Note(id="varying", text=VARYING, origin="public")
    for coded in read_coded_notes(Path("notes/notes.jsonl")):
        yield coded.note
    titles = [string for string in code_strings(system) if string.field == "title"]
    for number, title in enumerate(titles[::TITLES]):
        yield Note(id=f"title-{number}", text=title.text, origin="public")


def coding(system: CodeSystem, model: str) -> None:
    """Code the corpus with the lexicon, and its first notes with the model in every mode."""
    notes = list(corpus(system))
    write_rows(Path("corpus.jsonl"), notes)
    write_rows(Path("few.jsonl"), notes[:4])
    small = partial(
        CoderSettings, system="chapter.csv", engine=EngineSettings(batch_size=4, max_new_tokens=24)
    )
    choosing = LoopSettings(recogniser="lexicon", candidates=20, verify=True)
    for source, folder, settings in (
        ("corpus", "coded", CoderSettings()),
        ("few", "retrieving", small(loop=LoopSettings())),
        ("few", "single_pass", small(model)),
        ("few", "choosing", small(model, loop=choosing)),
        ("few", "generating", small(model, loop=LoopSettings(assignment="generate"))),
    ):
        code_corpus(Path(f"{source}.jsonl"), Path(folder), settings, BulkOptions(shard_size=2_000))


def outputs() -> None:
    """Write coded notes in every format, and evaluate those with gold codes."""
    from cclearn.cli.main import app

    coded = list(read_coded_notes(Path("coded/shards/00000.jsonl")))
    Path("formats").mkdir()
    for name in format_names():
        # MDACE's files are named after a chart, and contain its notes.
        file = "141751-ICD-10.json" if name == "mdace" else name
        find_output(Path("formats") / file, name).write(coded[:100])
    gold = {note.id for note in read_coded_notes(Path("notes/notes.jsonl"))}
    write_rows(Path("predicted.jsonl"), [note for note in coded if note.id in gold])
    arguments = (
        "evaluate --gold notes/notes.jsonl --pred predicted.jsonl --train joined/notes.jsonl"
    )
    app(f"{arguments} --out scores --draws 50 --show 5".split(), standalone_mode=False)


def training(system: CodeSystem) -> None:
    """Choose and encode the rows of a run, train a tokenizer on them, and align spaCy's examples."""
    negatives = "{kind: span, path: notes/notes.jsonl, negatives: 3, share: 0.2}"
    sources = "{kind: span, path: pairs/pairs.jsonl, share: 0.4}"
    documents = "{kind: document, path: notes/notes.jsonl, segments: sentence, share: 0.4}"
    recipe = load_recipe(
        "tiny/sft_scratch",
        [
            *overrides(Path(), Path("run")),
            f"rows.sources=[{sources}, {negatives}, {documents}]",
            "development={share: 0.1, every: 3}",
        ],
    )
    chosen = choose_rows(recipe, system)
    tokenizer = initial_tokenizer(recipe, [row for source in chosen for row in source.rows], system)
    tokenizer.save_pretrained("tokenizer")
    prepared = prepare_rows(recipe, chosen, tokenizer)
    _, sizes = make_dataset(prepared.phases, recipe.training)
    found = {
        "phases": [rows_hash(phase) for phase in prepared.phases],
        "development": rows_hash(prepared.development),
        "described": prepared.describe_rows(),
        "packs": sizes,
    }
    Path("rows.json").write_text(json.dumps(found))
    examples = coded_notes("notes/notes.jsonl")(spacy.blank("en"))
    Path("examples.json").write_text(
        json.dumps([example.to_dict() for example in examples], default=str)
    )


def main() -> None:
    system = CodeSystem.load("icd10cm")
    builders(system, chapter(system))
    coding(system, sys.argv[1])
    outputs()
    training(system)


if __name__ == "__main__":
    main()
