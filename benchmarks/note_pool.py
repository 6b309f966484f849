"""Notes of 500 words from the sentences of the template notes, each another; all of it public."""

from __future__ import annotations

import random

from cclearn import Note
from data_builders.synthetic.note_frames import CODED, DISTRACTORS, FILLERS

WORDS = 500

MENTIONS = (
    "acute kidney failure, acute on chronic systolic heart failure, atrial fibrillation, anemia,"
    " acute respiratory failure with hypoxia, asthma, cellulitis of left lower limb, cholelithiasis,"
    " chronic kidney disease stage 3, chronic obstructive pulmonary disease, dehydration, depression,"
    " diverticulitis, essential hypertension, gastroesophageal reflux disease, hyperkalemia,"
    " hyperlipidemia, hypothyroidism, iron deficiency anemia, migraine, morbid obesity, osteoarthritis,"
    " pneumonia, pressure ulcer of sacral region, pulmonary embolism, sepsis, type 2 diabetes mellitus,"
    " urinary tract infection, vitamin D deficiency, unstable angina"
).split(", ")

_SHARE_WITH_MENTION = 0.35


def pool_notes(count: int, seed: int = 0) -> list[Note]:
    """Return so many notes; a third of the sentences name a condition, some of them negated."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    naming = [line for lines in CODED.values() for line in lines if line.endswith(".")]
    naming += [line for _, line in DISTRACTORS]
    others = [line for lines in FILLERS.values() for line in lines]
    return [Note(id=f"n{number}", text=_text(chance, naming, others)) for number in range(count)]


def _text(chance: random.Random, naming: list[str], others: list[str]) -> str:
    conditions = chance.sample(MENTIONS, 6)
    text, words = "", 0
    while words < WORDS:
        line = chance.choice(naming if chance.random() < _SHARE_WITH_MENTION else others)
        sentence = line.format(
            mention=chance.choice(conditions),
            age=chance.randint(18, 95),
            sex=chance.choice(("man", "woman")),
            relative=chance.choice(("Mother", "Brother")),
        )
        text += sentence + chance.choice((" ", " ", "\n"))
        words += len(sentence.split())
    return text
