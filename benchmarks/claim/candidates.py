"""Measure how often the right code of Spanish evidence is among its candidates, with translation or not.

python -m benchmarks.claim.candidates --data FOLDER --titles FILE

The data are those of `benchmarks.claim.best`: the code system with Spanish titles, and the evidence of
the training notes that the system of all parts is trained on. Candidates are retrieved for each distinct
pair of a string and a code in the development notes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.claim.best import LOOP
from benchmarks.claim.data import TUNING, read_notes
from benchmarks.claim.dictionary import evidence_pairs
from benchmarks.claim.identity import code_sha256, commit
from benchmarks.claim.results import RESULTS
from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.coding.identity import rows_sha256
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.span_loop.candidates import Candidates, Ranking
from cclearn.coding.span_loop.translated import TranslatedRanking
from cclearn.errors import CclearnError
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from cclearn.runtime.files import sha256_of_file, write_json
from recipes.codiesp.prepare import LONGEST, in_system, prepare

PATH = RESULTS / "candidates.json"

RANKS = (1, 5, LOOP["candidates"])
"""Numbers of candidates, of which the last one is that of the system of all parts."""


def shares(
    candidates: Candidates, pairs: Sequence[tuple[str, str]], ranks: Sequence[int] = RANKS
) -> dict[str, float]:
    """Return the share of pairs whose code is among so many candidates, by their number.

    Args:
        candidates: Retriever of the candidates.
        pairs: Strings with their codes.
        ranks: Numbers of candidates.
    """
    retrieved = list(candidates.retrieve([text for text, _ in pairs], max(ranks)))
    found = {}
    for rank in ranks:
        right = sum(code in codes[:rank] for (_, code), codes in zip(pairs, retrieved, strict=True))
        found[str(rank)] = round(right / max(1, len(pairs)), 3)
    return found


def measure(data: Path, titles: Path, folder: Path) -> dict[str, Any]:
    """Return the shares for each group of pairs, and what they are bound to.

    Args:
        data: Folder that contains `codiesp`.
        titles: File of Spanish titles.
        folder: New folder for the data of the recipe.
    """
    release = CodeSystem.load()
    development = read_notes(data, "dev", release)
    system = prepare(data / "codiesp", titles, TUNING, folder)
    pairs = list(read_span_pairs(folder / "pairs" / "pairs.jsonl", system))
    training = list(read_coded_notes(folder / "train.jsonl", system))
    codes = {assigned.code for note in training for assigned in note.codes}
    strings = {string_key(pair.text) for pair in pairs}
    groups: dict[str, list[tuple[str, str]]] = {
        "known string": [],
        "new string": [],
        "new code": [],
    }
    evidence = evidence_pairs([in_system(note, system) for note in development], system)
    for text, code in dict.fromkeys((pair.text, pair.code) for pair in evidence):
        if len(text) <= LONGEST:
            known = "known string" if string_key(text) in strings else "new string"
            groups[known if code in codes else "new code"].append((text, code))
    lexicon = LexiconCoder(system, pairs)
    further: dict[str, tuple[Ranking, ...]] = {
        "without": (),
        "translated": (TranslatedRanking(system, pairs),),
    }
    return {
        "identity": {
            "titles_sha256": sha256_of_file(titles),
            "code_sha256": code_sha256(
                "benchmarks/claim/candidates.py", "benchmarks/claim/best.py", "recipes/codiesp"
            ),
            "data_sha256": rows_sha256(development),
        },
        "commit": commit(),
        "pairs": {name: len(group) for name, group in groups.items()},
        "shares": {
            name: {
                group: shares(Candidates(lexicon, rankings, pairs), of_group)
                for group, of_group in groups.items()
            }
            for name, rankings in further.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that contains codiesp")
    parser.add_argument("--titles", type=Path, required=True, help="JSON object of Spanish titles")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="cclearn-claim-") as name:
            result = measure(arguments.data, arguments.titles, Path(name) / "data")
    except CclearnError as error:
        sys.exit("\n".join(error.lines))
    write_json(PATH, result)
    print(PATH)


if __name__ == "__main__":
    main()
