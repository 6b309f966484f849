"""Ontologies in OBO format, read by obonet and checked: names, no term twice, no cycle."""

from __future__ import annotations

import gzip
import io
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cclearn.errors import DataError, DataErrors
from cclearn.runtime.files import decode_text, read_bytes


@dataclass(frozen=True, slots=True)
class Term:
    """A term of an ontology.

    Attributes:
        id: E.g. `DOID:0002116`.
        label: Its name.
        synonyms: As the file writes them: the text in quotes, its scope, where it is from.
        references: Its cross references, e.g. `ICD10CM:H11.0`.
        obsolete: Whether it is no longer in use.
    """

    id: str
    label: str
    synonyms: tuple[str, ...]
    references: tuple[str, ...]
    obsolete: bool


def read_obo(path: Path) -> list[Term]:
    """Read the terms of an ontology in the order of the file.

    Raises:
        DataErrors: The file cannot be read, a term has no name, stands twice or lies below itself;
            all of them with their lines.
    """
    text = _text(path)
    lines = text.splitlines()
    try:
        graph = _graph(text)
    except (ValueError, KeyError, TypeError) as error:
        raise DataErrors([_syntax_problem(path, lines, str(error))]) from None
    places: dict[str, int] = {}
    problems: list[DataError] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("id: "):
            identifier = line.removeprefix("id: ").strip()
            if identifier in places:
                problem = f"{identifier} stands in line {places[identifier]} too"
                problems.append(DataError(path, problem, number, "id"))
            places.setdefault(identifier, number)
    problems += _nameless(path, graph, places)
    problems += _cycles(path, graph, places)
    if not places and not problems:
        problems.append(DataError(path, "holds no term: not an ontology in OBO format"))
    if problems:
        raise DataErrors(problems)
    return [
        Term(
            identifier,
            node["name"],
            tuple(node.get("synonym", ())),
            tuple(reference.split()[0] for reference in node.get("xref", ()) if reference.strip()),
            node.get("is_obsolete") == "true",
        )
        for identifier, node in graph.nodes(data=True)
        if node  # Parents that other ontologies hold have nothing here.
    ]


def _graph(text: str) -> Any:
    """Return obonet's graph: an edge a parent; synonyms and references as they are written."""
    import obonet

    # It logs what a header lacks to the root logger, which would print it between our lines.
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return obonet.read_obo(io.StringIO(text), ignore_obsolete=False)
    finally:
        logging.disable(before)


def _text(path: Path) -> str:
    raw = read_bytes(path)
    if path.suffix == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(path, f"cannot be read ({type(error).__name__})") from None
    return decode_text(raw, path)


def _syntax_problem(path: Path, lines: list[str], message: str) -> DataError:
    """Find the line that the reader's message quotes."""
    quoted = message.splitlines()[-1].strip()
    numbers = (number for number, line in enumerate(lines, start=1) if line.strip() == quoted)
    return DataError(path, "not OBO: no `tag: value`", next(numbers, None))


def _nameless(path: Path, graph: Any, places: dict[str, int]) -> Iterator[DataError]:
    for identifier, node in graph.nodes(data=True):
        if identifier in places and not node.get("name"):
            yield DataError(path, f"{identifier} has no name", places[identifier], "name")


def _cycles(path: Path, graph: Any, places: dict[str, int]) -> Iterator[DataError]:
    import networkx

    above = networkx.DiGraph(
        (a, b) for a, b, relation in graph.edges(keys=True) if relation == "is_a"
    )
    for group in networkx.strongly_connected_components(above):
        members = sorted(group, key=lambda each: (places.get(each, 0), each))
        if len(members) > 1 or above.has_edge(members[0], members[0]):
            problem = f"below itself: {', '.join(members)}"
            yield DataError(path, problem, places.get(members[0]), "is_a")
