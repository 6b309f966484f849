"""The kinds of the facts that codes stand for, by their chapters."""

from __future__ import annotations

from cclearn.codes import CodeSystem
from data_builders.content.schema import Kind


def kind_of(code: str, system: CodeSystem) -> Kind:
    """Return the kind of a code, which decides the sentences that mention it.

    Codes of other systems than ICD-10-CM are problems, because their chapters are not known.

    Args:
        code: The code.
        system: Code system of the code.

    Raises:
        UnknownCodeError: The release does not contain the code.
    """
    traits, chapter = system.traits, system.chapter(code)
    if chapter == traits.symptoms_chapter:
        return "symptom"
    if chapter == traits.injuries_chapter:
        return "injury"
    if chapter == traits.external_causes_chapter:
        return "cause"
    if chapter == traits.health_status_chapter:
        return "social" if code.startswith(traits.social_codes) else "status"
    return "problem"
