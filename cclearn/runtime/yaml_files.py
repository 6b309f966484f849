"""Parser of untrusted YAML: plain values only, with limits on size and depth."""

from __future__ import annotations

from typing import Any

import yaml

from cclearn.errors import DataError, foreign_errors

_MAX_DEPTH = 100
"""Maximum depth of nested values."""

_MAX_LENGTH = 2**18
"""Maximum number of characters of a document. PyYAML takes seconds for more."""

_MAX_VALUES = 100_000
"""Maximum number of values, with aliases expanded. A few lines of aliases to aliases can expand to
billions of values."""


def parse_yaml(text: str, path: object, *, scalars: bool = True) -> tuple[Any, yaml.Node | None]:
    """Return the values of one YAML document and the node that they were built from.

    Args:
        text: Text of the document.
        path: Name of the file in messages.
        scalars: Whether numbers, dates and so on are recognised. Otherwise every scalar stays text.

    Returns:
        The values, and the root node of the document, which knows the line of each value.

    Raises:
        DataError: The text is not YAML, has a tag of a programming language, contains itself or half of
            a surrogate pair, is nested more than 100 values deep, is too long, or expands to more than
            100,000 values.
    """
    if len(text) > _MAX_LENGTH:
        raise DataError(path, f"more than {_MAX_LENGTH:,} characters of YAML")
    loader_type = yaml.SafeLoader if scalars else yaml.BaseLoader
    with foreign_errors(lambda error: DataError(path, f"not YAML ({error})")):
        try:
            loader = loader_type(text)
            try:
                node = loader.get_single_node()
                if node is None:
                    return None, None
                _refuse_unusable(node, path)
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


def _refuse_unusable(root: yaml.Node, path: object) -> None:
    """Raise DataError for a node that contains itself, is too deep, expands to too many values, or
    contains text that UTF-8 cannot represent.

    The size of a node that several aliases share is computed once, so the check takes time that is
    linear in the length of the text.
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
            raise DataError(path, "not YAML that can be used: a value contains itself", line)
        open_nodes.add(id(node))
        if len(open_nodes) > _MAX_DEPTH:
            raise DataError(path, f"nested more than {_MAX_DEPTH} values deep", line)
        if isinstance(node, yaml.ScalarNode) and not _is_unicode(node.value):
            raise DataError(path, "not YAML: half of a surrogate pair", line)
        stack.append((node, True))
        stack += [(part, False) for part in reversed(parts)]
    if sizes[id(root)] > _MAX_VALUES:
        raise DataError(path, f"its aliases expand to more than {_MAX_VALUES:,} values")


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _is_unicode(text: str) -> bool:
    """Return whether UTF-8 can represent a text. The escape "\\ud800" makes a text that it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
