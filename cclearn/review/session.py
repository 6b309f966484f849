"""The review of a corpus by one reviewer: which note is next, and what each action does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.notes import CodedNote
from cclearn.review.events import Entry, Event
from cclearn.review.folder import ReviewSettings
from cclearn.review.log import LogFullError, ReviewLog
from cclearn.review.note_index import NoteIndex
from cclearn.review.order import Order, in_share, predicted_minutes
from cclearn.review.state import Change, NoteState
from cclearn.runtime.files import sha256_of_text

LONGEST_PAUSE = 300.0
"""Maximum number of seconds that count between two actions. After a longer pause, nobody was at work."""


class Refusal(CclearnError):
    """An action that is not possible. The message is for the reviewer."""


class Conflict(Refusal):
    """The note was changed since the page was made, for example in another window."""


class Proposals(NamedTuple):
    """The proposals for a note.

    Attributes:
        entries: Proposed codes.
        model: Name of the coder.
        model_sha256: Hash of its model, or an empty string.
    """

    entries: tuple[Entry, ...]
    model: str
    model_sha256: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which notes are offered.

    Attributes:
        kind: `all`; `flagged`: with a flag; `low`: with a score below 0.5; `undecided`: opened, and not
            finished.
        code: Beginning of a code that is proposed. Empty for any.
    """

    kind: str = "all"
    code: str = ""


FILTERS = ("all", "undecided", "flagged", "low")
_LOW_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note as it is shown.

    Attributes:
        position: Number of the note in the corpus, from 0.
        note: The note. Its codes are not those of the review.
        state: Decisions so far.
        shown: Whether the proposals are shown.
        problem: Why the note cannot be reviewed. Empty if it can.
    """

    position: int
    note: CodedNote
    state: NoteState
    shown: bool
    problem: str = ""


@dataclass
class Session:
    """The review of a corpus by one reviewer.

    Attributes:
        corpus: Notes of the review.
        system: Code system in which codes are looked up.
        log: Log of the reviewer.
        order: Order of the notes.
        settings: Settings of the review.
        propose: Function that returns the proposals for a note.
        candidates: Array with True for each note that is reviewed at all. None for all notes.
        filter: Filter that the reviewer has chosen.
        opened: Array with True for each note that the reviewer has opened.
        done: Array with True for each note whose review is finished.
        blocked: Array with True for each note that could not be shown since the start.
    """

    corpus: NoteIndex
    system: CodeSystem
    log: ReviewLog
    order: Order
    settings: ReviewSettings
    propose: Callable[[CodedNote], Proposals]
    candidates: npt.NDArray[np.bool_] | None = None
    filter: Filter = Filter()
    opened: npt.NDArray[np.bool_] = field(init=False)
    done: npt.NDArray[np.bool_] = field(init=False)
    blocked: npt.NDArray[np.bool_] = field(init=False)
    _failed: npt.NDArray[np.bool_] = field(init=False)
    _codes: set[str] = field(default_factory=set)
    _minutes: dict[int, float] = field(default_factory=dict)
    _since: float = 0.0
    _current: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.opened = np.zeros(len(self.corpus), dtype=np.bool_)
        self.done = np.zeros(len(self.corpus), dtype=np.bool_)
        self.blocked = np.zeros(len(self.corpus), dtype=np.bool_)
        self._failed = np.zeros(len(self.corpus), dtype=np.bool_)
        for identifier, last in self.log.notes.items():
            position = self.corpus.positions.get(identifier)
            if position is not None:
                self.opened[position] = True
                if last.done:
                    self._finished(position, NoteState.replayed(self.log.events(identifier)))

    def next(self) -> int | None:
        """Return the number of the note to review next, or None if the filter leaves none.

        A note that was opened and not finished comes first.
        """
        with self._lock:
            allowed = self.allowed() & ~self.blocked
            if not (allowed & ~self.done).any() and self._failed.any():
                # The coder may answer again by now.
                self.blocked &= ~self._failed
                self._failed[:] = False
                allowed = self.allowed() & ~self.blocked
            begun = np.flatnonzero(allowed & self.opened & ~self.done)
            if len(begun):
                return int(begun[0])
            reviewed = np.array(sorted(self._minutes), dtype=np.int64)
            times = np.array([self._minutes[n] for n in reviewed], dtype=np.float64)
            minutes = predicted_minutes(self.corpus, reviewed, times)
            return self.order.next(self.opened, allowed, self._codes, minutes)

    def allowed(self) -> npt.NDArray[np.bool_]:
        """Return for each note whether the filter allows it.

        Notes without proposals pass no filter of proposals, which would tell what they are.
        """
        proposed, chosen = self.corpus.proposed, self.filter
        allowed = np.ones(len(self.corpus), dtype=np.bool_)
        if self.candidates is not None:
            allowed &= self.candidates
        if chosen.kind in ("flagged", "low") or chosen.code:
            allowed &= ~self.without_proposals
        if chosen.kind == "undecided":
            allowed &= self.opened & ~self.done
        elif chosen.kind == "flagged":
            allowed &= proposed.flagged
        elif chosen.kind == "low":
            allowed &= proposed.having(proposed.scores < _LOW_SCORE)
        if chosen.code:
            matches = [name.startswith(chosen.code) for name in proposed.names]
            allowed &= proposed.having(np.array(matches, dtype=np.bool_)[proposed.codes])
        return allowed

    def open(self, position: int) -> NoteView:
        """Return a note. It is recorded as opened when it is first returned.

        Raises:
            Refusal: The note is not one of those that are reviewed.
            CclearnError: The note cannot be read, the coder fails, or the log cannot be written.
        """
        with self._lock:
            if self.candidates is not None and not self.candidates[position]:
                raise Refusal(
                    "This note is not among those that are reviewed. Go to the next note."
                )
            try:
                view = self._view(position)
                if not view.problem and not view.state.events:
                    view = self._first_view(view)
            except LogFullError:
                raise
            except CclearnError:
                self.blocked[position] = True
                raise
            self.blocked[position] = bool(view.problem)
            if self._current != position:
                self._current, self._since = position, time.monotonic()
            return view

    def view(self, position: int) -> NoteView:
        """Return a note that was opened before. Raises CclearnError."""
        with self._lock:
            return self._view(position)

    def _first_view(self, view: NoteView) -> NoteView:
        try:
            proposals = self.propose(view.note)
        except CclearnError:
            self._failed[view.position] = True
            raise
        entries = proposals.entries if view.shown else ()
        order = tuple(entry.key for entry in entries)
        self._append(view, Change("open", (), entries, order, False), proposals)
        self.opened[view.position] = True
        return self._view(view.position)

    def act(
        self, position: int, seen: int, change: Callable[[NoteView, CodeSystem], Change]
    ) -> NoteView:
        """Save an action, and return the note after it.

        Args:
            position: Number of the note.
            seen: Number of lines of the note in the log when the page was made.
            change: Function that returns what the action changes, or raises Refusal.

        Raises:
            Conflict: The note was changed since then.
            Refusal: The action is not possible.
            LogFullError: The action could not be saved.
        """
        with self._lock:
            view = self._view(position)
            if view.problem:
                raise Refusal(view.problem)
            if not view.state.events:
                raise Refusal("The note was not opened yet. Reload the page.")
            if view.state.events != seen:
                raise Conflict(
                    "The note was changed in another window, and the action was not saved. The page"
                    " shows the decisions that are saved: check them, and repeat the action."
                )
            self._append(view, change(view, self.system))
            view = self._view(position)
            if view.state.done:
                self._finished(position, view.state)
            else:
                self.done[position] = False
            return view

    @cached_property
    def without_proposals(self) -> npt.NDArray[np.bool_]:
        """Array with True for each note that is shown without proposals."""
        shares = map(self.is_without_proposals, self.corpus.ids)
        return np.fromiter(shares, dtype=np.bool_, count=len(self.corpus))

    def is_without_proposals(self, identifier: str) -> bool:
        """Return whether a note is shown without proposals."""
        share = self.settings.without_proposals
        return in_share(identifier, share, "without proposals", self.settings.seed)

    def _view(self, position: int) -> NoteView:
        identifier = self.corpus.ids[position]
        note = self.corpus.read(position)
        state = NoteState.replayed(self.log.events(identifier))
        opened, problem = state.opened, ""
        if opened is not None and opened.note_sha256 != sha256_of_text(note.text):
            problem = (
                "The text of this note has changed since its review began, so that offsets may be wrong."
                f" Its {state.events} lines stay in the log. Restore the text, or review the note under"
                " another id."
            )
            state = NoteState()
        shown = not self.is_without_proposals(identifier) if opened is None else opened.shown
        return NoteView(position, note, state, shown, problem)

    def _append(self, view: NoteView, change: Change, made: Proposals | None = None) -> None:
        opened = view.state.opened
        assert made or opened  # noqa: S101 - the first line of a note opens it
        now = time.monotonic()
        seconds = now - self._since if self._current == view.position else 0.0
        event = Event(
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            reviewer=self.log.reviewer,
            note=view.note.id,
            note_sha256=sha256_of_text(view.note.text),
            action=change.action,
            before=change.before,
            after=change.after,
            order=change.order,
            done=change.done,
            seconds=0.0 if made else round(min(seconds, LONGEST_PAUSE), 3),
            shown=view.shown,
            model=made.model if made else opened.model if opened else "",
            model_sha256=made.model_sha256 if made else opened.model_sha256 if opened else "",
            proposed=made.entries if made else (),
        )
        self.log.append(event)
        self._current, self._since = view.position, now

    def _finished(self, position: int, state: NoteState) -> None:
        self.done[position] = True
        self._codes |= {entry.code for entry in state.assigned}
        self._minutes[position] = state.seconds / 60
