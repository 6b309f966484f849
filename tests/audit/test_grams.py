from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from cclearn.audit.grams import GramIndex, distinct_grams, gram_hashes, hash_of, hashed_words


def test_words_are_compared_without_case_punctuation_and_numbers() -> None:
    one, two = hashed_words("Aged 54, admitted."), hashed_words("aged: 7 Admitted")
    assert one.tolist() == two.tolist()
    assert len(set(hashed_words("54 55 5a").tolist())) == 2
    exact = hashed_words("54 55", equal_numbers=False)
    assert len(set(exact.tolist())) == 2


def test_grams_depend_on_the_order_of_words() -> None:
    hashes = gram_hashes(hashed_words("a b c a b"), 2)
    assert len(hashes) == 4
    assert hashes[0] == hashes[3]
    assert len(set(hashes.tolist())) == 3
    assert len(gram_hashes(hashed_words("a b"), 3)) == 0
    assert len(distinct_grams("", 13)) == 0


def test_an_index_counts_texts_and_finds_notes() -> None:
    index = GramIndex(["a b c", "b c d", "x"], 2)
    assert index.notes == 3
    assert len(index.grams) == 3
    index.count(["a b a b", "b c", "y z"])
    assert index.counted == 3
    by_text = {text: index.find(distinct_grams(text, 2)).tolist() for text in ("a b", "b c", "c d")}
    assert [int(index.counts[found[0]]) for found in by_text.values()] == [1, 1, 0]
    assert sorted(index.grams_of(0).tolist()) == sorted(by_text["a b"] + by_text["b c"])
    notes, counts = index.notes_with(np.array(by_text["a b"] + by_text["b c"]))
    assert dict(zip(notes.tolist(), counts.tolist(), strict=True)) == {0: 2, 1: 1}
    assert index.notes_with(np.array([], int))[0].tolist() == []


def test_an_empty_index_finds_nothing() -> None:
    index = GramIndex([], 3)
    index.count(["one two three four"])
    assert (index.notes, len(index.grams), index.counted) == (0, 0, 1)


def test_hashes_are_the_same_in_every_process() -> None:
    program = "from cclearn.audit.grams import hash_of; print(hash_of('fever'))"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(done.stdout) == hash_of("fever")
