"""The sentences of the template notes by section. `{mention}` is replaced by a condition."""

SECTIONS = (
    "Chief complaint",
    "History of present illness",
    "Past medical history",
    "Family history",
    "Hospital course",
    "Discharge diagnoses",
    "Plan",
)
"""Sections in the order of a discharge summary."""

LISTS = frozenset({"Discharge diagnoses", "Past medical history"})
"""Sections that are written as a list."""

CODED: dict[str, tuple[str, ...]] = {
    "Chief complaint": ("{mention}.", "Referred for {mention}.", "Admitted for {mention}."),
    "History of present illness": (
        "{age}-year-old {sex} admitted with {mention}.",
        "The patient presented with {mention}.",
        "Work-up showed {mention}.",
        "Findings were consistent with {mention}.",
        "Known to have {mention}.",
        "Transferred from another hospital because of {mention}.",
        "Over the past week the {mention} had become worse.",
    ),
    "Past medical history": ("{mention}", "{mention}, stable", "{mention}, on treatment"),
    "Hospital course": (
        "Treated for {mention}.",
        "The stay was complicated by {mention}.",
        "Imaging confirmed {mention}.",
        "Cardiology followed the patient for {mention}.",
        "On day two {mention} was diagnosed.",
        "Medication was adjusted for {mention}.",
        "The {mention} responded to therapy.",
    ),
    "Discharge diagnoses": ("{mention}", "{mention}", "{mention} (improved)"),
    "Plan": (
        "Continue treatment of {mention}.",
        "Follow-up in clinic for {mention}.",
        "New prescription for {mention}.",
    ),
}

CODED_SECTIONS = tuple(CODED)

DISTRACTORS: tuple[tuple[str, str], ...] = (
    ("History of present illness", "No evidence of {mention}."),
    ("History of present illness", "The patient denies {mention}."),
    ("History of present illness", "Screening was negative for {mention}."),
    ("Hospital course", "{mention} was ruled out."),
    ("Hospital course", "There was no sign of {mention}."),
    ("Hospital course", "CT ruled out {mention}."),
    ("Family history", "{relative} with {mention}."),
    ("Family history", "{relative} had {mention}."),
    ("Family history", "Family history of {mention}."),
    ("Plan", "Return if {mention} develops."),
    ("Plan", "Prophylaxis against {mention} was discussed."),
    ("Plan", "Counselled about the risk of {mention}."),
)
"""Sections, and sentences whose mention gives no code."""

FILLERS: dict[str, tuple[str, ...]] = {
    "History of present illness": (
        "{age}-year-old {sex}, seen in the emergency department.",
        "{age}-year-old {sex}, brought in by ambulance.",
        "The {sex}, aged {age}, lives alone.",
    ),
    "Hospital course": (
        "Vital signs were stable.",
        "Laboratory values normalised.",
        "The patient was mobilised on day 2.",
        "Diet was advanced as tolerated.",
    ),
    "Plan": (
        "Discharged home in good condition.",
        "Blood pressure check in 2 weeks.",
        "Resume home medication.",
        "See the general practitioner within a week.",
    ),
}
"""Sentences that do not name a condition."""
