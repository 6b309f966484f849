"""Clinical abbreviations: a small built-in list, and tables of users."""

from __future__ import annotations

import csv
import random
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from cclearn.errors import DataError
from cclearn.runtime.files import read_lines
from data_builders.noise.context import Context
from data_builders.noise.meaning import meaning_marks, words_of

_BUILT_IN = """
abd=abdominal
abx=antibiotics
AAA=abdominal aortic aneurysm
ACS=acute coronary syndrome
AF=atrial fibrillation
afib=atrial fibrillation
AKI=acute kidney injury
ALL=acute lymphoblastic leukemia
AML=acute myeloid leukemia
ARDS=acute respiratory distress syndrome
AS=aortic stenosis
ASD=atrial septal defect
AVM=arteriovenous malformation
BPH=benign prostatic hyperplasia
ca=carcinoma
CAD=coronary artery disease
CHF=congestive heart failure
CKD=chronic kidney disease
CLL=chronic lymphocytic leukemia
COPD=chronic obstructive pulmonary disease
CVA=cerebrovascular accident
d/t=due to
DJD=degenerative joint disease
DKA=diabetic ketoacidosis
DM=diabetes mellitus
DVT=deep vein thrombosis
dx=diagnosis
ESRD=end stage renal disease
fx=fracture
GERD=gastro-esophageal reflux disease
GI=gastrointestinal
HF=heart failure
HIV=human immunodeficiency virus
HLD=hyperlipidemia
HTN=hypertension
IBD=inflammatory bowel disease
IBS=irritable bowel syndrome
ICH=intracerebral hemorrhage
IDA=iron deficiency anemia
inf=infection
LBBB=left bundle-branch block
LBP=low back pain
mets=metastases
MI=myocardial infarction
MR=mitral regurgitation
MS=multiple sclerosis
NHL=non-Hodgkin lymphoma
NSTEMI=non-ST elevation myocardial infarction
OA=osteoarthritis
OSA=obstructive sleep apnea
PAD=peripheral arterial disease
PE=pulmonary embolism
PNA=pneumonia
PTSD=post-traumatic stress disorder
PUD=peptic ulcer disease
PVD=peripheral vascular disease
RA=rheumatoid arthritis
RBBB=right bundle-branch block
s/p=status post
SAH=subarachnoid hemorrhage
SDH=subdural hemorrhage
SLE=systemic lupus erythematosus
SOB=shortness of breath
STEMI=ST elevation myocardial infarction
SVT=supraventricular tachycardia
TB=tuberculosis
TBI=traumatic brain injury
TIA=transient ischemic attack
UTI=urinary tract infection
VSD=ventricular septal defect
VT=ventricular tachycardia
"""

MOST_WORDS = 6
"""Largest number of words of an expansion."""

_CACHE_SIZE = 100_000
"""Largest number of words whose marks are cached. The number of misspelt words is unbounded."""

LEAST_FREQUENCY = 0.5
"""Smallest share of an abbreviation's uses that a sense must have, if the table contains the shares."""


class Abbreviations:
    """Abbreviations and their expansions.

    Args:
        pairs: Pairs of an abbreviation and its expansion. An abbreviation with several expansions is
            never expanded.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._short: dict[str, list[str]] = defaultdict(list)
        self._long: dict[str, list[str]] = defaultdict(list)
        for short, long in pairs:
            key = " ".join(long.lower().split())
            if 1 <= len(key.split(" ")) <= MOST_WORDS and short not in self._short[key]:
                self._short[key].append(short)
                self._long[short].append(" ".join(long.split()))
        self._last: tuple[str, list[tuple[int, int, list[str]]]] = ("", [])
        self._marks_of: dict[str, tuple[str, ...]] = {}
        # A phrase is abbreviated only if the abbreviation has no other expansion.
        self._clear = {
            long: clear
            for long, shorts in self._short.items()
            if (clear := [short for short in shorts if len(self._long[short]) == 1])
        }

    @classmethod
    def load(cls, path: Path | None = None) -> Abbreviations:
        """Return the built-in list, extended by a table.

        Args:
            path: Path of a CSV or tab-separated file with the columns `abbreviation` and `expansion` (or
                `sense`). The optional column `frequency` is the share of the abbreviation's uses that
                have this sense. The optional column `variation` lists spellings with their counts
                (`A/P_2|a/p_4`), of which the most frequent one is used.

        Raises:
            DataError: The table cannot be read or lacks a column.
        """
        built_in = [
            (short, long)
            for short, _, long in (line.partition("=") for line in _BUILT_IN.strip().split("\n"))
        ]
        return cls([*built_in, *(_read_table(path) if path is not None else ())])

    def abbreviate(self, text: str, rng: random.Random) -> str:
        """Replace one phrase by its abbreviation: `acute on chronic HF`."""
        found = self._phrases(text)
        if not found:
            return text
        start, end, shorts = found[int(rng.random() * len(found))]
        short = shorts[int(rng.random() * len(shorts))]
        words = text.split(" ")
        if any(_bare(word) == short for word in words):
            return text  # "Chronic kidney disease (CKD)" would contain it twice.
        return " ".join([*words[:start], short, *words[end:]])

    def _phrases(self, text: str) -> list[tuple[int, int, list[str]]]:
        """Return the ranges of words that can be abbreviated, with their abbreviations."""
        if text != self._last[0]:
            words = text.lower().split(" ")
            found = [
                (start, end, shorts)
                for start in range(len(words))
                for end in range(min(len(words), start + MOST_WORDS), start, -1)
                if (shorts := self._clear.get(" ".join(words[start:end])))
            ]
            self._last = (text, found)
        return self._last[1]

    def expand(self, text: str, rng: random.Random, context: Context) -> str:
        """Replace one abbreviation by its expansion, if it has only one, which fits the code.

        Args:
            text: Text to change.
            rng: Random generator.
            context: Context of the text's code. It must contain every word of the expansion, and the
                text none of them: `PCP` of F16 is not a primary care physician, and `CHF Congo virus`
                is not a heart failure.
        """
        words = text.split(" ")
        found = [
            (index, longs[0])
            for index, word in enumerate(words)
            if len(longs := self._long.get(word, [])) == 1
        ]
        if not found:
            return text
        index, long = found[int(rng.random() * len(found))]
        expansion = set(words_of(long))
        if not expansion.issubset(context.words) or not expansion.isdisjoint(words_of(text)):
            return text
        return " ".join([*words[:index], long, *words[index + 1 :]])

    def marks(self, text: str) -> list[str]:
        """Return the sorted meaning marks of a text in which abbreviations are expanded."""
        known = self._marks_of
        marks: list[str] = []
        for word in text.split(" "):
            own = known.get(word)
            if own is None:
                longs = self._long.get(_bare(word), ())
                own = tuple(meaning_marks(longs[0] if len(longs) == 1 else word))
                if len(known) < _CACHE_SIZE:
                    known[word] = own
            if own:
                marks += own
        marks.sort()
        return marks


def _bare(word: str) -> str:
    return word.strip("()[],;:.")


def _read_table(path: Path) -> Iterable[tuple[str, str]]:
    lines = read_lines(path)
    tabs = bool(lines) and "\t" in lines[0]
    reader = csv.DictReader(lines, delimiter="\t" if tabs else ",")
    names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    long = names.get("expansion") or names.get("sense")
    if "abbreviation" not in names or long is None:
        raise DataError(path, "needs the columns 'abbreviation' and 'expansion' (or 'sense')", 1)
    for row in reader:
        short = (row[names["abbreviation"]] or "").strip()
        expansion = (row[long] or "").strip()
        frequency = (row[names["frequency"]] or "").strip() if "frequency" in names else ""
        try:
            frequent = not frequency or float(frequency) >= LEAST_FREQUENCY
        except ValueError:
            raise DataError(path, "not a number", reader.line_num, "frequency") from None
        if "variation" in names:
            short = _most_frequent(row[names["variation"]] or "") or short
        if short and expansion and frequent:
            yield short, expansion


def _most_frequent(variation: str) -> str:
    """Return the spelling with the highest count. Of several, return the first."""
    spellings = [part.rpartition("_") for part in variation.split("|")]
    counted = [
        (form, int(count))
        for form, _, count in spellings
        if form and re.fullmatch("[0-9]{1,18}", count)
    ]
    return max(counted, key=lambda pair: pair[1])[0] if counted else ""
