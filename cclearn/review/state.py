"""The state of a note under review: its entries, and the actions that can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cclearn.review.events import Action, Entry, Event


@dataclass(frozen=True, slots=True)
class Change:
    """What an action changes.

    Attributes:
        action: Name of the action.
        before: Entries that are replaced or removed.
        after: Entries that replace them, or that are added.
        order: Keys of all entries in their sequence afterwards.
        done: Whether the review of the note is finished afterwards.
    """

    action: Action
    before: tuple[Entry, ...]
    after: tuple[Entry, ...]
    order: tuple[str, ...]
    done: bool


@dataclass(slots=True)
class NoteState:
    """The state of a note, which is the result of the lines of a log.

    Attributes:
        entries: Entries by key, in their sequence.
        done: Whether the review is finished.
        opened: First line of the note in the log. None if the note was never opened.
        events: Number of lines so far. A page that was made from fewer lines is out of date.
        seconds: Seconds that were spent on the note.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    done: bool = False
    opened: Event | None = None
    events: int = 0
    seconds: float = 0.0
    _undoable: list[Change] = field(default_factory=list)

    @classmethod
    def replayed(cls, events: Iterable[Event]) -> NoteState:
        """Return the state after the lines of one note, in their order."""
        state = cls()
        for event in events:
            state.apply(event)
        return state

    def apply(self, event: Event) -> None:
        """Apply a line of the log."""
        change = Change(event.action, event.before, event.after, event.order, event.done)
        if event.action == "open":
            self.opened = event
        elif event.action == "undo":
            self._undoable.pop()
        else:
            self._undoable.append(
                Change("undo", change.after, change.before, tuple(self.entries), self.done)
            )
        for removed in {entry.key for entry in change.before}:
            del self.entries[removed]
        entries = self.entries | {entry.key: entry for entry in change.after}
        self.entries = {key: entries[key] for key in change.order}
        self.done = change.done
        self.events += 1
        self.seconds += event.seconds

    @property
    def undecided(self) -> list[Entry]:
        """Entries without a decision."""
        return [entry for entry in self.entries.values() if entry.verdict == "undecided"]

    @property
    def assigned(self) -> list[Entry]:
        """Entries by which the note has a code, in their sequence."""
        return [entry for entry in self.entries.values() if entry.is_assigned]

    def undo(self) -> Change | None:
        """Return the change that undoes the last action, or None if there is none."""
        return self._undoable[-1] if self._undoable else None

    def replace(self, action: Action, *entries: Entry) -> Change:
        """Return the change that replaces entries by others with the same keys."""
        before = tuple(self.entries[entry.key] for entry in entries)
        return Change(action, before, entries, tuple(self.entries), self.done)

    def add(self, entry: Entry) -> Change:
        """Return the change that adds an entry at the end."""
        return Change("add", (), (entry,), (*self.entries, entry.key), self.done)

    def reorder(self, order: Iterable[str]) -> Change:
        """Return the change that brings the entries into another sequence."""
        return Change("order", (), (), tuple(order), self.done)

    def finish(self, done: bool) -> Change:
        """Return the change that finishes the review of the note, or that continues it."""
        return Change("done" if done else "reopen", (), (), tuple(self.entries), done)

    def next_key(self) -> str:
        """Return the key for an entry that the reviewer adds."""
        used = [int(key[1:]) for key in self.entries if key.startswith("a")]
        return f"a{max(used, default=-1) + 1}"
