from __future__ import annotations

from cclearn.codes import CodeSystem
from cclearn.codes.instructions import Instruction, instructions


def named(note: Instruction, code: str) -> bool:
    return any(reference.covers(code) for reference in note.references)


def test_items_follow_their_heading(system: CodeSystem) -> None:
    (note,) = instructions(system, "F02.80", "code_first")
    assert note.at == "F02"
    assert note.text.startswith(
        "the underlying physiological condition, such as: Alzheimer's (G30.-); "
    )
    assert note.required
    assert named(note, "G30.9")
    assert named(note, "A81.00")
    assert not named(note, "I10")
    fistulas, manifestations = instructions(system, "K50.90", "use_additional_code")
    assert named(fistulas, "K60.30")
    assert not fistulas.required  # "if applicable"
    assert named(manifestations, "L88")
    assert manifestations.required


def test_conditional_notes_are_not_required(system: CodeSystem) -> None:
    for code in ("J18.9", "N18.30", "I50.9", "A41.9"):
        assert not any(note.required for note in instructions(system, code, "code_first")), code
    # A manifestation code is never first, even if its note is conditional.
    assert all(note.required for note in instructions(system, "N08", "code_first"))
    (stage,) = instructions(system, "I12.9", "use_additional_code")
    assert stage.required
    assert named(stage, "N18.2")


def test_notes_of_blocks_and_chapters_are_left_out(system: CodeSystem) -> None:
    assert system.notes("I10", "use_additional_code")
    assert instructions(system, "I10", "use_additional_code") == ()
