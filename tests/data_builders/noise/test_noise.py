from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings
from cclearn.errors import DataError
from data_builders.noise import WEIGHTS, Abbreviations, Noise
from data_builders.noise.context import NO_CONTEXT, Context, context_of, vocabulary
from data_builders.noise.frames import (
    COMPLAINT_FRAMES,
    EVENT_FRAMES,
    FRAMES,
    NEUTRAL_FRAMES,
    frames_for,
)
from data_builders.noise.meaning import ALIASES, PROTECTED, SHORT_FORMS, meaning_marks, words_of
from data_builders.noise.spelling import NEAR_KEYS, casing, drop, lower_first, near_key, swap
from data_builders.noise.wording import drop_stop_words, plural, reorder, shorten

WORDS = [*sorted(PROTECTED), *"fracture Diabetes of the femur 2 II HTN B type".split()]
ORDER = random.Random(0)
FRAMED = Context(FRAMES)
HEART = Context(words=frozenset({"acute", "myocardial", "infarction", "old"}))


def protected_words(text: str, abbreviations: dict[str, str]) -> list[str]:
    """Find protected words in a plainer way than the noise does: word by word, from a dictionary."""
    found = []
    for raw in text.replace("b/l", "bilateral").replace("w/o", "without").split(" "):
        said = abbreviations.get(raw.strip(",.;:"), raw).replace("w/", "with ")
        for word in re.split(r"[^A-Za-z0-9]+", said):
            long = ALIASES.get(word.lower(), word.lower())
            if long in PROTECTED or word.isdigit():
                found.append(long)
    return sorted(found)


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), st.integers(0, 2**32))
def test_no_protected_word_is_lost_or_added(words: list[str], seed: int) -> None:
    text = " ".join(words)
    own = {"HTN": "hypertension", "fx": "fracture"}
    changed = Noise().change(text, random.Random(seed), FRAMED)
    assert protected_words(changed, own) == protected_words(text, own)


def test_real_titles_keep_their_meaning(system: CodeSystem) -> None:
    noise = Noise()
    table = {
        short: longs[0] for short, longs in noise._abbreviations._long.items() if len(longs) == 1
    }
    strings = [(string.code, string.text) for string in code_strings(system)][::97]
    changed = 0
    for number, (code, text) in enumerate(strings):
        context = context_of(system, code)
        for variant in noise.variants(text, 3, random.Random(number), context):
            changed += 1
            assert protected_words(variant, table) == protected_words(text, table)
    assert changed > 2.9 * len(strings) > 1_000


@pytest.mark.parametrize("frames", [FRAMES, COMPLAINT_FRAMES, EVENT_FRAMES, NEUTRAL_FRAMES])
def test_frames_do_not_change_the_meaning(frames: tuple[str, ...]) -> None:
    for frame in frames:
        assert meaning_marks(frame.format("")) == []
        assert frame.count("{}") == 1


def test_frames_suit_the_chapter(system: CodeSystem) -> None:
    assert "c/o {}" in frames_for(system, "R51.9")
    assert "c/o {}" not in frames_for(system, "I21.4")
    assert "s/p {}" in frames_for(system, "W11.XXXA")
    assert "s/p {}" not in frames_for(system, "S72.001A")
    assert frames_for(system, "Z85.3") == NEUTRAL_FRAMES


@pytest.mark.parametrize("word", sorted(PROTECTED))
def test_words_that_carry_the_meaning_are_never_misspelt(word: str) -> None:
    for transform in (swap, drop, near_key):
        assert all(transform(word, random.Random(seed)) == word for seed in range(20))


@given(st.text(st.characters(codec="ascii"), max_size=60), st.integers())
def test_a_typing_error_changes_one_long_word_only(text: str, seed: int) -> None:
    for transform in (swap, drop, near_key):
        changed = transform(text, random.Random(seed))
        assert abs(len(changed) - len(text)) <= 1
        before, after = text.split(), changed.split()
        assert len(before) == len(after)
        assert sum(b != a for b, a in zip(before, after, strict=True)) <= 1
        assert [c for c in changed if c.isdigit()] == [c for c in text if c.isdigit()]


def test_near_keys_are_near() -> None:
    assert set(NEAR_KEYS["g"]) >= set("fhtyvb")
    assert set(NEAR_KEYS) == set("abcdefghijklmnopqrstuvwxyz")
    for letter, near in NEAR_KEYS.items():
        assert letter not in near
        assert all(letter in NEAR_KEYS[other] for other in near)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Closed fracture", "Fracture, closed"),
        ("Acute myocardial infarction", "Infarction, acute myocardial"),
        ("ST elevation infarction", "ST elevation infarction"),
        ("Fracture of femur", "femur fracture"),
        ("Asthma, severe", "severe asthma"),
        ("Type 2 diabetes", "Type 2 diabetes"),
        ("Asthma", "Asthma"),
        ("History of falling", "History of falling"),
        ("Pain with breathing", "Pain with breathing"),
        ("Fracture of femur and tibia", "Fracture of femur and tibia"),
        ("Fracture of left femur", "left femur fracture"),
        ("Fear of flying", "Fear of flying"),
        ("rheumatic chorea NOS", "rheumatic chorea NOS"),
        ("Aphasia following cerebral infarction", "Aphasia following cerebral infarction"),
        ("Fall same level", "Fall same level"),
        ("Burn first degree chest wall", "Burn first degree chest wall"),
        ("Heart failure with anemia, severe", "Heart failure with anemia, severe"),
        ("Sprain, strain", "Sprain, strain"),
        ("Burn, sequela", "Burn, sequela"),
        ("", ""),
    ],
)
def test_reorder(text: str, expected: str) -> None:
    assert reorder(text, ORDER) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("skin disorder", "skin disorders"),
        ("Disorder of skin", "Disorders of skin"),
        ("Other skin disorders", "Other skin disorder"),
        ("vitamin deficiency", "vitamin deficiencies"),
        ("congenital anomalies", "congenital anomaly"),
        ("Fracture of rib", "Fracture of rib"),
        ("pulmonary nodules", "pulmonary nodules"),
        ("Lyme disease", "Lyme disease"),
        ("Crohn's disease", "Crohn's disease"),
        ("mumps", "mumps"),
        ("cerebral arteries", "cerebral arteries"),
        ("hepatitis", "hepatitis"),
        ("", ""),
    ],
)
def test_plural(text: str, expected: str) -> None:
    assert plural(text, ORDER) == expected


def test_stop_words_and_short_forms() -> None:
    assert drop_stop_words("Fracture of femur", ORDER) == "Fracture femur"
    assert drop_stop_words("Pain with breathing", ORDER) == "Pain with breathing"
    assert drop_stop_words("Failure due to X", ORDER) == "Failure due to X"
    assert drop_stop_words("Hit by car", ORDER) == "Hit by car"
    assert shorten("without side", ORDER) == "w/o side"
    assert shorten("second toe", ORDER) == "2nd toe"
    assert shorten("toe", ORDER) == "toe"
    for long, shorts in SHORT_FORMS.items():
        for short in shorts:
            assert meaning_marks(short) == meaning_marks(long) != []


def test_casing_leaves_single_letters_alone() -> None:
    drawn = {casing("Hepatitis B with coma", random.Random(seed)) for seed in range(40)}
    assert drawn == {"hepatitis B with coma", "Hepatitis B with coma"}
    drawn = {casing("Acute stroke", random.Random(seed)) for seed in range(40)}
    assert drawn == {"acute stroke", "ACUTE STROKE", "Acute Stroke"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acute stroke", "acute stroke"),
        ("ST elevation", "ST elevation"),
        ("Q wave", "Q wave"),
        ("Non-ST elevation", "Non-ST elevation"),
        ("Post-infarction angina", "post-infarction angina"),
        ("", ""),
    ],
)
def test_abbreviations_keep_their_capitals(text: str, expected: str) -> None:
    assert lower_first(text) == expected


def test_abbreviations_go_both_ways(tmp_path: Path) -> None:
    own = Abbreviations.load()
    text = "Congestive heart failure with type 2 diabetes mellitus"
    drawn = {own.abbreviate(text, random.Random(seed)) for seed in range(30)}
    assert "CHF with type 2 diabetes mellitus" in drawn
    assert "Congestive HF with type 2 diabetes mellitus" in drawn
    assert "Congestive heart failure with type 2 DM" in drawn
    assert own.expand("old MI", ORDER, HEART) == "old myocardial infarction"
    assert own.expand("nothing", ORDER, HEART) == "nothing"
    assert own.marks("COPD") == own.marks("chronic obstructive pulmonary disease") == ["chronic"]
    table = tmp_path / "table.tsv"
    rows = ("MI\tmitral insufficiency\t0.9", "rta\trenal tubular acidosis\t0.6", "rta\tcrash\t0.4")
    table.write_text("\n".join(("abbreviation\tsense\tfrequency", *rows)))
    more = Abbreviations.load(table)
    table.write_text("abbreviation,sense,variation\na_p,aortic plaque,A/P_2|a/p_4|x\n")
    aorta = Context(words=frozenset({"aortic", "plaque"}))
    assert Abbreviations.load(table).expand("a/p seen", ORDER, aorta) == "aortic plaque seen"
    # MI now has two meanings: it is neither written nor read.
    assert more.expand("old MI", ORDER, HEART) == "old MI"
    assert more.abbreviate("mitral insufficiency", ORDER) == "mitral insufficiency"
    kidney = Context(words=frozenset({"renal", "tubular", "acidosis"}))
    assert more.expand("rta", ORDER, kidney) == "renal tubular acidosis"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("short,long\n", "table.csv:1: needs the columns"),
        ("abbreviation,expansion,frequency\na,b,often\n", "table.csv:2: frequency: not a number"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=re.escape(message)):
        Abbreviations.load(path)


@pytest.mark.shared_data
def test_a_published_table_is_read(shared_data: Path) -> None:
    table = shared_data / "clinical_abbreviations" / "vanderbilt_discharge_sums.txt"
    own, more = Abbreviations.load(), Abbreviations.load(table)
    assert len(more._long) > len(own._long) + 500


def test_variants_depend_only_on_text_and_generator() -> None:
    one, two = Noise(), Noise()
    list(two.variants("Something else", 8, random.Random(0)))
    text = "Chronic kidney disease"
    made = list(one.variants(text, 8, random.Random(0), FRAMED))
    assert made == list(two.variants(text, 8, random.Random(0), FRAMED))
    assert made != list(two.variants(text, 8, random.Random(1), FRAMED))
    assert len({text, *made}) == 9


@pytest.mark.parametrize("transform", sorted(WEIGHTS))
def test_every_transform_works_without_the_others(transform: str) -> None:
    noise = Noise({transform: 1.0})
    texts = ("Closed fracture of left femur", "acute kidney injury", "MI", "Disorder of hand")
    context = Context(FRAMES, HEART.words)
    drawn = {noise.change(t, random.Random(seed), context) for t in texts for seed in range(9)}
    assert drawn - set(texts)


def test_an_abbreviation_is_expanded_only_in_its_context(system: CodeSystem) -> None:
    own = Abbreviations.load()

    def read(text: str, code: str) -> str:
        return own.expand(text, ORDER, context_of(system, code))

    assert read("old MI", "I25.2") == "old myocardial infarction"
    assert own.expand("old MI", ORDER, NO_CONTEXT) == "old MI"
    # Another condition of the same letters, and a long form that is there already.
    assert read("IBD", "K58.9") == "IBD"
    assert read("CHF Congo virus", "A98.0") == "CHF Congo virus"
    long = "GERD - Gastro-esophageal reflux disease"
    assert read(long, "K21.9") == long
    assert own.abbreviate("Chronic kidney disease (CKD)", ORDER) == "Chronic kidney disease (CKD)"


def test_every_expansion_uses_words_of_the_code(system: CodeSystem) -> None:
    own = Abbreviations.load()
    longs = {long for long in own._long.values() for long in long}
    made = 0
    for string in code_strings(system):
        context = context_of(system, string.code)
        changed = own.expand(string.text, ORDER, context)
        if changed != string.text:
            made += 1
            (long,) = {long for long in longs if long in changed and long not in string.text}
            assert set(words_of(long)) <= context.words
            assert not set(words_of(long)) & set(words_of(string.text))
    assert made > 20


def test_reordered_strings_keep_their_words_and_nos_at_the_end(system: CodeSystem) -> None:
    made = 0
    for string in code_strings(system):
        changed = reorder(string.text, ORDER)
        if changed != string.text:
            made += 1
            kept = [word for word in words_of(string.text) if word != "of"]
            assert sorted(words_of(changed)) == sorted(kept)
            assert not {"nos", "nec", "following", "with", "by", "sequela"} & set(kept)
    assert made > 5_000


def test_no_typing_error_makes_one_word_of_another(system: CodeSystem) -> None:
    known = vocabulary(system)
    assert {"peroneal", "perineal"} <= known
    noise = Noise({"near_key": 1, "swap": 1, "drop": 1}, vocabulary=known)
    made = {noise.change("Peroneal tendon", random.Random(seed)) for seed in range(3_000)}
    assert len(made) > 50
    assert "Perineal tendon" not in made
    # Without the words of the code system it would have been made.
    bare = Noise({"near_key": 1, "swap": 1, "drop": 1})
    assert "Perineal tendon" in {
        bare.change("Peroneal tendon", random.Random(seed)) for seed in range(3_000)
    }


def test_nothing_to_change() -> None:
    assert Noise({"near_key": 1}).change("gut", random.Random(0)) == "gut"
    assert list(Noise({"near_key": 1}).variants("gut", 5, random.Random(0))) == []
