"""What distinguishes one code system from another.

A code system whose official files cclearn reads is a *native* system and has an entry in `NATIVE`. All
other systems come from a user's table and share the defaults of `SystemTraits`. No other module compares
the name of a code system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SystemTraits:
    """Properties of a code system that do not depend on the release.

    Attributes:
        display_name: Name of the system in prompts and in files that other programs read.
        fhir_uri: URI of the system in FHIR, None if it has no official one.
        mdace_folder: Folder of the system in the MDACE data set, None if MDACE does not use it.
        mimic_version: Value of MIMIC-IV's column `icd_version` for the system, None if MIMIC does not
            use it.
        official_source: Function that finds the official files, as `module:function`; None if the system
            is read from a user's table.
        file_needed: Sentences that ask for an official file; empty if a release comes with a package.
        icd_conventions: Whether titles follow the conventions of the ICD: nonessential modifiers in
            parentheses, abbreviations in brackets, "NOS" and "unspecified".
        dot_after: Number of characters before the dot of a code, None if the spelling of codes that the
            table does not contain is not known.
        has_seventh_characters: Whether codes of full length end with a 7th character.
        symptoms_chapter: Chapter of symptoms, None if it is not known.
        injuries_chapter: Chapter of injuries and poisonings, None if it is not known.
        external_causes_chapter: Chapter of external causes, None if it is not known.
        health_status_chapter: Chapter of factors that influence the health status, None if it is not
            known.
        social_codes: Beginnings of the codes for social determinants of health.
        has_limits: Whether `cclearn.codes.patient_limits` applies to the codes.
        has_phrase_table: Whether the phrase table of the lexicon applies to the codes.
        confirmed_only: Codes that are assigned only to a confirmed condition, by section of the official
            guidelines.
        changes_other_codes: Codes whose presence changes how other conditions are coded.
    """

    display_name: str
    fhir_uri: str | None = None
    mdace_folder: str | None = None
    mimic_version: str | None = None
    official_source: str | None = None
    file_needed: str = ""
    icd_conventions: bool = False
    dot_after: int | None = None
    has_seventh_characters: bool = False
    symptoms_chapter: str | None = None
    injuries_chapter: str | None = None
    external_causes_chapter: str | None = None
    health_status_chapter: str | None = None
    social_codes: tuple[str, ...] = ()
    has_limits: bool = False
    has_phrase_table: bool = False
    confirmed_only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changes_other_codes: tuple[str, ...] = ()


NATIVE: Mapping[str, SystemTraits] = {
    "icd10cm": SystemTraits(
        display_name="ICD-10-CM",
        fhir_uri="http://hl7.org/fhir/sid/icd-10-cm",
        mdace_folder="ICD-10",
        mimic_version="10",
        official_source="cclearn.codes.icd10cm:find_official_source",
        icd_conventions=True,
        dot_after=3,
        has_seventh_characters=True,
        symptoms_chapter="18",
        injuries_chapter="19",
        external_causes_chapter="20",
        health_status_chapter="21",
        # Official Guidelines, I.B.14 and I.C.21.c.17.
        social_codes=("Z55", "Z56", "Z57", "Z58", "Z59", "Z60", "Z62", "Z63", "Z64", "Z65"),
        has_limits=True,
        has_phrase_table=True,
        # HIV, Zika, COVID-19 and certain identified influenza viruses, for inpatients too.
        confirmed_only={
            "I.C.1.a.1": ("B20", "B97.35", "O98.7", "Z21"),
            "I.C.1.f.1": ("A92.5",),
            "I.C.1.g.1.a": ("U07.1",),
            "I.C.10.c": ("J09", "J10"),
        },
        # HIV disease, diabetes, hypertension and pregnancy (Official Guidelines, I.A.15 and I.C).
        changes_other_codes=("B20", "E08-E13", "I10-I1A", "15"),
    ),
    "icd9cm": SystemTraits(
        display_name="ICD-9-CM",
        fhir_uri="http://hl7.org/fhir/sid/icd-9-cm",
        mdace_folder="ICD-9",
        mimic_version="9",
        official_source="cclearn.codes.icd9cm:find_official_source",
        file_needed="it comes with no package. Name its title file as release.",
        icd_conventions=True,
        external_causes_chapter="19",
    ),
}
"""Native code systems by name."""


def official_name(name: str) -> str:
    """Return the name of a native code system that is spelled otherwise, as `ICD-10-CM` is.

    Any other name is unchanged.
    """
    return _NATIVE_NAMES.get(_letters(name), name)


def _letters(name: str) -> str:
    return re.sub(r"[\s_.-]", "", name).lower()


_NATIVE_NAMES = {_letters(name): name for name in NATIVE}


def traits_of(name: str) -> SystemTraits:
    """Return the traits of a code system; those of a user's system have its name and the defaults."""
    return NATIVE.get(name) or SystemTraits(display_name=name)
