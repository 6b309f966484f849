"""Speed of the lexicon on notes of 2,000 words, compared with spaCy's matcher of the same phrases.

python benchmarks/phrase_matching.py [FOLDER]

spaCy finds the words of a phrase only in their order. The notes are the joined .txt files of the folder.
Without a folder, one sentence is repeated.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from measure import save, seconds

from cclearn import Coder, Note
from cclearn.codes.clinical_terms.normalise import JOINED
from cclearn.coding.lexicon.matcher import PhraseMatcher
from cclearn.notes.assertion import AssertionRules

SENTENCE = (
    "Admitted with acute on chronic systolic heart failure and type 2 diabetes mellitus. "
    "No evidence of pneumonia, the patient was started on furosemide and improved over two days. "
)
WORDS, NOTES = 2_000, 60


def joined(folder: Path | None) -> list[str]:
    """Return notes of 2,000 words from the joined texts of a folder."""
    paths = sorted(folder.glob("*.txt")) if folder else []
    texts = [path.read_text(encoding="utf-8") for path in paths] or [SENTENCE * 5_000]
    lines = "\n".join(texts).replace(". ", ".\n").splitlines(keepends=True)
    notes, note, words = [], "", 0
    for line in lines:
        note, words = note + line, words + len(line.split())
        if words >= WORDS:
            notes.append(note)
            note, words = "", 0
    return notes[:NOTES]


def per_second(action: Callable[[str], object], notes: list[str]) -> float:
    """Return the notes per second of an action, in the best of five runs."""
    taken = []
    for _ in range(5):
        started = time.process_time()
        for note in notes:
            action(note)
        taken.append(time.process_time() - started)
    return round(len(notes) / min(taken), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="folder of .txt files")
    notes = joined(parser.parse_args().folder)
    coder = Coder.lexicon()
    phrases = coder.phrases
    spans = {note: [(f.start, f.end) for f in coder.find(note)] for note in notes}

    def assertions(note: str) -> list[str]:
        rules = AssertionRules(note)
        return [rules.assertion_of(start, end) for start, end in spans[note]]

    def spacy_matcher() -> Callable[[str], object]:
        import spacy
        from spacy.matcher import PhraseMatcher as SpacyMatcher

        language = spacy.blank("en")
        matcher = SpacyMatcher(language.vocab, attr="LOWER")
        texts = (phrase.replace(f" {JOINED} ", " ") for phrase in phrases)
        matcher.add("code", list(language.tokenizer.pipe(texts)))
        return lambda note: matcher(language.make_doc(note))

    save(
        "phrase_matching",
        {
            "phrases": len(phrases),
            "words_a_note": round(sum(len(note.split()) for note in notes) / len(notes)),
            "findings_a_note": round(sum(map(len, spans.values())) / len(notes), 1),
            "build_seconds": seconds(lambda: PhraseMatcher(phrases), runs=3),
            "notes_per_second": {
                "lexicon": per_second(lambda note: coder.code(Note(id="note", text=note)), notes),
                "its_findings_alone": per_second(coder.find, notes),
                "its_assertion_rules_alone": per_second(assertions, notes),
                "spacy_phrases_in_order_alone": per_second(spacy_matcher(), notes),
            },
        },
    )


if __name__ == "__main__":
    main()
