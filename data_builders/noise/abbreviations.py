"""Clinical abbreviations: a small list of our own, and any table that a user brings."""

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

_OWN = """
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
"""No expansion with more words is looked for."""

_MOST_REMEMBERED = 100_000
"""Words whose marks are kept: misspelt ones would come without end."""

LEAST_FREQUENCY = 0.5
"""Where a table says how often an abbreviation means a sense, rarer senses are passed over."""


class Abbreviations:
    """Short and long forms, both ways.

    Args:
        pairs: Short and long form of each; one that has several long forms is never expanded.
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
        # What is written short must be readable: only where the short form has one meaning.
        self._clear = {
            long: clear
            for long, shorts in self._short.items()
            if (clear := [short for short in shorts if len(self._long[short]) == 1])
        }

    @classmethod
    def load(cls, path: Path | None = None) -> Abbreviations:
        """Return our own list, and a user's table with it.

        Args:
            path: A CSV file, or a tab-separated one, with the columns `abbreviation` and `expansion` (or
                `sense`), and perhaps `frequency`, the share of its uses that have this sense, and
                `variation`, its spellings with their counts (`A/P_2|a/p_4`), of which the most
                frequent is taken.

        Raises:
            DataError: The table cannot be read or lacks a column.
        """
        own = [
            (short, long)
            for short, _, long in (line.partition("=") for line in _OWN.strip().split("\n"))
        ]
        return cls([*own, *(_read_table(path) if path is not None else ())])

    def abbreviate(self, text: str, order: random.Random) -> str:
        """Replace one phrase by its short form: `acute on chronic HF`."""
        found = self._phrases(text)
        if not found:
            return text
        start, end, shorts = found[int(order.random() * len(found))]
        short = shorts[int(order.random() * len(shorts))]
        words = text.split(" ")
        if any(_bare(word) == short for word in words):
            return text  # "Chronic kidney disease (CKD)" would be short twice.
        return " ".join([*words[:start], short, *words[end:]])

    def _phrases(self, text: str) -> list[tuple[int, int, list[str]]]:
        """Return the phrases that can be shortened, as ranges of words; the last text's are kept."""
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

    def expand(self, text: str, order: random.Random, context: Context) -> str:
        """Replace one abbreviation by its long form, where it has a single one and that fits.

        Args:
            text: What to change.
            order: Decides which.
            context: What the text's code says of itself. It must hold every word of the long form, and
                the text none of them: `PCP` of F16 is no primary care physician, and in `CHF Congo
                virus` no heart fails.
        """
        words = text.split(" ")
        found = [
            (place, longs[0])
            for place, word in enumerate(words)
            if len(longs := self._long.get(word, [])) == 1
        ]
        if not found:
            return text
        place, long = found[int(order.random() * len(found))]
        said = set(words_of(long))
        if not said.issubset(context.words) or not said.isdisjoint(words_of(text)):
            return text
        return " ".join([*words[:place], long, *words[place + 1 :]])

    def marks(self, text: str) -> list[str]:
        """Return the meaning marks of a text, sorted, its abbreviations read as their long forms."""
        known = self._marks_of
        marks: list[str] = []
        for word in text.split(" "):
            own = known.get(word)
            if own is None:
                longs = self._long.get(_bare(word), ())
                own = tuple(meaning_marks(longs[0] if len(longs) == 1 else word))
                if len(known) < _MOST_REMEMBERED:
                    known[word] = own
            if own:
                marks += own
        marks.sort()
        return marks


def _bare(word: str) -> str:
    return word.strip("()[],;:.")


def _read_table(path: Path) -> Iterable[tuple[str, str]]:
    try:
        yield from _rows(path)
    except csv.Error:
        raise DataError(path, "not a table: a field is too long, or holds a NUL") from None


def _rows(path: Path) -> Iterable[tuple[str, str]]:
    lines = read_lines(path)
    tabs = bool(lines) and "\t" in lines[0]
    reader = csv.DictReader(lines, delimiter="\t" if tabs else ",")
    names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    long = names.get("expansion") or names.get("sense")
    if "abbreviation" not in names or long is None:
        raise DataError(path, "needs the columns 'abbreviation' and 'expansion' (or 'sense')", 1)
    for row in reader:
        short, said = (row[names["abbreviation"]] or "").strip(), (row[long] or "").strip()
        frequency = (row[names["frequency"]] or "").strip() if "frequency" in names else ""
        try:
            frequent = not frequency or float(frequency) >= LEAST_FREQUENCY
        except ValueError:
            raise DataError(path, "not a number", reader.line_num, "frequency") from None
        if "variation" in names:
            short = _most_frequent(row[names["variation"]] or "") or short
        if short and said and frequent:
            yield short, said


def _most_frequent(variation: str) -> str:
    """Return the spelling with the highest count, the first of those alike."""
    spelt = [part.rpartition("_") for part in variation.split("|")]
    counted = [
        (form, int(count))
        for form, _, count in spelt
        if form and re.fullmatch("[0-9]{1,18}", count)
    ]
    return max(counted, key=lambda each: each[1])[0] if counted else ""
