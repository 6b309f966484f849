"""Why the lexicon matches with pyahocorasick: phrase matchers over all strings of ICD-10-CM.

pip install ahocorasick-rs; python benchmarks/phrase_matching.py
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import ahocorasick
from measure import save

from cclearn import Coder
from cclearn.coding.lexicon import _phrase

SENTENCE = (
    "Admitted with acute on chronic systolic heart failure and type 2 diabetes mellitus. "
    "No evidence of pneumonia, the patient was started on furosemide and improved over two days. "
)
NOTES = [f"Visit {number}. " + SENTENCE * 40 for number in range(100)]


def timed(build: Callable[[], Callable[[str], int]]) -> dict[str, float]:
    started = time.perf_counter()
    match = build()
    built = time.perf_counter()
    found = sum(match(note) for note in NOTES)
    ended = time.perf_counter()
    return {
        "build_seconds": round(built - started, 3),
        "notes_per_second": round(len(NOTES) / (ended - built), 1),
        "matches": found,
    }


def main() -> None:
    phrases = sorted(Coder.lexicon().phrases)
    plain = [" ".join(phrase.split()) for phrase in phrases]

    def with_pyahocorasick() -> Callable[[str], int]:
        automaton = ahocorasick.Automaton()
        for phrase in phrases:
            automaton.add_word(phrase, len(phrase))
        automaton.make_automaton()
        return lambda note: sum(1 for _ in automaton.iter_long(_phrase(note)))

    def with_ahocorasick_rs() -> Callable[[str], int]:
        import ahocorasick_rs as rs

        automaton = rs.AhoCorasick(phrases, matchkind=rs.MatchKind.LeftmostLongest)
        return lambda note: len(automaton.find_matches_as_indexes(_phrase(note)))

    def with_spacy() -> Callable[[str], int]:
        import spacy
        from spacy.matcher import PhraseMatcher

        language = spacy.blank("en")
        matcher = PhraseMatcher(language.vocab, attr="LOWER")
        matcher.add("code", list(language.tokenizer.pipe(plain)))
        return lambda note: len(matcher(language.make_doc(note)))

    imports = {}
    for name in ("ahocorasick", "ahocorasick_rs", "spacy"):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
        imports[name] = round(time.perf_counter() - started, 3)
    save(
        "phrase_matching",
        {
            "phrases": len(phrases),
            "words_a_note": len(NOTES[0].split()),
            "import_seconds_with_interpreter": imports,
            "pyahocorasick": timed(with_pyahocorasick),
            "ahocorasick_rs": timed(with_ahocorasick_rs),
            "spacy": timed(with_spacy),
        },
    )


if __name__ == "__main__":
    main()
