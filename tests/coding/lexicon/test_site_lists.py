from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder


@pytest.fixture(scope="module")
def lexicon(system: CodeSystem) -> LexiconCoder:
    return LexiconCoder(system)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lacerations of the left hand and right forearm.", "S61.412A S51.811A"),
        ("Second degree burns to the chest and left forearm.", "T21.21XA T22.212A"),
        ("Burn of the abdomen and chest.", "T21.02XA T21.01XA"),
        ("Left radius and ulna fractures.", "S52.92XA S52.202A"),
        ("Pain in the right knee and left shoulder.", "M25.561 M25.512"),
        ("Neck and back pain.", "M54.2 M54.9"),
        ("Bilateral knee and hip osteoarthritis.", "M17.0 M16.0"),
        ("OA of the right hip and both knees.", "M16.11 M17.0"),
        ("Cellulitis of the right leg and left foot.", "L03.115 L03.116"),
        ("Laceration of the liver and spleen.", "S36.113A S36.039A"),
        ("Multiple abrasions: face, hands, knees.", "S00.81XA S60.519A S80.219A"),
        ("DVT of the left femoral and popliteal veins.", "I82.412 I82.432"),
        ("No pain in the neck or shoulders.", ""),
        ("Denies neck or back pain.", ""),
        # The sites of one condition are not those of the next.
        ("Pain in the right knee and left hip fracture.", "M25.561 S72.002A"),
        ("Fracture of the left hip, knee pain.", "S72.002A M25.569"),
        ("Abrasions on the face and contusion of the chest.", "S00.81XA S20.219A"),
        # A site without a code leaves the list as it is.
        ("Sprain of the left ankle and scalp.", "S93.402A"),
        ("Pain in the hand.", "M79.643"),
    ],
)
def test_each_site_of_a_list_has_a_code(lexicon: LexiconCoder, text: str, expected: str) -> None:
    assert [code.code for code in lexicon.code(text).codes] == expected.split()


def test_evidence_is_the_site_and_the_condition_beside_the_nearest_one(
    lexicon: LexiconCoder,
) -> None:
    coded = lexicon.code("Lacerations of the left hand and right forearm; neck and back pain.")
    assert [[piece.text for piece in code.evidence] for code in coded.codes] == [
        ["Lacerations of the left hand"],
        ["right forearm"],
        ["neck"],
        ["back pain"],
    ]


def test_the_end_of_a_very_long_list_is_not_read(lexicon: LexiconCoder) -> None:
    found = lexicon.find("pain in " + "the left hand, " * 4_000)
    assert {finding.code for finding in found} == {"M79.642"}
