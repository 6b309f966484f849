"""YAML from users: plain values alone, of bounded size and depth."""

from __future__ import annotations

from typing import Any

import yaml

from cclearn.errors import DataError, foreign_errors

_DEEPEST = 100
"""How deeply values may be nested."""

_LONGEST = 2**18
"""Characters of a document: PyYAML takes seconds for more."""

_MOST = 100_000
"""The most values, each alias counted with all that it stands for: a few lines of aliases to
aliases would else expand to billions."""


def parse_yaml(text: str, path: object, *, scalars: bool = True) -> tuple[Any, yaml.Node | None]:
    """Parse one YAML document safely.

    Args:
        text: The document.
        path: What messages call it.
        scalars: Whether numbers, dates and so on are recognised; else every scalar stays text.

    Returns:
        The values, and the node that they were made of, which knows their lines.

    Raises:
        DataError: It is not YAML, has a tag of a programming language, refers to itself, is nested more
            than 100 values deep, is too long, or expands to more than 100,000 values.
    """
    if len(text) > _LONGEST:
        raise DataError(path, f"more than {_LONGEST:,} characters of YAML")
    loader_type = yaml.SafeLoader if scalars else yaml.BaseLoader
    with foreign_errors(lambda place: DataError(path, f"not YAML ({place})")):
        try:
            loader = loader_type(text)
            try:
                node = loader.get_single_node()
                if node is None:
                    return None, None
                _refuse_unbounded(node, path)
                return loader.construct_document(node), node
            finally:
                loader.dispose()
        except yaml.reader.ReaderError as error:
            problem = f"a character that is not allowed, at position {error.position}"
            raise DataError(path, f"not YAML: {problem}") from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = None if mark is None else mark.line + 1
            kind = _KINDS.get(type(error), "syntax error")
            raise DataError(path, f"not YAML: {kind}", line) from None


_KINDS: dict[type[Exception], str] = {
    yaml.constructor.ConstructorError: "a value that cannot be made, or a tag that is not allowed",
    yaml.composer.ComposerError: "an alias without its anchor, or more than one document",
}


def _refuse_unbounded(root: yaml.Node, path: object) -> None:
    """Raise DataError for a node that refers to itself, or is too deep or too large.

    The sizes of nodes that aliases share are counted once and added up, so the check itself takes
    time linear in the text.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    stack: list[tuple[yaml.Node, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        parts = _parts(node)
        if done:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(part)] for part in parts)
            continue
        if id(node) in sizes:
            continue
        line = node.start_mark.line + 1
        if id(node) in open_nodes:
            raise DataError(path, "not YAML that can be used: a value holds itself", line)
        open_nodes.add(id(node))
        if len(open_nodes) > _DEEPEST:
            raise DataError(path, f"nested more than {_DEEPEST} values deep", line)
        stack.append((node, True))
        stack += [(part, False) for part in reversed(parts)]
    if sizes[id(root)] > _MOST:
        raise DataError(path, f"its aliases expand to more than {_MOST:,} values")


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
