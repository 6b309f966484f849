"""Coded notes for tests of outputs: one that has everything, and any there can be."""

from __future__ import annotations

from hypothesis import strategies as st

from cclearn.notes import AssignedCode, CodedNote, Evidence, Invalid, Ungrounded

TEXT = (
    "Old MI.\r\nAcute on chronic systolic heart failure, \u1e24\U0001f9e0 \tpain;"
    " mother had asthma.\n<script>alert(1)</script>"
)


def cited(*quotes: str, text: str = TEXT) -> list[Evidence]:
    """Return the first occurrence of each quote in the text as evidence."""
    starts = [(text.index(quote), quote) for quote in quotes]
    return [Evidence(start=start, end=start + len(q), text=q) for start, q in starts]


FULL = CodedNote(
    id="visit 7",
    text=TEXT,
    codes=[
        AssignedCode(
            code="I25.2",
            description="Old myocardial infarction",
            evidence=cited("Old MI"),
            assertion="historical",
            score=0.25,
        ),
        AssignedCode(
            code="I50.23",
            description="Acute on chronic systolic (congestive) heart failure",
            evidence=cited("Acute on chronic systolic heart failure", "heart failure"),
            score=0.75,
            flags=["excludes1: I50.9", "low"],
        ),
        AssignedCode(
            code="R52", description="Pain, unspecified", evidence=cited("\U0001f9e0 \tpain")
        ),
        AssignedCode(code="J45.909", evidence=cited("asthma"), assertion="family"),
        AssignedCode(code="E11", description="Type 2 diabetes mellitus", status="header"),
    ],
    ungrounded=[Ungrounded(code="J18.9", quote="pneumonia")],
    invalid=[Invalid(code="I50", status="header"), Invalid(code=None, status="unreadable")],
    repeated=2,
    flags=["truncated"],
)
EMPTY = CodedNote(id="8", text="")

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_FLAGS = st.lists(_TEXTS, max_size=2)


@st.composite
def coded_notes(draw: st.DrawFn) -> CodedNote:
    """Draw a coded note of any text, evidence of its codes anywhere in it."""
    text = draw(_TEXTS)
    codes = []
    for code in draw(st.lists(st.sampled_from(["I10", "I50.23", "R52"]), unique=True)):
        offsets = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
        spans = {(min(p), max(p)) for p in draw(st.lists(offsets, max_size=3)) if p[0] != p[1]}
        codes.append(
            AssignedCode(
                code=code,
                system=draw(st.sampled_from(["icd10cm", "icd9cm", "a ward's"])),
                description=draw(_TEXTS),
                score=draw(st.none() | st.floats(0, 1)),
                evidence=[Evidence(start=s, end=e, text=text[s:e]) for s, e in sorted(spans)],
                assertion=draw(st.sampled_from(["present", "historical", "negated"])),
                flags=draw(_FLAGS),
                decision=draw(st.none() | st.sampled_from(["accept", "review"])),
            )
        )
    rejected = [codes.pop()] if codes and draw(st.booleans()) else []
    ungrounded = st.builds(Ungrounded, code=_TEXTS, quote=_TEXTS)
    return CodedNote(
        id=draw(_TEXTS.filter(bool)),
        text=text,
        codes=codes,
        rejected=rejected,
        ungrounded=draw(st.lists(ungrounded, max_size=2)),
        invalid=draw(st.lists(st.just(Invalid(code=None, status="unreadable")), max_size=1)),
        flags=draw(_FLAGS),
    )
