"""All checks of an audit, in order, and their verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cclearn.audit.canaries import CanariesInNotes, CanaryFile, find_canaries
from cclearn.audit.checks import Check
from cclearn.audit.diversity import Diversities, compare_diversity
from cclearn.audit.duplicates import NearDuplicates, find_near_duplicates, require_datasketch
from cclearn.audit.exposure import Exposure, measure_exposure
from cclearn.audit.identifiers import Recogniser
from cclearn.audit.inputs import NoteSet, Progress, Size
from cclearn.audit.leaks import Leaks, find_leaks
from cclearn.audit.membership import Membership, infer_membership
from cclearn.audit.nearest import Nearest, compare_with_nearest
from cclearn.audit.overlap import Overlap, find_overlap
from cclearn.audit.settings import AuditSettings
from cclearn.audit.support import Support, check_support
from cclearn.audit.suppression import ChapterRow, count_chapters
from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError


@dataclass(frozen=True, slots=True)
class AuditInputs:
    """What an audit reads. The first one is required, and each of the others adds checks.

    Attributes:
        audited: Notes to audit: a file of coded notes, or the folder of a builder or of `cclearn code`.
        reference: Notes that must not be repeated, in the same forms.
        members: Training notes of the generator, for membership inference.
        non_members: Notes of the same origin on which the generator was not trained.
        canaries: File of the canaries that the training notes of the generator contain.
        model: Folder of a model that was trained on the notes with the canaries.
    """

    audited: Path
    reference: Path | None = None
    members: Path | None = None
    non_members: Path | None = None
    canaries: Path | None = None
    model: str | None = None

    def check(self) -> None:
        """Raise ConfigurationError if an input is missing that another one needs."""
        problems = []
        if (self.members is None) != (self.non_members is None):
            given = "members" if self.members is not None else "non-members"
            problems.append(
                f"audit ({given} = {self.members or self.non_members}): membership needs both groups."
                " Name --members and --non-members."
            )
        if self.model is not None and self.canaries is None:
            problems.append(
                f"audit (model = {self.model}): a model is scored on canaries only. Name --canaries."
            )
        if problems:
            raise ConfigurationError(problems)


@dataclass(frozen=True, slots=True)
class Described:
    """A corpus that was read.

    Attributes:
        path: Path of the file, or of the folder of a run.
        sha256: Hash of the file, or of the shards of the run.
        size: Number of notes and words.
    """

    path: str
    sha256: str
    size: Size


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result of an audit.

    Attributes:
        audited: Notes that were audited.
        reference: Reference notes; None if there were none.
        settings: Settings of the audit.
        code_system: Name and release of the code system.
        chapters: Number of notes by chapter, without small numbers.
        support: Support of the labels.
        diversity: Diversity of the notes, beside that of the reference.
        overlap: Copies and passages of the reference; None without a reference.
        duplicates: Near-duplicates of the reference; None without a reference.
        leaks: Identifiers of the reference; None without a reference.
        nearest: Similarity to the nearest reference note; None without a reference.
        canaries: Canaries in the notes; None without a file of canaries.
        exposure: Exposure of the canaries in a model; None without a model.
        membership: Membership inference; None without members.
    """

    audited: Described
    reference: Described | None
    settings: AuditSettings
    code_system: tuple[str, str]
    chapters: tuple[ChapterRow, ...]
    support: Support
    diversity: Diversities
    overlap: Overlap | None = None
    duplicates: NearDuplicates | None = None
    leaks: Leaks | None = None
    nearest: Nearest | None = None
    canaries: CanariesInNotes | None = None
    exposure: Exposure | None = None
    membership: Membership | None = None

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks that were run, in the order of the reports."""
        parts = (
            self.overlap,
            self.duplicates,
            self.leaks,
            self.canaries,
            self.exposure,
            self.membership,
            self.support,
            self.diversity,
        )
        return tuple(check for part in parts if part is not None for check in part.checks)

    @property
    def passed(self) -> bool:
        """Whether no check has failed."""
        return all(check.passed is not False for check in self.checks)


def run_audit(
    inputs: AuditInputs,
    system: CodeSystem,
    settings: AuditSettings | None = None,
    recognisers: Sequence[Recogniser] = (),
    progress: Progress | None = None,
) -> AuditReport:
    """Audit synthetic notes.

    Args:
        inputs: Notes to audit, and what they are compared with.
        system: Code system of the notes.
        settings: Settings of the audit; None for the defaults.
        recognisers: Further recognisers of identifiers (`cclearn.audit.presidio`).
        progress: Function that shows the progress of reading notes; None shows nothing.

    Raises:
        ConfigurationError: An input is missing that another one needs, or datasketch is not installed.
        DataError: A file cannot be read, or contains no notes.
    """
    inputs.check()
    require_datasketch()
    settings = settings or AuditSettings()

    def find(path: Path | None) -> NoteSet | None:
        return None if path is None else NoteSet.find(path, system, progress)

    audited = NoteSet.find(inputs.audited, system, progress)
    reference = find(inputs.reference)
    members, non_members = find(inputs.members), find(inputs.non_members)
    canaries = None if inputs.canaries is None else CanaryFile.read(inputs.canaries)
    described = _describe(audited, "counting: notes")
    reference_described = None
    overlap = duplicates = leaks = nearest = None
    if reference is not None:
        reference_described = _describe(reference, "counting: reference")
        overlap = find_overlap(audited, reference, settings)
        duplicates = find_near_duplicates(audited, reference, settings, overlap.copies.notes)
        leaks = find_leaks(audited, reference, settings, recognisers)
        nearest = compare_with_nearest(audited, reference, settings)
    membership = None
    if members is not None and non_members is not None:
        membership = infer_membership(audited, members, non_members, settings)
    found_canaries = exposure = None
    if canaries is not None:
        found_canaries = find_canaries(audited, canaries, settings.most_canaries)
        if inputs.model is not None:
            exposure = measure_exposure(inputs.model, canaries, settings)
    return AuditReport(
        described,
        reference_described,
        settings,
        (system.name, system.release),
        count_chapters(audited, reference, settings),
        check_support(audited, settings),
        compare_diversity(audited, reference, settings),
        overlap,
        duplicates,
        leaks,
        nearest,
        found_canaries,
        exposure,
        membership,
    )


def _describe(notes: NoteSet, title: str) -> Described:
    """Return the path, the hash and the size of a corpus. Raises DataError if it is empty."""
    size = Size.of(notes, title)
    if not size.notes:
        raise DataError(notes.path, "contains no notes. Name a file with notes.")
    return Described(str(notes.path), notes.sha256(), size)
