from __future__ import annotations

from collections.abc import Iterable, Iterator

from cclearn.coding.span_loop.recognisers import Recogniser, Recognition, UnitedRecogniser
from cclearn.notes import Note, Ungrounded
from cclearn.notes.spans import Span


class Fixed(Recogniser):
    def __init__(self, name: str, spans: list[list[Span]], sha256: str = "") -> None:
        self.name = name
        self._spans = spans
        self._sha256 = sha256

    @property
    def model_sha256(self) -> str:
        return self._sha256

    def recognise(self, segments: Iterable[Note]) -> Iterator[Recognition]:
        for segment, spans in zip(segments, self._spans, strict=True):
            yield Recognition(
                {span: {} for span in spans},
                [Ungrounded(code="I10", quote="x")],
                1,
                {f"{self.name} {segment.id}"},
            )


def test_later_recognisers_add_spans_that_do_not_overlap() -> None:
    first = Fixed("a", [[(0, 5), (10, 12)], []], "one")
    second = Fixed("b", [[(4, 6), (5, 10), (11, 12), (20, 30), (25, 28)], [(1, 2)]], "two")
    third = Fixed("c", [[(29, 31), (12, 13)], [(1, 3)]])
    united = UnitedRecogniser([first, second, third])
    assert united.name == "a + b + c"
    assert united.model_sha256 == "one two"
    one, two = united.recognise(iter([Note(id="1", text="x"), Note(id="2", text="x")]))
    # Spans of one recogniser may overlap each other.
    assert list(one.spans) == [(0, 5), (10, 12), (5, 10), (20, 30), (25, 28), (12, 13)]
    assert list(two.spans) == [(1, 2)]
    (all_spans, _) = UnitedRecogniser([first, second], overlaps=True).recognise(
        [Note(id="1", text="x"), Note(id="2", text="x")]
    )
    assert (4, 6) in all_spans.spans
    assert all_spans.spans[11, 12] == {"recogniser_2": 1.0}
    assert one.flags == {"a 1", "b 1", "c 1"}
    assert (len(one.ungrounded), one.unreadable) == (3, 3)


def test_the_signals_tell_which_recognisers_found_a_span() -> None:
    first = Fixed("a", [[(0, 5), (10, 12)]])
    second = Fixed("b", [[(0, 5), (20, 30), (11, 12)]])
    (found,) = UnitedRecogniser([first, second]).recognise([Note(id="1", text="x")])
    assert found.spans == {
        (0, 5): {"recogniser_1": 1.0, "recogniser_2": 1.0},
        (10, 12): {"recogniser_1": 1.0},
        (20, 30): {"recogniser_2": 1.0},
    }
