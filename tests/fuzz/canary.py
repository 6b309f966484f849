"""Text that is in every note of the inputs and must not be in any message.

The first 40 characters of an id may be shown, even if the id is the text of a note. The word that is
searched for begins after them.
"""

WORD = "Zqxanthippe"

CANARY = (
    f"Seen today with acute systolic heart failure, known to Dr {WORD} of this ward. No pneumonia."
)
