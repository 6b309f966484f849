"""Small valid inputs of every format, which are the seeds of the mutations."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import warnings
from contextlib import chdir
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.coding import Coder
from cclearn.engines.settings import EngineSettings
from cclearn.notes import AssignedCode, CodedNote, Evidence, Note, SpanPair
from cclearn.notes.jsonl import write_rows
from cclearn.notes.parquet import jsonl_to_parquet
from tests.codes.official import ICD9_TITLES, ORDER, TABLE, TABULAR
from tests.data_builders.sources.test_disease_ontology import ONTOLOGY
from tests.data_builders.sources.test_icd10cm_index import INDEX
from tests.data_builders.sources.test_icd10cm_index import TABLE as DRUG_TABLE
from tests.data_builders.sources.test_sssom import HEADER, META, ROWS
from tests.fuzz.canary import CANARY

FAILURE = "acute systolic heart failure"

_CONTENT = """\
facts:
  gout:
    kind: problem
    words: [gout, "{chronic |}gout"]
    code: M10.9
    often_with: [knee]
    labs: ["uric acid {7.2..10.4}"]
    forms: {foot: {code: M10.072, words: [gout of the left foot], weight: 0.5}}
  knee: {kind: symptom, words: [knee pain], code: M25.569, age: [20, 80], sex: female}
policies:
  - {name: pain_of_gout, section: I.B.5, when: [[gout, gout.foot], knee], replaces: [M25.56]}
templates:
  call:
    setting: outpatient
    facts: [1, 2]
    sections:
      - opening: ["Call from {informant} on {date}."]
      - {headings: [Problems], style: list, takes: [problem, symptom, status], distractors: [0, 1]}
"""

STOPPED = ("training.steps=3", "training.save_every=1", "training.keep=9")
"""Settings of the interrupted training run."""


def make_seeds(folder: Path, system: CodeSystem) -> None:
    """Write the inputs that need no model.

    Args:
        folder: Folder to create.
        system: Code system ICD-10-CM.
    """
    folder.mkdir(parents=True)
    _notes(folder, system)
    _official(folder)
    _corpora(folder)
    _settings(folder, system)


def make_model_seeds(folder: Path, system: CodeSystem) -> None:
    """Write model folders, an interrupted training run and a spaCy pipeline beside the other inputs."""
    from cclearn.training.sft import run_sft
    from data_builders.builder import configure, find_builder
    from data_builders.output import build
    from tests.training.runs import adapting, tiny_recipe

    few = ("training.steps=2",)
    # Relative paths: a run is taken up only where its settings are the same.
    with chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = Path("rows")
        gold = find_builder("icd10cm")
        pairs = build(gold, configure(gold, {"under": "I21"}), rows / "pairs", system).data
        notes = find_builder("template_notes")
        # Notes with more codes can be longer than the rows of the tiny recipe.
        config = configure(notes, {"pairs": str(pairs), "notes": 20, "most_codes": 2})
        build(notes, config, rows / "notes", system)
        run_sft(tiny_recipe(rows, Path("model"), *few))
        run_sft(tiny_recipe(rows, Path("lora"), *adapting(Path("model"), "lora", *few)))
        _interrupted(rows)
        _spacy(Path("spacy"))
        settings = EngineSettings(max_new_tokens=8, batch_size=2, cache=Path("answers.sqlite"))
        Coder.load("model", system, engine=settings).code(CANARY)


def _note(identifier: str) -> Note:
    return Note(id=identifier, text=CANARY)


def _coded(identifier: str) -> CodedNote:
    start = CANARY.index(FAILURE)
    evidence = Evidence(start=start, end=start + len(FAILURE), text=FAILURE)
    codes = [
        AssignedCode(
            code="I50.21", description="Acute systolic heart failure", evidence=[evidence]
        ),
        AssignedCode(code="I11.0", score=0.5, evidence=[evidence]),
    ]
    return CodedNote(id=identifier, text=CANARY, codes=codes)


def _notes(folder: Path, system: CodeSystem) -> None:
    (folder / "note.txt").write_text(CANARY)
    (folder / "texts").mkdir()
    for number in range(3):
        (folder / "texts" / f"n{number}.txt").write_text(f"{CANARY} {number}")
    write_rows(folder / "notes.jsonl", [_note(f"n{number}") for number in range(4)])
    jsonl_to_parquet(folder / "notes.jsonl", folder / "notes.parquet", Note)
    with (folder / "notes.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "ward", "text"])
        table.writerows([f"n{number}", "w", _note("x").text] for number in range(4))
    with (folder / "coded.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "text", "icd"])
        table.writerows([f"n{number}", _note("x").text, "I50.21; I11.0"] for number in range(4))
    write_rows(folder / "gold.jsonl", [_coded(f"n{number}") for number in range(4)])
    jsonl_to_parquet(folder / "gold.jsonl", folder / "gold.parquet", CodedNote)
    bare = [
        _coded(f"n{number}").model_copy(
            update={"codes": [AssignedCode(code="I50.21", evidence=[])]}
        )
        for number in range(2)
    ]
    write_rows(folder / "bare.jsonl", bare)
    answers = [
        {"id": identifier, "answer": f"- {FAILURE} => I50.21\n- HFrEF, decompensated"}
        for identifier in ("n0", "n1", "I50.20", "I50.22", "I50.23")
    ]
    lines = "".join(json.dumps(answer) + "\n" for answer in answers)
    (folder / "answers.jsonl").write_text(lines)
    for name in ("pred.jsonl", "other.jsonl"):
        write_rows(folder / name, [_coded(f"n{number}") for number in range(4)])
    pairs = [
        SpanPair(
            id=f"p{number}",
            text=f"{FAILURE} {'of this ward ' * number}".strip(),
            code="I50.21" if number % 2 else "I50.9",
            release=system.release,
            grade="gold",
            source="test",
        )
        for number in range(4)
    ]
    write_rows(folder / "pairs.jsonl", pairs)
    jsonl_to_parquet(folder / "pairs.jsonl", folder / "pairs.parquet", SpanPair)
    from cclearn.bulk import BulkOptions, code_corpus
    from cclearn.coding.settings import CoderSettings

    code_corpus(
        folder / "notes.jsonl",
        folder / "coded",
        CoderSettings(),
        BulkOptions(2, False, False, None, None),
    )
    shutil.copytree(folder / "coded", folder / "half")
    for name in ("summary.json", "rejected.jsonl", "shards/00001.done"):
        (folder / "half" / name).unlink()


def _official(folder: Path) -> None:
    (folder / "icd10cm-order-2031.txt").write_text(ORDER)
    (folder / "icd10cm-order-2031.txt.gz").write_bytes(gzip.compress(ORDER.encode(), mtime=0))
    (folder / "icd10cm-tabular-2031.xml").write_text(TABULAR)
    both = folder / "release"
    both.mkdir()
    shutil.copy(folder / "icd10cm-order-2031.txt", both)
    shutil.copy(folder / "icd10cm-tabular-2031.xml", both)
    (folder / "icd9.txt").write_text(ICD9_TITLES)
    (folder / "table.csv").write_text(TABLE)
    (folder / "abbreviations.csv").write_text("abbreviation,expansion\nMI,myocardial infarction\n")
    changes = "Current code assignment\tEffective\tPrevious Code(s) Assignment\n"
    changes += "I50.21\t2031\tI50.2, I50.3-I50.4\nI10\t2030\tNone\n"
    (folder / "conversion.txt").write_text(changes)
    (folder / "index.xml").write_text(INDEX)
    (folder / "drugs.xml").write_text(DRUG_TABLE)
    (folder / "onto.obo").write_text(ONTOLOGY)
    (folder / "onto.obo.gz").write_bytes(gzip.compress(ONTOLOGY.encode(), mtime=0))
    rows = "".join("\t".join(row) + "\n" for row in ROWS)
    (folder / "map.sssom.tsv").write_text(META + HEADER + rows)


def _corpora(folder: Path) -> None:
    start = CANARY.index(FAILURE)
    span = f"{start} {start + len(FAILURE)}"
    case = folder / "codiesp" / "dev"
    for name in ("text_files", "text_files_en"):
        (case / name).mkdir(parents=True)
        (case / name / "S1.txt").write_text(CANARY)
    (case / "devD.tsv").write_text("S1\ti50.21\nS1\ti10\n")
    (case / "devP.tsv").write_text("S1\tbt41zzz\n")
    (case / "devX.tsv").write_text(f"S1\tDIAGNOSTICO\ti50.21\t{FAILURE}\t{span}\n")
    charts = folder / "mdace" / "data" / "Inpatient" / "ICD-10" / "1.0"
    charts.mkdir(parents=True)
    code = {"begin": start, "end": start + 5, "code": "I50.21", "code_system": "ICD-10-CM"}
    note = {"note_id": 7, "category": "Discharge summary", "annotations": [code]}
    chart = {"hadm_id": 100, "notes": [note, {**note, "note_id": 8, "text": CANARY}]}
    (charts / "100-ICD-10.json").write_text(json.dumps(chart))
    (folder / "mdace" / "splits" / "Inpatient").mkdir(parents=True)
    (folder / "mdace" / "splits" / "Inpatient" / "MDace-ev-test.csv").write_text("hadm_id\n100\n")
    (folder / "mdace" / "NOTEEVENTS.csv").write_text(f'ROW_ID,SUBJECT_ID,TEXT\n7,1,"{CANARY}"\n')
    mimic = folder / "mimic4"
    mimic.mkdir()
    (mimic / "diagnoses_icd.csv").write_text(
        "hadm_id,icd_code,icd_version\n11,I5021,10\n12,I10,10\n"
    )
    notes = f'hadm_id,text\n11,"{CANARY}"\n12,"{CANARY}"\n'
    (mimic / "discharge.csv.gz").write_bytes(gzip.compress(notes.encode(), mtime=0))
    (mimic / "splits.csv").write_text("_id,split\n11,test\n12,test\n13,train\n")
    import pyarrow as pa
    from pyarrow import feather

    shutil.copytree(mimic, folder / "mimic4feather")
    (folder / "mimic4feather" / "splits.csv").unlink()
    split = pa.table({"_id": [11, 12], "split": ["test", "test"]})
    feather.write_feather(split, folder / "mimic4feather" / "mimiciv_icd10_split.feather")
    visits = folder / "aci"
    visits.mkdir()
    (visits / "valid.csv").write_text(f'encounter_id,note\nD1,"{CANARY}"\nD2,"{CANARY}"\n')
    (visits / "codes.csv").write_text("id,code\nD1,i5021\nD2,I10\n")
    own = folder / "own"
    own.mkdir()
    for name in ("test.jsonl", "train.jsonl", "notes.jsonl"):
        shutil.copy(folder / "gold.jsonl", own / name)
    shutil.copy(folder / "gold.parquet", own / "dev.parquet")


def _settings(folder: Path, system: CodeSystem) -> None:
    answers = [
        {"id": f"n{number}", "answer": f"- {FAILURE} => I50.21", "complete": True}
        for number in range(4)
    ]
    lines = "".join(json.dumps(answer) + "\n" for answer in answers)
    (folder / "replay.jsonl").write_text(lines)
    (folder / "content.yaml").write_text(_CONTENT)
    (folder / "prices.yaml").write_text("lexicon: {prompt: 1, answer: 2.5, hour: 3}\n")
    task = {"task": "t", "metric": "acc", "before": 0.5, "before_error": 0.1, "after": 0.4}
    (folder / "retention.json").write_text(
        json.dumps(
            {"models": {"before": "a", "after": "b"}, "retention": [{**task, "after_error": None}]}
        )
    )
    shutil.copy(Path("recipes/tiny/sft_scratch.yaml"), folder / "recipe.yaml")
    text = (folder / "recipe.yaml").read_text()
    text = text.replace("quickstart/pairs/pairs.jsonl", "pairs.jsonl")
    text = text.replace("quickstart/train/notes.jsonl", "gold.jsonl")
    (folder / "recipe.yaml").write_text(text)
    from cclearn.workflows.calibrate import calibrate

    _calibration_data(folder / "dev.jsonl")
    found = calibrate(Coder.lexicon(system), folder / "dev.jsonl")
    (folder / "calibration.json").write_text(found.model_dump_json(indent=1))


def _calibration_data(path: Path) -> None:
    """Write notes of which the lexicon codes most correctly, and a few wrongly."""
    phrases = {
        "I10": "essential hypertension",
        "E11.9": "type 2 diabetes mellitus",
        "J18.9": "pneumonia",
        "I48.91": "atrial fibrillation",
        "R05.9": "cough",
        "J45.909": "asthma",
    }
    codes = list(phrases)
    notes = []
    for number in range(40):
        mentioned = [codes[number % 6], codes[(number // 6 + 1 + number) % 6]]
        text = f"{CANARY} Also {' and '.join(phrases[code] for code in mentioned)}, day {number}."
        gold = sorted(set(mentioned)) if number % 3 else mentioned[:1]
        notes.append(
            CodedNote(id=f"d{number}", text=text, codes=[AssignedCode(code=code) for code in gold])
        )
    write_rows(path, notes)


def _interrupted(rows: Path) -> None:
    """Stop a training run after its first checkpoint."""
    from cclearn.training.sft import run_sft
    from tests.training.runs import tiny_recipe

    def stop(done: int, total: int, loss: float | None) -> None:
        if done >= 2:
            raise KeyboardInterrupt

    try:
        run_sft(tiny_recipe(rows, Path("stopped"), *STOPPED), progress=stop)
    except KeyboardInterrupt:
        return
    raise RuntimeError("the training run was not interrupted")


def _spacy(folder: Path) -> None:
    import spacy

    pipeline = spacy.blank("en")
    pipeline.add_pipe("ner").add_label("EVIDENCE")
    pipeline.initialize()
    ruler = pipeline.add_pipe("span_ruler")
    ruler.add_patterns([{"label": "EVIDENCE", "pattern": FAILURE}])
    pipeline.to_disk(folder)
