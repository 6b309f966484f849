"""Chooses the most specific code that the words around a phrase support.

`Fracture of the wrist` has the code of an unspecified wrist. If the same sentence says "right", the code
of the right wrist has a title whose further words are all in the sentence, and is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence, Set
from itertools import chain
from typing import NamedTuple

from cclearn.codes.clinical_terms.normalise import (
    BOUNDARY,
    JOINED,
    MARK,
    NEGATIONS,
    UNKNOWN,
    read_words,
)
from cclearn.codes.clinical_terms.sentence import COURSES, REACH, SIDES, Match, Sentence
from cclearn.codes.hierarchy import CodeHierarchy
from cclearn.codes.instructions import InstructionKind, instructions

EMPTY_WORDS = frozenset(
    f"{JOINED} {MARK} {BOUNDARY} {UNKNOWN} other not elsewhere classified unspecified site region"
    " encounter initial closed involving part area degree stage type form level side mention current"
    " episode fracture female male disorder uncomplicated eye feature".split()
)
"""Words of titles that need no support."""

_NEGATORS = NEGATIONS | {"denie", "denied", "denies", "negative"}
_NEGATED_WITHIN = 2
"""Number of tokens before a phrase in which a negator counts."""

_SIDE_WORDS = frozenset(SIDES)
_BESIDE: tuple[InstructionKind, ...] = ("use_additional_code", "code_first")

NOT_NEEDED = re.compile(
    r",? unspecified whether\b[^,]*"
    r"|,? (?:without|not specified as|not intractable)\b"
    r".*?(?=,| with\b| of (?:right|left|unspecified)\b|$)|\(.*?\)",
    re.IGNORECASE,
)
"""Parts of titles that need no support."""

_WITHOUT = re.compile(
    r"\bwithout\b(?P<absent>.*?)(?=,| with(?:out)?\b| of (?:right|left|unspecified)\b|$)",
    re.IGNORECASE,
)

_UNSPECIFIED = re.compile(
    r"\A(?:acute |chronic )?unspecified\b|\bunspecified\b[^,]*|\bwith [^,]* status unknown\b",
    re.IGNORECASE,
)
"""Parts of titles that say that something is unspecified. At the beginning, the condition itself
follows: "Unspecified glaucoma"."""

_SECONDARY = re.compile(r"\bsecondary to (?:other|ocular)\b", re.IGNORECASE)
"""Matches titles of conditions that another condition causes, which a note has to say."""

_RESIDUAL = re.compile(r"\b(?:other|male)\b", re.IGNORECASE)
_WITH_7TH = 8
"""Length of a code with a 7th character."""


class _Title(NamedTuple):
    """The words of a title.

    Attributes:
        words: Words that a note has to support.
        known: The same without what is "unspecified": a more specific title may have other words there.
        absent: The words after "without". They need no support, and count if the note denies them.
        is_residual: Whether the title says "other" or "male". A plain title is preferred to it.
    """

    words: frozenset[str]
    known: frozenset[str]
    absent: frozenset[str]
    is_residual: bool


class _Category(NamedTuple):
    """The billable codes of a category with their titles, and all words of them.

    Attributes:
        titles: Titles by code.
        vocabulary: Words that any of the titles needs.
        absent: Words that any of the titles has after "without".
        by_visit: Codes and titles by the 7th character that names the visit, empty if there is none.
    """

    titles: dict[str, _Title]
    vocabulary: frozenset[str]
    absent: frozenset[str]
    by_visit: dict[str, list[tuple[str, _Title]]]


class _Attributes(NamedTuple):
    """The words around a phrase and in it that titles may say.

    Attributes:
        said: All words of the vocabulary.
        denied: Words that are denied.
        owners: Words that belong to other phrases only, with the words of these phrases: only a title
            that says the whole phrase may take them.
        in_others: Words that occur in other phrases only.
    """

    said: frozenset[str]
    denied: set[str]
    owners: dict[str, list[set[str]]]
    in_others: frozenset[str]


class Specificity:
    """Chooses more specific codes within the category of a code.

    Args:
        system: Code system whose titles name the attributes.
    """

    def __init__(self, system: CodeHierarchy) -> None:
        self._system = system
        self._categories: dict[str, _Category] = {}

    def specify(
        self,
        matches: Sequence[Match],
        words: Sequence[tuple[str, ...]],
        items: Collection[int] = frozenset(),
    ) -> list[Match]:
        """Return the matches of a sentence with the most specific codes that it supports.

        A phrase that only names what the title of another code in the sentence says, such as "bleeding"
        beside diverticulosis with bleeding, becomes evidence of that code.

        Args:
            matches: Phrases of the sentence.
            words: Normalised words of each token of the sentence.
            items: Indices of the tokens that begin an item of a list.
        """
        sentence = Sentence(words, matches, items)
        refined = [match._replace(code=self.refine(match, sentence)) for match in matches]
        if len({match.code for match in refined}) < 2:
            return refined
        return [
            match._replace(code=self._covering(match, near, words) or match.code)
            for match, near in zip(refined, _neighbours(refined), strict=True)
        ]

    def _covering(
        self, match: Match, others: Sequence[Match], words: Sequence[tuple[str, ...]]
    ) -> str | None:
        """Return the code of a match nearby whose title says what a match says. None without one."""
        if match.code not in self._system:  # The phrase names no condition, or a procedure.
            return None
        said = _words_of(match, words) - EMPTY_WORDS
        for other in others:
            if other.code == match.code or not said or other is match:
                continue
            title = self._category(other.code[:3]).titles.get(other.code)
            if title is None or not said < title.words:
                continue
            # "HTN, pulmonary HTN" are two conditions: the other phrase says the word itself.
            if said <= _words_of(other, words) and not self._is_general(match.code):
                continue
            # "Nausea, no vomiting" is no nausea with vomiting.
            if _is_negated(words, other) != _is_negated(words, match):
                continue
            if not self.is_beside(other.code, match.code):
                return other.code
        return None

    def _is_general(self, code: str) -> bool:
        """Return whether a code is that of a symptom or of an unspecified condition."""
        is_symptom = self._system.chapter(code) == self._system.traits.symptoms_chapter
        return is_symptom or "unspecified" in self._system.description(code).lower()

    def is_beside(self, code: str, other: str) -> bool:
        """Return whether the classification asks for another code beside a code, or for its category."""
        if code not in self._system:  # The phrase names no condition, or a procedure.
            return False
        category = other.partition(".")[0]
        return any(
            reference.covers(other) or category in (reference.first[:3], reference.last[:3])
            for kind in _BESIDE
            for note in instructions(self._system, code, kind)
            for reference in note.references
        )

    def refine(self, match: Match, sentence: Sentence) -> str:
        """Return the code whose title has the most words that the sentence supports.

        The code of the match is returned if no title has more of them, or if several have equally many.

        Args:
            match: Phrase with a billable code.
            sentence: The sentence.
        """
        first, last, code = match
        words = sentence.words
        titles, vocabulary, absent, by_visit = self._category(code[:3])
        own = titles.get(code)
        if own is None:
            return code
        near = list(chain.from_iterable(words[max(0, first - REACH) : last + 1 + REACH]))
        may_deny = not (absent.isdisjoint(near) or _NEGATORS.isdisjoint(near))
        if not may_deny and vocabulary.intersection(near) <= own.words:
            return code
        said, denied, owners, in_others = _attributes(sentence, match, vocabulary, may_deny)
        further = said - own.words
        if not further and absent.isdisjoint(denied):
            return code
        phrase = _words_of(match, words)
        spoken = own.words & phrase
        found: list[tuple[int, bool, int, str]] = []
        # Fractures have up to sixteen codes that differ in the visit only.
        for other, title in chain(by_visit.get("", ()), by_visit.get(code[-1], ())):
            gained = title.words - own.words
            is_denied = bool(title.absent - own.absent) and title.absent <= denied
            if (
                (gained or is_denied)
                and gained <= further
                and own.known <= title.words
                and not (title.absent and title.absent <= said)
                # The knee of "knee pain" does not become the hip of another phrase.
                and (spoken <= title.words or gained.isdisjoint(in_others))
                and not (owners and _takes(gained, owners, title))
                # "Herpes zoster" is not the other disease that its words alone name.
                and not (title.is_residual and gained and gained <= phrase - _SIDE_WORDS)
            ):
                count = len(gained) + (len(title.absent) if is_denied else 0)
                supported = len(title.words & said)
                found.append((count, not title.is_residual, supported, other))
        if not found:
            return code
        best = max(found)[:3]
        chosen = [other for *rank, other in found if tuple(rank) == best]
        return chosen[0] if len(chosen) == 1 else code

    def _category(self, category: str) -> _Category:
        known = self._categories.get(category)
        if known is None:
            codes = self._system.descendants(category) if category in self._system else []
            titles = {
                code: _read_title(self._system.description(code))
                for code in codes
                if self._system.is_billable(code)
            }
            vocabulary = frozenset().union(*(title.words for title in titles.values()))
            absent = frozenset().union(*(title.absent for title in titles.values()))
            by_visit: dict[str, list[tuple[str, _Title]]] = {}
            for code, title in titles.items():
                has_visit = len(code) == _WITH_7TH and code[-1].isalpha()
                by_visit.setdefault(code[-1] if has_visit else "", []).append((code, title))
            known = self._categories[category] = _Category(titles, vocabulary, absent, by_visit)
        return known


def _neighbours(matches: Sequence[Match]) -> list[list[Match]]:
    """Return the other matches near each match, in the order of the matches.

    Only those are compared, so that the time grows linearly with a sentence that has no end.
    """
    found: list[list[Match]] = [[] for _ in matches]
    ordered = sorted(range(len(matches)), key=lambda number: matches[number].first)
    for rank, number in enumerate(ordered):
        near = []
        for step in (-1, 1):
            other = rank + step
            while 0 <= other < len(ordered) and (
                _gap(matches[ordered[other]], matches[number]) <= REACH
            ):
                near.append(ordered[other])
                other += step
        found[number] = [matches[other] for other in sorted(near)]
    return found


def _gap(one: Match, other: Match) -> int:
    return max(one.first - other.last, other.first - one.last)


def _read_title(title: str) -> _Title:
    needed = NOT_NEEDED.sub("", title)
    # A fracture that is not said to be displaced is (Official Guidelines, I.C.19.c).
    known = _title_words(_UNSPECIFIED.sub("", needed)) - {"displaced"}
    absent = _title_words(" ".join(match["absent"] for match in _WITHOUT.finditer(title)))
    words = _title_words(needed)
    if _SECONDARY.search(title):
        words |= {"secondary"}
    return _Title(words, known, absent, _RESIDUAL.search(title) is not None)


def _takes(gained: frozenset[str], owners: Mapping[str, Sequence[Set[str]]], title: _Title) -> bool:
    """Return whether a title would take a word from a phrase that it does not say as a whole."""
    return any(
        word in owners and not any(phrase <= title.words for phrase in owners[word])
        for word in gained
    )


def _title_words(title: str) -> frozenset[str]:
    words = {word for found in read_words(title, defaults=False).words for word in found}
    return frozenset(words - EMPTY_WORDS)


def _words_of(match: Match, words: Sequence[tuple[str, ...]]) -> set[str]:
    return {word for found in words[match.first : match.last + 1] for word in found}


def _is_negated(words: Sequence[tuple[str, ...]], match: Match) -> bool:
    """Return whether a negator is among the few tokens before a phrase."""
    before = words[max(0, match.first - _NEGATED_WITHIN) : match.first]
    return not _NEGATORS.isdisjoint(chain.from_iterable(before))


def _attributes(
    sentence: Sentence, match: Match, vocabulary: frozenset[str], with_denied: bool
) -> _Attributes:
    """Return the words of a vocabulary around a phrase and in it, and all words that are denied there.

    The words of an abbreviation count together, or "ESRD" would be the end stage of another condition.
    """
    (first, last, _), words = match, sentence.words
    begin, end = max(0, first - REACH), min(len(words), last + 1 + REACH)
    denied: set[str] = set()
    own: set[str] = set()
    owners: dict[str, list[set[str]]] = {}
    free: set[str] = set()
    negated = False
    previous = ""
    for number in range(begin, end):
        is_known = len(words[number]) < 2 or vocabulary.issuperset(
            word for word in words[number] if word not in EMPTY_WORDS
        )
        for word in words[number]:
            inside = first <= number <= last
            # "Triple negative breast cancer" negates nothing after it.
            is_name = inside and word == "negative"
            if (word in _NEGATORS and not is_name) or (word == "history" and number > last):
                negated = True
            if negated:
                denied.add(word)
            elif inside:
                if is_known or word in COURSES:
                    own.add(word)
                    free.add(word)
            elif is_known and sentence.may_describe(match, number, word, previous):
                if not sentence.is_in_phrase(number):
                    free.add(word)
                owner = sentence.owner(match, number, word)
                if owner is None:
                    own.add(word)
                else:
                    phrase = (_words_of(owner, words) | {word}) - EMPTY_WORDS
                    owners.setdefault(word, []).append(phrase)
            previous = word
        if negated and not with_denied:
            break
    found = own | owners.keys()
    if "left" in found and "right" in found:
        found -= SIDES
    owners = {word: phrases for word, phrases in owners.items() if word not in own}
    return _Attributes(vocabulary.intersection(found), denied, owners, frozenset(found - free))
