"""Count how often each rule of the lexicon flags a note, and how often the gold codes agree.

python -m benchmarks.rules --data FOLDER

FOLDER holds CodiEsp, whose training cases in English are coded. A flag is right if the gold codes
are as it says: for a rule that doubts a code, the gold does not have it; for a combination, the gold
has it; for a missing code, the gold has one of the codes that are asked for; for two codes that
exclude each other, the gold does not have both.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import save
from benchmarks.random_models import corpus_notes
from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.codes.instructions import instructions
from cclearn.notes import CodedNote

_AT = re.compile(r"\(at (?P<code>[A-Z0-9.]+):")
_FIRST_CODE = re.compile(r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]+)?")


def judged(coded: CodedNote, gold: set[str], system: CodeSystem) -> Iterator[tuple[str, bool]]:
    """Yield the rule of each flag of a note, and whether the gold codes agree with the flag."""
    for assigned in coded.codes:
        for flag in assigned.flags:
            rule, _, remark = flag.partition(": ")
            if rule == "combination":
                yield rule, assigned.code in gold
            elif rule == "excludes1":
                yield rule, not {assigned.code, remark.split(" ")[0]} <= gold
            elif rule == "use additional code":
                yield rule, _has_one_of_the_asked(assigned.code, flag, gold, system)
            else:
                yield rule, assigned.code not in gold
    for flag in coded.flags:
        rule, _, remark = flag.partition(": ")
        named = _FIRST_CODE.match(remark)
        if named and rule == "suggestion":
            # The value alone rarely tells the last characters.
            yield rule, any(code.startswith(named[0][:3]) for code in gold)
        elif named:
            yield rule, named[0] not in gold


def _has_one_of_the_asked(code: str, flag: str, gold: set[str], system: CodeSystem) -> bool:
    at = _AT.search(flag)
    return at is not None and any(
        reference.covers(other)
        for note in instructions(system, code, "use_additional_code")
        if note.at == at["code"]
        for reference in note.references
        for other in gold
    )


def measure(folder: Path, system: CodeSystem) -> dict[str, Any]:
    """Return for each rule the number of notes and of flags, and how many of the flags are right."""
    coder = Coder.lexicon(system)
    notes = list(corpus_notes("codiesp", folder, system, "train"))
    flagged: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for note in notes:
        found = list(judged(coder.code(note.note), {code.code for code in note.codes}, system))
        flagged.update(dict.fromkeys((rule for rule, _ in found), 1))
        flags.update(rule for rule, _ in found)
        right.update(rule for rule, agrees in found if agrees)
    return {
        "notes": len(notes),
        "rules": {
            rule: {"notes": flagged[rule], "flags": flags[rule], "right": right[rule]}
            for rule in sorted(flags)
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with codiesp")
    arguments = parser.parse_args()
    save("rules", measure(arguments.data, CodeSystem.load()))


if __name__ == "__main__":
    main()
