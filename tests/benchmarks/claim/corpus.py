"""A small corpus in the form of CodiEsp."""

from __future__ import annotations

import random
from pathlib import Path

CONDITIONS = {
    "diabetes mellitus tipo 2": "E11.9",
    "hipertensión arterial": "I10",
    "neumonía": "J18.9",
    "dolor torácico": "R07.9",
    "tos": "R05.9",
    "fiebre": "R50.9",
    "cefalea": "R51.9",
    "anemia": "D64.9",
    "asma": "J45.909",
    "migraña": "G43.909",
}


def write_corpus(folder: Path, training: int = 20, development: int = 6) -> Path:
    """Write a corpus of notes with three conditions each, and return its folder."""
    rng = random.Random(0)
    for split, count in (("train", training), ("dev", development)):
        texts = folder / "codiesp" / split / "text_files"
        texts.mkdir(parents=True)
        lines = []
        for number in range(count):
            text = f"Paciente de {rng.randint(20, 90)} años. Presenta "
            for condition in rng.sample(sorted(CONDITIONS), 3):
                start = len(text)
                text += f"{condition}. Refiere "
                end = start + len(condition)
                code = CONDITIONS[condition].lower()
                fields = (f"{split}{number}", "DIAGNOSTICO", code, condition, f"{start} {end}")
                lines.append("\t".join(fields))
            (texts / f"{split}{number}.txt").write_text(f"{text}nada.", encoding="utf-8")
        path = folder / "codiesp" / split / f"{split}X.tsv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
