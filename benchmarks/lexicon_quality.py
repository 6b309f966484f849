"""Scores of the lexicon on published cases and on the notes of eight specialties."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from random_models import corpus_notes

from cclearn import CodedNote, Coder, Note
from cclearn.codes import CodeSystem
from cclearn.codes.editions import PACKAGED, EditionMap
from cclearn.evaluation import Settings, evaluate
from cclearn.runtime.files import sha256_of_file

SCORES = ("micro_precision", "micro_recall", "micro_f1", "macro_f1", "category_f1")
SCORES += tuple(f"edition_map/{score}" for score in SCORES)


def quality(folder: Path, system: CodeSystem) -> dict[str, Any]:
    """Score the lexicon on CodiEsp in English, and code all of ACI-Bench."""
    coder = Coder.lexicon(system)
    visits = [
        Note(id=row["encounter_id"], text=row["note"], origin="public")
        for file in sorted((folder / "aci_bench").glob("*.csv"))
        if "metadata" not in file.name
        for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines(keepends=True))
    ]
    run = list(coder.code_many(visits))
    return {
        **{
            f"codiesp_{split}_english": codiesp_quality(folder, split, coder, system)
            for split in ("dev", "train")
        },
        "aci_bench": {
            "notes": len(visits),
            "coded": len(run),
            "codes_a_note": round(sum(len(note.codes) for note in run) / len(run), 2),
            "flags": Counter(flag.partition(": ")[0] for note in run for flag in note.flags),
        },
    }


def codiesp_quality(folder: Path, split: str, coder: Coder, system: CodeSystem) -> dict[str, Any]:
    """Score the lexicon on a split of CodiEsp in English, in the release and in the gold's edition."""
    gold = list(corpus_notes("codiesp", folder, system, split))
    coded = list(coder.code_many(note.note for note in gold))
    edition_map = EditionMap.load(PACKAGED, system)
    settings = Settings(edition_map=edition_map)
    scored = evaluate(gold, coded, system, settings).evaluations["predictions"]
    assigned = [code for note in coded for code in note.codes]
    return {
        "notes": len(gold),
        "scores": {
            name: [score.value, score.low, score.high]
            for name, score in scored.scores.items()
            if name in SCORES
        },
        "codes": len(assigned),
        "codes_with_evidence": sum(bool(code.evidence) for code in assigned),
        "worst_confusions": [
            {"missed": c.missed, "predicted": c.predicted, "notes": c.notes}
            for c in sorted(scored.confusions, key=lambda c: -c.notes)[:10]
        ],
        "gold_codes": gold_code_kinds(gold, edition_map, system),
    }


def gold_code_kinds(
    gold: list[CodedNote], edition_map: EditionMap, system: CodeSystem
) -> dict[str, list[int]]:
    """Return how many codes of the gold are of each kind, and how many different ones.

    A code is billable in the release, replaced by others since, incomplete (it never was billable, but
    longer codes are: a header, or a 7th character is missing), or none of these.
    """
    replaced = {old for codes in edition_map.previous.values() for old in codes}
    billable = system.billable_codes()

    def kind(code: str) -> str:
        if system.is_billable(code):
            return "billable"
        if code in replaced:
            return "replaced"
        return "incomplete" if any(other.startswith(code) for other in billable) else "other"

    counts = Counter(assigned.code for note in gold for assigned in note.codes)
    kinds = {name: [0, 0] for name in ("billable", "replaced", "incomplete", "other")}
    for code, count in counts.items():
        total = kinds[kind(code)]
        total[0] += count
        total[1] += 1
    return kinds


def specialties(system: CodeSystem) -> dict[str, Any]:
    """Score the lexicon on the 40 notes of eight specialties, which were written before its rules."""
    path = Path(__file__).parent / "data" / "specialty_notes.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    counts: dict[str, list[int]] = {}
    for row in rows:
        coder = Coder.lexicon(system, encounter=row["encounter"])
        coded = coder.code(Note(id=row["id"], text=row["text"], origin="public"))
        gold, found = {code["code"] for code in row["codes"]}, {code.code for code in coded.codes}
        for name in (row["specialty"], "all"):
            sums = counts.setdefault(name, [0, 0, 0])
            for index, number in enumerate((len(gold & found), len(found), len(gold))):
                sums[index] += number
    both, found_all, gold_all = counts["all"]
    return {
        "notes": len(rows),
        "sha256": sha256_of_file(path),
        "codes": gold_all,
        "precision": round(both / found_all, 4),
        "recall": round(both / gold_all, 4),
        "micro_f1": {
            name: round(2 * right / (predicted + expected), 4)
            for name, (right, predicted, expected) in counts.items()
        },
    }
