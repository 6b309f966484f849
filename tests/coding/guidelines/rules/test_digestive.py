from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from tests.coding.guidelines.rules.lines import codes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gastritis, GI bleed", "K29.71"),
        ("Gastric ulcer with GI bleed", "K25.4"),
        ("Upper GI bleed due to duodenal ulcer", "K26.4"),
        ("Duodenal ulcer. Melena.", "K26.4"),
        ("Diverticulosis with GI bleed", "K57.91"),
        ("Sigmoid diverticulosis with lower GI bleeding", "K57.31"),
        ("Diverticulitis with bleeding", "K57.93"),
        ("Angiodysplasia of colon with GI bleed", "K55.21"),
        ("Esophageal varices with bleeding", "I85.01"),
        ("Cirrhosis with bleeding esophageal varices", "I85.11 K74.60"),
        ("Alcoholic cirrhosis, esophageal varices", "I85.10 K70.30"),
        ("Gastritis and diverticulosis, GI bleed", "K29.70 K57.90 K92.2"),
        ("Crohn's disease with rectal bleeding", "K50.911"),
        ("Hemorrhoids. Rectal bleeding.", "K62.5 K64.9"),
        ("Esophageal varices without signs of bleeding. Melena.", "I85.00 K92.1"),
        ("Acute pancreatitis due to gallstones", "K80.20 K85.10"),
        ("Mallory-Weiss tear. Hematemesis.", "K22.6"),
        ("Gastric AVM with bleeding", "K31.811"),
        ("NASH cirrhosis", "K74.60 K75.81"),
        ("Acute on chronic cholecystitis, gallstones", "K80.12"),
    ],
)
def test_digestive(system: CodeSystem, text: str, expected: str) -> None:
    assert codes_of(text, system) == expected.split()
