"""Settings of an audit: the thresholds by which its checks decide."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

IdentifierKind = Literal["date", "email", "name", "number", "phone"]
"""Kind of an identifier that the patterns of `cclearn.audit.identifiers` recognise."""

GRAM = 13
"""Number of words of the n-grams by which copied passages are found (Brown et al. 2020, appendix C)."""


class AuditSettings(BaseModel):
    """Settings of an audit, which the command takes as `key=value`.

    A phrase, a number or a date that many reference notes contain tells nothing about one of them. It is
    *common* if more than `common` reference notes contain it, or more than the share `common_share` of
    them if that is a larger number (Brown et al. 2020, appendix C, ignore 13-grams of more than 10
    documents).

    Attributes:
        common: Number of reference notes that may contain a phrase that is not common.
        common_share: Share of the reference notes that may contain a phrase that is not common.
        least_copied: Smallest number of words of a note that is a copy if a reference note has the same
            words. Shorter notes may be equal by chance.
        passage: Number of words of a copied passage. A note fails if one reference note contains all
            13-grams of such a passage, in any order, without the common ones. Carlini et al. 2023 call a
            text memorised if 50 tokens of it are repeated.
        similarity: Smallest similarity of a note and a reference note that are near-duplicates: the
            Jaccard similarity of their 4-grams that are not common, and the share of all 4-grams of the
            longer note that the other one contains.
        least_shared: Smallest number of 4-grams that are not common and that a note shares with a
            reference note if they are near-duplicates.
        identifiers: Kinds of leaked identifiers that count for the verdict. Dates are only reported by
            default, because equal dates of two corpora are usually a coincidence.
        most_copies: Largest number of notes whose words are those of a reference note.
        most_passages: Largest number of notes with a passage of a reference note.
        most_near_duplicates: Largest number of near-duplicates of reference notes, without exact copies.
        most_leaking: Largest number of notes with an identifier of the reference.
        most_canaries: Largest number of canaries that the notes contain.
        largest_exposure: Largest exposure of a canary in bits. The exposure of a canary that a model has
            not memorised exceeds b bits with a probability of 2 to the power of -b.
        candidates: Number of random candidates that a canary is compared with. The exposure is at most
            the binary logarithm of this number plus one.
        batch_size: Number of candidates that a model scores together.
        most_code_texts: Largest number of notes whose text contains a code.
        most_unsupported: Largest number of notes with a label without evidence.
        largest_auc: Largest value of the lower end of the 95 % interval of the area under the ROC curve
            of membership inference. Guessing has an area of 0.5.
        largest_compression: Largest quotient of the compression ratios of the notes and of the
            reference. With None, it is only reported.
        nearest_notes: Largest number of notes of a file that are compared with all notes of another file
            by TF-IDF.
        lexicon_notes: Largest number of notes in which the lexicon looks for codes that are not labels.
            0 turns this off, e.g. for notes that are not English.
        diversity_notes: Largest number of notes by which the diversity of a corpus is measured.
        smallest_cell: Smallest number that tables of notes by chapter show. Smaller ones are suppressed,
            except 0.
        draws: Number of bootstrap draws.
        seed: Seed of samples, candidates and draws.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    common: int = Field(default=10, ge=0)
    common_share: float = Field(default=0.02, ge=0, le=1)
    least_copied: int = Field(default=20, ge=1)
    passage: int = Field(default=50, gt=GRAM)
    similarity: float = Field(default=0.5, gt=0, le=1)
    least_shared: int = Field(default=15, ge=1)
    identifiers: tuple[IdentifierKind, ...] = ("email", "name", "number", "phone")
    most_copies: int = Field(default=0, ge=0)
    most_passages: int = Field(default=0, ge=0)
    most_near_duplicates: int = Field(default=0, ge=0)
    most_leaking: int = Field(default=0, ge=0)
    most_canaries: int = Field(default=0, ge=0)
    largest_exposure: float = Field(default=10.0, ge=0)
    candidates: int = Field(default=4_095, ge=1)
    batch_size: int = Field(default=32, ge=1)
    most_code_texts: int = Field(default=0, ge=0)
    most_unsupported: int = Field(default=0, ge=0)
    largest_auc: float = Field(default=0.6, ge=0, le=1)
    largest_compression: float | None = Field(default=None, gt=0)
    nearest_notes: int = Field(default=1_000, ge=1)
    lexicon_notes: int = Field(default=2_000, ge=0)
    diversity_notes: int = Field(default=2_000, ge=2)
    smallest_cell: int = Field(default=11, ge=1)
    draws: int = Field(default=1_000, ge=1)
    seed: int = Field(default=0, ge=0)

    def most_of_uncommon(self, reference_notes: int) -> int:
        """Return the largest number of reference notes that contain a phrase that is not common.

        Args:
            reference_notes: Number of notes of the reference.
        """
        return max(self.common, int(self.common_share * reference_notes))
