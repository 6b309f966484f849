"""Starting a review: the session of a reviewer, and the server of its pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache

import numpy as np

from cclearn.codes import CodeSystem
from cclearn.coding.base import Coder
from cclearn.errors import CclearnError, ConfigurationError
from cclearn.notes import CodedNote
from cclearn.review.agreement import adjudication_entries, disagreements
from cclearn.review.app import make_review_app
from cclearn.review.events import proposals
from cclearn.review.folder import ReviewFolder, check_same_corpus
from cclearn.review.log import checked_reviewer
from cclearn.review.note_index import NoteIndex
from cclearn.review.order import Order, OrderName
from cclearn.review.reviewed import ADJUDICATION, opened_logs, reviewed_notes, same_text
from cclearn.review.session import Proposals, Session
from cclearn.runtime.display import counted, print_message
from cclearn.runtime.files import locked_folder
from cclearn.service.limits import ServiceSettings
from cclearn.service.listening import Server, configuration, listen, url_of
from cclearn.service.metrics import Metrics


def make_session(
    folder: ReviewFolder,
    reviewer: str,
    system: CodeSystem,
    order: OrderName,
    load: Callable[[], tuple[Coder, str]],
) -> tuple[Session, str]:
    """Return the session of a reviewer, and the name of the coder with its release.

    Args:
        folder: Folder of the review.
        reviewer: Name of the reviewer.
        system: Code system in which codes are looked up.
        order: Order of the notes.
        load: Function that loads the coder of notes without codes, and returns it with the hash of its
            model. It is called when the first such note is opened.

    Raises:
        CclearnError: The notes cannot be read, the log is locked, or the order is not possible.
    """
    checked_reviewer(reviewer)
    with locked_folder(folder.path):
        corpus = folder.index()
        if not len(corpus):
            raise CclearnError("notes: there is no note. Name a file with notes.")
        _check_system(corpus, system)
        corpus.use_spelling(system)
        settings = folder.settings
        chosen = Order(corpus, order, settings.seed, settings.kept_apart)
        with opened_logs(folder) as logs:
            missing = max((check_same_corpus(corpus, each) for each in logs), default=0)
        reviewer_log = folder.log(reviewer)
        folder.save(corpus)
    if reviewer_log.moved:
        print_message(
            f"{reviewer_log.path}: its last line was incomplete ({reviewer_log.moved} bytes), because"
            " the last run was killed. That decision was not confirmed. The bytes are in a file beside"
            " it."
        )
    if missing:
        print_message(
            f"Reviewed notes that are not among these notes: {missing:,}. Their decisions stay in the"
            " log."
        )
    if corpus.is_coded:
        release = corpus.release or system.release
        if release != system.release:
            print_message(
                f"The notes were coded with {system.name} {release}, and codes are looked up in"
                f" {system.release}. Codes that are not valid there are flagged."
            )
        name = f"{corpus.model[0]}, {system.name} {release}"

        def propose(note: CodedNote) -> Proposals:
            return Proposals(proposals(note.codes, release, system), *corpus.model)
    else:
        loaded = cache(load)
        name = f"notes without codes, {system.name} {system.release}"

        def propose(note: CodedNote) -> Proposals:
            coder, digest = loaded()
            codes = coder.code(note.note).codes
            return Proposals(proposals(codes, system.release, system), coder.name, digest)

    return Session(corpus, system, reviewer_log, chosen, settings, propose), name


def _check_system(index: NoteIndex, system: CodeSystem) -> None:
    """Raise ConfigurationError if the notes have codes of another code system."""
    if others := sorted(index.systems - {system.name}):
        raise ConfigurationError(
            [
                f"system (system = {system.name}): the notes have codes of {', '.join(others)}. Name the"
                " code system with --system, and another --out if the review began with this one."
            ]
        )


def make_adjudication(
    folder: ReviewFolder, reviewer: str, system: CodeSystem
) -> tuple[Session, str]:
    """Return the session in which a reviewer decides on the disagreements of others.

    Args:
        folder: Folder of the review.
        reviewer: Name of the reviewer who adjudicates. The others' decisions do not change.
        system: Code system in which codes are looked up.

    Raises:
        CclearnError: There is no disagreement, the log is locked, or the notes cannot be read.
        ConfigurationError: The reviewer has decided on notes of the disagreements before.
    """
    with opened_logs(folder) as logs:
        reviewed = [note for each in logs for note in reviewed_notes(each)]
    disputed = disagreements(reviewed)
    if not disputed:
        raise CclearnError(
            f"adjudicate (out = {folder.path}): no note was finished by several reviewers with different"
            " codes. Finish the same notes first."
        )
    opened = {n.id for n in reviewed if n.reviewer == reviewer and not n.is_adjudicated}
    if opened & disputed.keys():
        raise ConfigurationError(
            [
                f"adjudicate (reviewer = {reviewer}): this reviewer has opened the notes already. Name"
                " another with --reviewer."
            ]
        )
    corpus = folder.reviewed_index()
    corpus.use_spelling(system)
    current = {
        identifier: notes
        for identifier, notes in disputed.items()
        if same_text(corpus, notes[0]) is not None
    }
    if changed := len(disputed) - len(current):
        print_message(
            f"Notes that are missing or whose text has changed: {changed:,}. They are left out."
        )
    if not current:
        raise CclearnError(
            "adjudicate: no note with a disagreement is among the notes with its text."
        )
    disputed = current

    def propose(note: CodedNote) -> Proposals:
        return Proposals(adjudication_entries(disputed[note.id]), ADJUDICATION, "")

    candidates = np.array([identifier in disputed for identifier in corpus.ids], dtype=np.bool_)
    settings = folder.settings.model_copy(update={"without_proposals": 0.0})
    order = Order(corpus, "random", settings.seed, 0.0)
    reviewer_log = folder.log(reviewer)
    session = Session(corpus, system, reviewer_log, order, settings, propose, candidates)
    return session, f"{counted(len(disputed))} on which reviewers disagree"


def serve_review(session: Session, settings: ServiceSettings, coder: str) -> None:
    """Serve the pages of a session until a signal stops the server.

    Args:
        session: The session.
        settings: Settings of the service.
        coder: Name of the coder and its release, for the head of the pages.

    Raises:
        CclearnError: The service cannot listen on the address.
    """
    listener = listen(settings, "review")
    app = make_review_app(session, settings, coder)
    candidates = session.candidates
    count = len(session.corpus) if candidates is None else int(candidates.sum())
    server = Server(configuration(app, settings, Metrics()))
    print_message(f"Review of {counted(count)} by {session.log.reviewer}: {url_of(listener)}")
    print_message("Decisions are saved at once. Stop with Ctrl-C.")
    try:
        asyncio.run(server.serve(sockets=[listener]))
    finally:
        session.log.close()
