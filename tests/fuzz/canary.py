"""What stands in every note of the inputs, and must stand in no message.

The first 40 characters of an id may be shown, even where the id is the note itself. The word that is
looked for begins after them.
"""

WORD = "Zqxanthippe"

CANARY = (
    f"Seen today with acute systolic heart failure, known to Dr {WORD} of this ward. No pneumonia."
)
