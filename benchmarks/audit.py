"""What `cclearn audit` finds of faults planted in 10,000 notes, with its false alarms, time and memory.

python benchmarks/audit.py [--notes 10000] [--seed 0]

The reference and the audited notes are built by `template_notes` from the strings of different codes, so
that they share their templates only. Into the audited notes are planted 20 copies of reference notes, 20
near-copies, 10 canaries and 10 identifiers of the reference. A near-copy has other numbers, and one word
in twenty is another one. Its original has at least 60 words, because shorter template notes consist of
common phrases mostly. The near-copies that are found of notes of any length are measured as well.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import save

from cclearn.audit.canaries import CanaryFile, new_canaries, plant
from cclearn.audit.duplicates import find_near_duplicates
from cclearn.audit.inputs import NoteSet
from cclearn.audit.settings import AuditSettings
from cclearn.codes import CodeSystem
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs, write_rows
from data_builders.builder import configure, find_builder
from data_builders.output import build

COPIES, NEAR_COPIES, CANARIES = 20, 20, 10
CHANGED = 0.05
LONG = 60
SETTINGS = ("identifiers=[date, email, name, number, phone]",)

IDENTIFIERS = (
    ("MRN 48213377.", "Record 48213377 was reviewed."),
    ("Account 9050117.", "Billed to 9050117."),
    ("Seen on 03/12/2019.", "First seen 12 March 2019."),
    ("Born 1951-07-30.", "Date of birth July 30, 1951."),
    ("Mail j.harper@clinic.example.", "Reports go to j.harper@clinic.example."),
    ("Mail ward7@north.example.", "Contact: ward7@north.example."),
    ("Name: Harper, Jocelyn.", "Jocelyn Harper agreed."),
    ("Dr. Olubunmi was called.", "Discussed with Dr. Olubunmi."),
    ("Call (212) 555-0187.", "Telephone 212-555-0187."),
    ("Call +44 20 7946 0123.", "Telephone +44 20 7946 0123."),
)
"""Sentences of reference notes with an identifier, and of audited notes that repeat it."""


def without_codes(pairs: Path, folder: Path, system: CodeSystem, seed: int) -> list[Path]:
    """Write the pairs of two halves of the codes, without strings that contain a code.

    Such strings are notes of the classification, and would be faults that nobody planted.
    """
    code = re.compile(r"\b[A-Z]\d[\dA-Z]\.[\dA-Z]+")
    rows = [pair for pair in read_span_pairs(pairs, system) if not code.search(pair.text)]
    codes = sorted({pair.code for pair in rows})
    random.Random(seed).shuffle(codes)  # noqa: S311 - reproducible
    files = []
    for half in (0, 1):
        chosen = set(codes[half::2])
        files.append(folder / f"pairs-{half}.jsonl")
        write_rows(files[-1], (pair for pair in rows if pair.code in chosen))
    return files


def template_notes(folder: Path, pairs: Path, notes: int, seed: int, **settings: object) -> Path:
    """Build notes, and return their file."""
    builder = find_builder("template_notes")
    chosen = {"pairs": pairs, "notes": notes, "seed": seed, "prefix": folder.name, **settings}
    return build(builder, configure(builder, chosen), folder).data


def near_copy(text: str, vocabulary: list[str], rng: random.Random, share: float) -> str:
    """Return a text with other numbers, and with other words in place of a share of its words."""
    parts = re.split(r"(\W+)", text)
    for number, part in enumerate(parts):
        if part.isdigit():
            parts[number] = str(rng.randint(19, 91))
        elif part.isalpha() and rng.random() < share:
            parts[number] = rng.choice(vocabulary)
    return "".join(parts)


def words_in(notes: list[CodedNote]) -> list[str]:
    """Return the distinct words of notes."""
    return sorted({word for note in notes for word in note.text.split() if word.isalpha()})


def plant_faults(
    audited: list[CodedNote], reference: list[CodedNote], canaries: CanaryFile, seed: int
) -> tuple[list[CodedNote], list[CodedNote], dict[str, set[str]]]:
    """Return audited notes with faults, the reference with identifiers, and the faulty ids by check."""
    rng = random.Random(f"faults {seed}")  # noqa: S311 - reproducible
    needed = (COPIES, NEAR_COPIES, CANARIES, len(IDENTIFIERS))
    places = rng.sample(range(len(audited)), sum(needed))
    groups: list[list[int]] = []
    for size in needed:
        groups.append(places[:size])
        places = places[size:]
    new, real = list(audited), list(reference)
    sources = rng.sample(range(len(real)), COPIES)
    for place, source in zip(groups[0], sources, strict=True):
        new[place] = real[source].model_copy(update={"id": audited[place].id})
    long = [n for n, note in enumerate(real) if len(note.text.split()) >= LONG]
    vocabulary = words_in(real)
    for place, source in zip(groups[1], rng.sample(long, NEAR_COPIES), strict=True):
        text = near_copy(real[source].text, vocabulary, rng, CHANGED)
        new[place] = CodedNote(id=audited[place].id, text=text, origin="synthetic")
    for place, secret in zip(groups[2], canaries.secrets, strict=True):
        text = f"{audited[place].text}{canaries.text(secret)}\n"
        new[place] = audited[place].model_copy(update={"text": text})
    originals = rng.sample(sorted(set(range(len(real))) - set(sources)), len(IDENTIFIERS))
    for place, source, (theirs, ours) in zip(groups[3], originals, IDENTIFIERS, strict=True):
        real[source] = real[source].model_copy(update={"text": f"{real[source].text}{theirs}\n"})
        new[place] = audited[place].model_copy(update={"text": f"{audited[place].text}{ours}\n"})
    names = ("copies", "near_duplicates", "canaries", "leaks")
    ids = [{audited[place].id for place in group} for group in groups]
    return new, real, dict(zip(names, ids, strict=True))


def audit(notes: Path, reference: Path, canaries: Path, out: Path) -> dict[str, Any]:
    """Run the command in a process of its own. Return its report, exit code, time and memory."""
    command = [sys.executable, "-m", "cclearn", "audit", str(notes), *SETTINGS]
    command += ["--against", str(reference), "--canaries", str(canaries), "--out", str(out)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    return {
        "exit_code": os.waitstatus_to_exitcode(status),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_mib": round(usage.ru_maxrss / 2**10),
        "report": json.loads((out / "audit.json").read_text(encoding="utf-8")),
    }


def compared(run: dict[str, Any], planted: dict[str, set[str]]) -> dict[str, Any]:
    """Return the planted, found and falsely alarming notes of each check with a limit.

    A passage in a planted copy or near-copy is no false alarm.
    """
    figures = {key: value for key, value in run.items() if key != "report"}
    copied = planted.get("copies", set()) | planted.get("near_duplicates", set())
    for check in run["report"]["checks"]:
        if check["limit"] is None:
            continue
        found, expected = set(check["notes"]), planted.get(check["name"], set())
        allowed = copied if check["name"] in ("passages", "near_duplicates") else expected
        figures[check["name"]] = {
            "planted": len(expected),
            "found": len(found & expected),
            "false_alarms": len(found - expected - allowed),
        }
    return figures


def found_near_copies(folder: Path, reference: Path, system: CodeSystem) -> dict[str, Any]:
    """Return the share of near-copies that are found, by the share of changed words and by length."""
    real = list(read_coded_notes(reference))
    vocabulary = words_in(real)
    figures: dict[str, Any] = {}
    for name, least in (("any_length", 0), (f"at_least_{LONG}_words", LONG)):
        sources = [note.text for note in real if len(note.text.split()) >= least]
        for share in (0.02, 0.05, 0.1):
            rng = random.Random(2)  # noqa: S311 - reproducible
            chosen = rng.sample(sources, min(500, len(sources)))
            file = folder / "near.jsonl"
            texts = (near_copy(text, vocabulary, rng, share) for text in chosen)
            write_rows(file, (CodedNote(id=str(n), text=text) for n, text in enumerate(texts)))
            found = find_near_duplicates(
                NoteSet(file, system), NoteSet(reference, system), AuditSettings()
            )
            key = f"{name}_{share:.0%}_changed"
            figures[key] = round(found.near_duplicates.found / len(chosen), 3)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="seed of the notes and of the faults")
    arguments = parser.parse_args()
    count, seed = arguments.notes, 3 * arguments.seed
    system = CodeSystem.load()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        builder = find_builder("icd10cm")
        built = build(builder, configure(builder, {"variants": 0}), folder / "pairs", system)
        first, second = without_codes(built.data, folder, system, seed)
        reference = template_notes(folder / "real", first, count, seed)
        audited = template_notes(
            folder / "synthetic", second, count + 200, seed + 1, avoid=reference
        )
        same_codes = template_notes(folder / "same", first, count + 200, seed + 2, avoid=reference)
        for file in (audited, same_codes):
            write_rows(file, list(read_coded_notes(file))[:count])
        canaries = folder / "canaries.json"
        plant(
            NoteSet(reference, system),
            new_canaries(CANARIES, 1, seed),
            folder / "with-canaries",
            canaries,
        )
        real = folder / "with-canaries" / "notes.jsonl"
        faulty, identified, planted = plant_faults(
            list(read_coded_notes(audited)),
            list(read_coded_notes(real)),
            CanaryFile.read(canaries),
            seed,
        )
        write_rows(folder / "faulty.jsonl", faulty)
        write_rows(folder / "identified.jsonl", identified)
        runs = {
            "planted_faults": ("faulty.jsonl", "identified.jsonl", planted),
            "disjoint": ("synthetic/notes.jsonl", "identified.jsonl", {}),
            "other_notes_of_the_same_codes": ("same/notes.jsonl", "identified.jsonl", {}),
        }
        figures: dict[str, Any] = {
            "notes": count,
            "reference_notes": count,
            "seed": arguments.seed,
        }
        for title, (notes, against, faults) in runs.items():
            run = audit(folder / notes, folder / against, canaries, folder / f"report-{title}")
            figures[title] = compared(run, faults)
        figures["near_copies_found"] = found_near_copies(folder, reference, system)
    save("audit", figures)


if __name__ == "__main__":
    main()
