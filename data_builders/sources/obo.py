"""Reading of ontologies in OBO format with obonet. Names, unique ids and the hierarchy are checked."""

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
        id: Identifier, for example `DOID:0002116`.
        label: Name of the term.
        synonyms: Synonyms in the syntax of the file: quoted text, scope and source.
        references: Cross references, for example `ICD10CM:H11.0`.
        obsolete: Whether the term is no longer in use.
    """

    id: str
    label: str
    synonyms: tuple[str, ...]
    references: tuple[str, ...]
    obsolete: bool


def read_obo(path: Path) -> list[Term]:
    """Read the terms of an ontology in the order of the file.

    Raises:
        DataErrors: The file cannot be read, or a term has no name, is defined twice or is its own
            ancestor. The error lists all problems with their lines.
    """
    text = _text(path)
    lines = text.splitlines()
    try:
        graph = _graph(text)
    except (ValueError, KeyError, TypeError) as error:
        raise DataErrors([_syntax_problem(path, lines, str(error))]) from None
    lines_of_terms: dict[str, int] = {}
    problems: list[DataError] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("id: "):
            identifier = line.removeprefix("id: ").strip()
            if identifier in lines_of_terms:
                problem = f"{identifier} is also defined in line {lines_of_terms[identifier]}"
                problems.append(DataError(path, problem, number, "id"))
            lines_of_terms.setdefault(identifier, number)
    problems += _nameless(path, graph, lines_of_terms)
    problems += _cycles(path, graph, lines_of_terms)
    if not lines_of_terms and not problems:
        problems.append(DataError(path, "contains no term: not an ontology in OBO format"))
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
        if node  # Parents that are defined in other ontologies have no data.
    ]


def _graph(text: str) -> Any:
    """Return the graph of obonet. Its edges go to parents; synonyms and references are not parsed."""
    import obonet

    # obonet logs missing header fields to the root logger, which would print them.
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
    """Return an error with the line that the message of the reader quotes."""
    quoted = message.splitlines()[-1].strip()
    numbers = (number for number, line in enumerate(lines, start=1) if line.strip() == quoted)
    return DataError(path, "not OBO: no `tag: value`", next(numbers, None))


def _nameless(path: Path, graph: Any, lines: dict[str, int]) -> Iterator[DataError]:
    for identifier, node in graph.nodes(data=True):
        if identifier in lines and not node.get("name"):
            yield DataError(path, f"{identifier} has no name", lines[identifier], "name")


def _cycles(path: Path, graph: Any, lines: dict[str, int]) -> Iterator[DataError]:
    import networkx

    parents = networkx.DiGraph(
        (a, b) for a, b, relation in graph.edges(keys=True) if relation == "is_a"
    )
    for group in networkx.strongly_connected_components(parents):
        members = sorted(group, key=lambda term: (lines.get(term, 0), term))
        if len(members) > 1 or parents.has_edge(members[0], members[0]):
            problem = f"a term is its own ancestor: {', '.join(members)}"
            yield DataError(path, problem, lines.get(members[0]), "is_a")
