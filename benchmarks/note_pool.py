"""Distinct notes of 500 words from the sentences of short template notes. All text is public."""

from __future__ import annotations

import random

from cclearn import CodeSystem, Note
from data_builders.content.pattern import parse_pattern
from data_builders.content.reading import shipped_templates

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
    """Return notes in which a third of the sentences mention a condition, some of them negated.

    Args:
        count: Number of notes.
        seed: Seed of the random generator.
    """
    rng = random.Random(seed)  # noqa: S311 - not for cryptography
    content = shipped_templates(CodeSystem.load())
    sections = content.templates["brief_summary"].sections
    prose = [section for section in sections if section.style == "prose"]
    mentioning = [line for section in prose for line in section.sentences.get("any", ())]
    mentioning += [*content.phrases.denied, *content.phrases.family]
    others = [line for section in prose for line in section.fillers]
    return [Note(id=f"n{number}", text=_text(rng, mentioning, others)) for number in range(count)]


def _text(rng: random.Random, mentioning: list[str], others: list[str]) -> str:
    conditions = rng.sample(MENTIONS, 6)
    text, words = "", 0
    while words < WORDS:
        line = rng.choice(mentioning if rng.random() < _SHARE_WITH_MENTION else others)
        sentence = _filled(line, rng.choice(conditions), rng)
        text += sentence + rng.choice((" ", " ", "\n"))
        words += len(sentence.split())
    return text


def _filled(line: str, condition: str, rng: random.Random) -> str:
    words = {
        "fact": condition,
        "age": str(rng.randint(18, 95)),
        "man": rng.choice(("man", "woman")),
        "subject": "The patient",
        "his": "Her",
        "relative": rng.choice(("mother", "brother")),
    }
    pieces: list[str] = []
    parse_pattern(line).fill(rng, pieces.append, lambda name: pieces.append(words[name]))
    return "".join(pieces)
