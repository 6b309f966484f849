from __future__ import annotations

import random

from cclearn.baselines.label_texts import guideline, label_texts
from cclearn.codes import CodeSystem


def test_a_guideline_names_chapter_block_category_and_a_string(system: CodeSystem) -> None:
    text = guideline(["I50.22"], system, random.Random(0))
    parts = ["Diseases of the circulatory system", system.description("I50")]
    parts += [system.description(system.ancestors("I50.22")[2])]
    assert all(part in text for part in parts)
    strings = [system.description("I50.22"), *system.synonyms("I50.22")]
    found = {guideline(["I50.22"], system, random.Random(seed)) for seed in range(30)}
    assert len(found) == len(strings)


def test_ancestors_without_a_title_are_left_out(system: CodeSystem) -> None:
    class WithoutTitles:
        def __getattr__(self, name: str) -> object:
            return getattr(system, name)

        def __contains__(self, code: str) -> bool:
            return code in system

        def description(self, code: str) -> str:
            return "" if code == "I50" else system.description(code)

    text = guideline(["I50.22"], WithoutTitles(), random.Random(0))  # type: ignore[arg-type]
    assert "I50" not in text
    assert text.startswith("Diseases of the circulatory system, ")


def test_the_codes_of_a_guideline_are_in_random_order(system: CodeSystem) -> None:
    texts = {guideline(["I10", "E11.9"], system, random.Random(seed)) for seed in range(20)}
    starts = {text.startswith("Diseases of the circulatory") for text in texts}
    assert starts == {True, False}
    assert guideline(["I10", "E11.9"], system, random.Random(3)) == guideline(
        ["I10", "E11.9"], system, random.Random(3)
    )


def test_an_unknown_code_is_described_by_itself(system: CodeSystem) -> None:
    assert label_texts(["I10", "Q00.XX"], system) == [system.description("I10"), "Q00.XX"]
    assert guideline(["Q00.XX"], system, random.Random(0)) == "Q00.XX"
    assert guideline([], system, random.Random(0)) == ""
