"""Mutations of files: of bytes, and of the structure of each format."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import struct
from collections.abc import Callable
from typing import Any

from tests.fuzz.canary import CANARY

Mutation = Callable[[random.Random, bytes], bytes]


def mutate(rng: random.Random, kind: str, content: bytes) -> bytes:
    """Return a mutated file.

    Args:
        rng: The source of randomness.
        kind: The format: a key of `STRUCTURED`, or any other word for bytes alone.
        content: The valid file.
    """
    if kind in STRUCTURED and rng.random() < 0.75:
        try:
            mutated = STRUCTURED[kind](rng, content)
        except (ValueError, IndexError, RecursionError):
            return _bytes(rng, content)  # A change left nothing for the next one.
        return _bytes(rng, mutated) if rng.random() < 0.1 else mutated
    return _bytes(rng, content)


# Bytes, whatever the format.


def _cut(rng: random.Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _flip(rng: random.Random, content: bytes) -> bytes:
    mutated = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        mutated[rng.randrange(len(mutated))] ^= 1 << rng.randrange(8)
    return bytes(mutated)


def _insert(rng: random.Random, content: bytes) -> bytes:
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice(_HOSTILE_BYTES) + content[place:]


def _remove(rng: random.Random, content: bytes) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.randrange(1, 40) :]


def _repeat(rng: random.Random, content: bytes) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start : start + 200] * rng.choice((2, 20)) + content[start:]


def _whole(rng: random.Random, content: bytes) -> bytes:
    text = content.decode("utf-8", errors="replace")
    return rng.choice(
        (
            lambda: b"",
            lambda: b"\n",
            lambda: b"\0" * 512,
            lambda: b"\xef\xbb\xbf" + content,
            lambda: text.encode("utf-16"),
            lambda: text.encode("utf-32"),
            lambda: text.encode("latin-1", errors="replace"),
            lambda: content.replace(b"\n", b"\r\n"),
            lambda: content.replace(b"\n", b"\r"),
            lambda: content.replace(b"\n", b" "),
            lambda: content.replace(b"\n", "\u2028".encode()),
            lambda: rng.randbytes(400),
            lambda: gzip.compress(content),
            lambda: content + content,
            lambda: b"[" * 100_000,
            lambda: b"{" * 5_000,
            lambda: b'{"a":' * 30_000,
            lambda: b"<a>" * 100_000,
            lambda: b"- " * 3_000,
            lambda: (CANARY * 40_000)[:2_000_000].encode(),
            lambda: CANARY.encode(),
            lambda: b"null",
            lambda: b"1" * 6_000,
        )
    )()


_HOSTILE_BYTES = (
    b"\0",
    b"\xff\xfe",
    b"\x80",
    b"\xed\xa0\x80",
    b"\x1b[31m",
    b"\r",
    b"\n\n",
    b'"',
    b"'",
    b"\\",
    b"[" * 10_000,
    b"{" * 10_000,
    b"&a;",
    b"*a",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"9" * 5_000,
    b"-1",
    CANARY.encode(),
)
_ANY_BYTES: tuple[Mutation, ...] = (_cut, _flip, _insert, _remove, _repeat, _whole)


def _bytes(rng: random.Random, content: bytes) -> bytes:
    return rng.choice(_ANY_BYTES)(rng, content)


# JSON. What `json.dumps` cannot write stands as a mark that is replaced in the text.

_RAW_JSON = (
    "1e400",
    "-1e400",
    "NaN",
    "-Infinity",
    "1" + "0" * 5_000,
    "9223372036854775808",
    '"\\ud800"',
    '"\\udfff text"',
    '"\\u0000"',
    "[" * 3_000 + "]" * 3_000,
    "[" * 100_000,
    '{"a":' * 900 + "1" + "}" * 900,
    "-0",
    "1.7976931348623157e308",
    "tru",
    "",
)


def _value(rng: random.Random) -> Any:
    values: tuple[Any, ...] = (
        None,
        True,
        False,
        0,
        -1,
        2**31,
        2**63,
        -(2**63) - 1,
        10**30,
        1.5,
        "",
        " ",
        "x" * 100_000,
        CANARY,
        "\x1b[31mred\x1b[0m",
        "<script>alert(1)</script>",
        "../../../etc/passwd",
        "/dev/zero",
        "\u202e\u0000\uffff",
        "a\nb\rc",
        "2024-01-01",
        "1e400",
        [],
        {},
        [None],
        [[]],
        {"": None},
        {CANARY: CANARY},
        ["a", 1, None, {}],
        {"a": {"b": {"c": []}}},
        "!" * 5_000,
        "{{ 1/0 }}",
    )
    if rng.random() < 0.25:
        return _mark(rng.randrange(len(_RAW_JSON)))
    return rng.choice(values)


def _mark(number: int) -> str:
    return f"@raw{number}@"


def _unmarked(text: str, raw: tuple[str, ...]) -> str:
    def written(match: re.Match[str]) -> str:
        return raw[int(match[1])] if int(match[1]) < len(raw) else "0"

    return re.sub(r"['\"]?@raw(\d+)@['\"]?", written, text)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of a structure."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        node = stack.pop()
        items = (
            node.items()
            if isinstance(node, dict)
            else enumerate(node)
            if isinstance(node, list)
            else ()
        )
        for key, below in list(items):
            found.append((node, key))
            stack.append(below)
    return found


def change(rng: random.Random, value: Any) -> Any:
    """Return a structure of dicts and lists with a hostile change somewhere."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = _places(value)
        if not places or rng.random() < 0.03:
            return rng.choice((_value(rng), [value], {"x": value}))
        # Places at the top are few; they get as many changes as those of long lists.
        top = [place for place in places if place[0] is value]
        node, key = rng.choice(top if rng.random() < 0.4 else places)
        act = rng.randrange(8)
        if act <= 3:
            node[key] = _value(rng)
        elif act == 4:
            del node[key]
        elif act == 5 and isinstance(node, dict):
            node[rng.choice((CANARY, "", "x", str(key).upper(), f"{key} "))] = node.pop(key)
        elif act == 5:
            node.insert(key, node[key])
        elif act == 6:
            node[key] = rng.choice(([node[key]], {"a": node[key]}, str(node[key])))
        else:
            other, place = rng.choice(places)
            # A copy: the structure must stay a tree.
            node[key] = json.loads(
                json.dumps(other.get(place) if isinstance(other, dict) else None)
            )
    return value


def _json_text(rng: random.Random, value: Any) -> str:
    text = _unmarked(json.dumps(change(rng, value), ensure_ascii=rng.random() < 0.5), _RAW_JSON)
    if rng.random() < 0.05:  # A key that stands twice.
        text = re.sub(r'\{("[^"]*": ?)', r"{\g<1>null, \g<1>", text, count=1)
    return text


def json_file(rng: random.Random, content: bytes) -> bytes:
    return _json_text(rng, json.loads(content)).encode("utf-8", errors="surrogatepass")


def jsonl_file(rng: random.Random, content: bytes) -> bytes:
    lines = content.decode().splitlines() or [""]
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(lines))
        act = rng.randrange(10)
        if act == 0:
            lines.insert(place, lines[place])
        elif act == 1:
            lines[place] = ""
        elif act == 2:
            lines[place] += lines[place]
        elif act == 3:
            lines[place] = rng.choice(_RAW_JSON)
        else:
            try:
                lines[place] = _json_text(rng, json.loads(lines[place]))
            except (ValueError, RecursionError):
                lines[place] = "null"
    return ("\n".join(lines) + "\n").encode("utf-8", errors="surrogatepass")


# YAML.

_BOMB = "&a0 [x, x, x, x, x, x, x, x, x]"
_LAUGHS = (
    "["
    + ", ".join(f"&a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" if n else _BOMB for n in range(9))
    + "]"
)
_RAW_YAML = (
    "&r [*r]",
    "&r {a: *r}",
    "[&r {a: *r}, *r]",
    _LAUGHS,
    "!!python/object/apply:os.system [id]",
    "!!python/name:os.system",
    "!foreign x",
    "2024-01-01",
    "2024-99-99",
    "2001-12-14t21:59:43.10-05:00",
    "0x" + "f" * 6_000,
    "1" * 6_000,
    "1:2:3:4:5:6:7:8:9",
    "1_" * 3_000,
    ".nan",
    ".inf",
    "-.inf",
    "1e400",
    "1.0e+400",
    "!!binary x",
    "!!binary aGVsbG8=",
    "!!int x",
    "!!int ''",
    "!!float x",
    "!!bool x",
    "!!timestamp x",
    "!!timestamp 0000-00-00",
    "!!null x",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!omap x",
    "!!pairs [a: 1]",
    "!!map [a]",
    "!!seq {a: 1}",
    "!!str [a]",
    "{? [a, b] : c}",
    "{? {a: b} : c}",
    "{<<: x}",
    "{<<: [{a: 1}, {b: 2}]}",
    "{<<: [x]}",
    "{=: x}",
    "=",
    "[" * 3_000 + "]" * 3_000,
    "[" * 20_000,
    "*missing",
    "&twice a",
    "'open",
    '"\\ud800"',
    '"\\x1b[31m"',
    "|\n  x",
    "\t- x",
    "~",
    "yes",
    "off",
    "017",
    "0b" + "1" * 20_000,
    "{a: 1, a: 2}",
    "%TAG ! x",
    CANARY,
    f"{{{CANARY}: 1}}",
)


def yaml_file(rng: random.Random, content: bytes) -> bytes:
    import yaml

    if rng.random() < 0.1:
        heads = ("%YAML 9.9\n---\n", "---\n---\n", "%TAG ! x\n", "\t", "? ", "- ", "!!set\n", "&r ")
        return rng.choice(heads).encode() + content
    value = yaml.safe_load(content)
    for _ in range(rng.choice((0, 0, 1, 3))):
        value = change(rng, value)
    places = _places(value)
    for _ in range(rng.choice((1, 1, 2))):
        if places:
            node, key = rng.choice(places)
            if isinstance(node, dict) or key < len(node):
                node[key] = _mark(rng.randrange(len(_RAW_YAML)))
    return _unmarked(yaml.safe_dump(value, width=10**6), _RAW_YAML).encode(
        "utf-8", errors="surrogatepass"
    )


def setting(rng: random.Random, content: bytes) -> bytes:
    """Change the value in `key=value`, an argument of the command line."""
    key, _, value = content.decode().partition("=")
    hostile = str(rng.choice((rng.choice(_RAW_YAML), _value(rng), value * 3, f"[{value}]")))
    act = rng.randrange(6)
    text = (
        key
        if act == 0
        else f"={hostile}"
        if act == 1
        else f"{hostile[:60]}={value}"
        if act == 2
        else f"{key}={hostile}"
    )
    return text.replace("\0", "").encode("utf-8", errors="surrogatepass")


# XML.

_DOCTYPE = """<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">
<!ENTITY x SYSTEM "file:///etc/passwd">]>
"""
_ENCODINGS = (
    "utf-7 utf-16 utf-32 klingon latin-1 cp037 hex rot13 idna base64 undefined mbcs".split()
)


def xml_file(rng: random.Random, content: bytes) -> bytes:
    text = content.decode()
    act = rng.randrange(14)
    tags = list(re.finditer(r"<(\w+)[^<>]*>([^<>]*)</\1>", text))
    tag = rng.choice(tags)
    start, end = tag.span()
    if act == 0:
        encoding = rng.choice((*_ENCODINGS, CANARY, "", "x" * 5_000))
        text = re.sub(r'encoding="[^"]*"', f'encoding="{encoding}"', text)
    elif act == 1:
        text = text[:start] + text[end:]
    elif act == 2:
        text = text[:end] + tag[0] * rng.choice((1, 100)) + text[end:]
    elif act == 3:
        text = text[: tag.start(2)] + _xml_value(rng) + text[tag.end(2) :]
    elif act == 4:
        text = re.sub(r"(<\?xml[^>]*\?>)", lambda m: m[1] + _DOCTYPE, text, count=1)
        text = text.replace(tag[0], f"<{tag[1]}>{rng.choice(('&f;', '&x;', '&b;'))}</{tag[1]}>")
    elif act == 5:
        names = re.findall(r"<(\w+)[ >]", text)
        one, other = rng.choice(names), rng.choice(names)
        text = re.sub(rf"<(/?){one}\b", rf"<\g<1>{other}", text)
    elif act == 6:
        value = rng.choice(("", "x", "-1", "9" * 5_000, "1.5", CANARY, "½", "٣"))
        attributes = re.findall(r'(\w+)="', text)
        name = rng.choice(attributes)
        text = re.sub(rf'\b{name}="[^"]*"', f'{name}="{value}"', text)
    elif act == 7:
        name = rng.choice(re.findall(r" (\w+)=", text))
        text = re.sub(rf' {name}="[^"]*"', "", text)
    elif act == 8:
        depth = rng.choice((50, 1_000, 5_000, 50_000))
        name = rng.choice(("term", "diag", "section", "note", "mainTerm", tag[1]))
        inside = f"<{name}>" * depth + tag[0] + f"</{name}>" * depth
        text = text[:start] + inside + text[end:]
    elif act == 9:
        inner = f"<title>x</title><code>I10</code><name>{tag[2] or 'I10'}</name><desc>x</desc>"
        depth = rng.choice((50, 1_000, 3_000))
        name = rng.choice(("term", "diag"))
        inside = f"<{name}>{inner}" * depth + f"</{name}>" * depth
        text = text[:end] + inside + text[end:]
    elif act == 10:
        other = rng.choice(("<!-- x -->", "<?x y?>", f"<![CDATA[{CANARY}]]>", "<x:y xmlns:x='z'/>"))
        text = text[: tag.start(2)] + other + text[tag.start(2) :]
    elif act == 11:  # All text is symbols.
        text = re.sub(r">[^<>]*\w[^<>]*</(title|desc|note|nemod)", r">-,;()</\1", text)
    elif act == 12:  # References in a cycle.
        titles = re.findall(r"<title>([^<>]+)<", text) or ["x"]
        text = re.sub(r"<code>[^<]*</code>", lambda _: f"<see>{rng.choice(titles)}</see>", text)
    else:
        return _bytes(rng, content)
    return text.encode("utf-8", errors="surrogatepass")


def _xml_value(rng: random.Random) -> str:
    return rng.choice(
        ("", " ", "---", "(", ")", "(((", "()", "x" * 50_000, "a b " * 20_000, CANARY, "I10", "A00-",
         "<note>x</note>", "<title/>", "\u0085", "-,.;", "(any)", "NEC", "see", "0", "A00.0XXA")
    )  # fmt: skip


# Tables of text and official lines.


def table_file(rng: random.Random, content: bytes) -> bytes:
    """Change a table with commas, tabs or blanks between its fields, or an OBO file."""
    text = content.decode()
    mark = "\t" if "\t" in text else "," if "," in text else " "
    lines = text.split("\n")
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(lines))
        fields = lines[place].split(mark)
        act = rng.randrange(9)
        if act <= 3:
            fields[rng.randrange(len(fields))] = rng.choice(
                ("", " ", '"', '""', '"x', "x" * 200_000, CANARY, "-1", "9" * 5_000, "nan", "1e400",
                 "0 1;2", "9 3", "½", "٣", "a b", "\0", "\x1b[0m", "---", "=cmd()", "inf", "²", "1_0")
            )  # fmt: skip
        elif act == 4:
            fields.append("x")
        elif act == 5:
            fields.pop()
        elif act == 6:
            fields.insert(0, fields[0])
        elif act == 7:
            lines.insert(place, lines[place])
        else:
            rng.shuffle(fields)
        lines[place] = mark.join(fields)
    if rng.random() < 0.08:  # Symbols alone.
        return re.sub(r"\w", "-", "\n".join(lines)).encode()
    if rng.random() < 0.08:  # Everything points to the same thing.
        ids = re.findall(r"\w+:\d+", text) or ["x"]
        return re.sub(r"\w+:\d+", rng.choice(ids), text).encode()
    return "\n".join(lines).encode("utf-8", errors="surrogatepass")


def gz_file(rng: random.Random, content: bytes) -> bytes:
    mutated = gzip.compress(table_file(rng, gzip.decompress(content)), mtime=0)
    return mutated if rng.random() < 0.6 else _bytes(rng, mutated)


# Parquet.


def parquet_file(rng: random.Random, content: bytes) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content))
    act = rng.randrange(10)
    name = rng.choice(table.column_names)
    if act <= 5:
        column = _hostile_column(rng, len(table), table[name])
        table = table.set_column(table.column_names.index(name), name, column)
    elif act == 6:
        new = rng.choice((CANARY, "", "\x1b[31m", name.upper(), "note\n", "x" * 10_000, "a.b"))
        table = table.rename_columns([new if each == name else each for each in table.column_names])
    elif act == 7:
        table = rng.choice((table.slice(0, 0), table.drop_columns([name]), table.select([])))
    elif act == 8:
        table = table.append_column(name, table[name])
    else:
        extra = _hostile_column(rng, len(table), table[name])
        table = table.append_column(rng.choice((CANARY, "extra")), extra)
    sink = io.BytesIO()
    try:
        parquet.write_table(table, sink, row_group_size=rng.choice((1, 1000)))
    except (pa.ArrowException, OSError):
        return _bytes(rng, content)
    written = sink.getvalue()
    if rng.random() < 0.2:  # Damage in the footer.
        at = len(written) - rng.randrange(1, min(len(written), 600))
        return written[:at] + rng.randbytes(1) + written[at + 1 :]
    return written


def _hostile_column(rng: random.Random, rows: int, column: Any) -> Any:
    import pyarrow as pa

    def of(kind: Any, value: Any) -> Any:
        return pa.array([value] * rows, kind)

    def cast(kind: Any, value: int, width: Any = None) -> Any:
        return pa.array([value] * rows, width or pa.int64()).view(kind)

    text = pa.array([CANARY] * rows, pa.string())
    bad = pa.array([b"\xff\xfe" + CANARY.encode()] * rows, pa.binary())
    makers: tuple[Callable[[], Any], ...] = (
        lambda: cast(pa.timestamp("s"), 2**62),
        lambda: cast(pa.timestamp("ms"), -(2**62)),
        lambda: cast(pa.timestamp("us"), 2**63 - 1),
        lambda: cast(pa.timestamp("us", tz="Nowhere/Town"), 0),
        lambda: cast(pa.timestamp("ms", tz="UTC"), 2**60),
        lambda: cast(pa.timestamp("ns"), 123),
        lambda: cast(pa.date32(), 2**31 - 1, pa.int32()),
        lambda: cast(pa.date64(), 2**62),
        lambda: cast(pa.time64("us"), -1),
        lambda: cast(pa.time32("s"), 2**31 - 1, pa.int32()),
        lambda: cast(pa.duration("s"), 2**62),
        lambda: cast(pa.duration("ns"), 1),
        lambda: of(pa.decimal128(38, 0), 10**37),
        lambda: of(pa.decimal256(76, 5), 1),
        lambda: of(pa.float16(), 1.0),
        lambda: of(pa.float64(), float("nan")),
        lambda: of(pa.int64(), 2**62),
        lambda: of(pa.uint64(), 2**64 - 1),
        lambda: of(pa.bool_(), True),
        lambda: pa.nulls(rows),
        lambda: of(pa.list_(pa.string()), [CANARY]),
        lambda: of(pa.list_(pa.list_(pa.list_(pa.int8()))), [[[1]]]),
        lambda: of(pa.struct([("a", pa.struct([("b", pa.string())]))]), {"a": {"b": CANARY}}),
        lambda: of(pa.map_(pa.string(), pa.string()), [(CANARY, "x")]),
        lambda: of(pa.binary(), CANARY.encode()),
        lambda: bad.view(pa.string()),
        lambda: bad.view(pa.string()).dictionary_encode(),
        lambda: text.dictionary_encode(),
        lambda: text.cast(pa.large_string()),
        lambda: text.cast(pa.string_view()),
        lambda: of(pa.string(), "x" * 1_000_000),
        lambda: of(pa.string(), CANARY),
        lambda: of(pa.string(), ""),
        lambda: column.combine_chunks().dictionary_encode(),
    )
    try:
        return rng.choice(makers)()
    except (pa.ArrowException, NotImplementedError, AttributeError):
        return text


# Chat templates, and the configurations that hold one.

TEMPLATES = (
    "{{ 1/0 }}",
    "{{ 'a' * 10**10 }}",
    "{{ 'a' * 10**8 }}",
    "{{ 10**10**10 }}",
    "{{ (10**5000)|string }}",
    "{{ [0] * 10**10 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ 'a'.ljust(10**10) }}",
    "{{ 'a'|center(10**10) }}",
    "{{ 'a'.replace('', 'a' * 10**5) }}",
    "{{ range(10**10)|list }}",
    "{{ range(10**10)|sum }}",
    "{% for a in range(10**5) %}{% for b in range(10**5) %}x{% endfor %}{% endfor %}",
    "{% for a in range(10**5) %}{% for b in range(10**5) %}{% set c = a %}{% endfor %}{% endfor %}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = [n.x, n.x]|join %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "{% for x in [[[]]] recursive %}{{ loop([[x]]) }}{% endfor %}",
    "{{ raise_exception(messages[0].content) }}",
    "{{ raise_exception(messages|tojson) }}",
    "{{ raise_exception({}) }}",
    "{{ raise_exception() }}",
    "{{ messages[0].content.nothing.more }}",
    "{{ messages[0].content + 1 }}",
    "{{ messages[0].content|int / 0 }}",
    "{{ messages[99].content }}",
    "{{ undefined_function(messages[0].content) }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ messages.append(messages) }}",
    "{{ cycler.__init__.__globals__ }}",
    "{% include 'x' %}",
    "{% import messages[0].content as x %}",
    "{% extends messages[0].content %}",
    "{{ messages[0].content|no_such_filter }}",
    "{{ messages[0].content is no_such_test }}",
    "{% no_such_tag %}",
    "{{ 'open",
    "{% if %}",
    "{% for %}",
    "",
    "constant",
    "{{ strftime_now(messages[0].content) }}",
    "{{ strftime_now('%Y' * 10**6) }}",
    "{{ messages|map(attribute='content')|join|wordwrap(0) }}",
    "{{ messages[0].content|truncate(-1) }}",
    "{{ messages[0].content|indent(10**9) }}",
    "{{ messages[0].content|batch(0)|list }}",
    "{{ messages[0].content|slice(0)|list }}",
    "{{ lipsum(10**7) }}",
    "{{ messages[0].content|urlize }}",
    "{{ messages[0].content.encode('utf-8').decode('utf-16') }}",
    "{{ 'x'|format(messages[0].content) }}",
    "{{ messages[0].content % () }}",
    "{{ messages[0]['content'].split('') }}",
    "{% generation %}{{ messages[0].content }}{% endgeneration %}",
    "{{ (" + "(" * 500 + "1" + ")" * 500 + ") }}",
    "{{ " + "-" * 5_000 + "1 }}",
    "{% if true %}" * 300 + "{% endif %}" * 300,
    "{{ messages[0].content|pprint|length * 'x' * 10**9 }}",
    "{% set x = 'a' * 10**6 %}{% for i in range(10**4) %}{{ x }}{% endfor %}",
    "{{ 7 ** 7 ** 7 ** 7 }}",
    "{{ 1 << 10**9 }}",
    "{{ '\\ud800' }}",
    "{{ joiner(messages[0].content) }}",
    "{{ dict(messages[0].content) }}",
)


def template_file(rng: random.Random, content: bytes) -> bytes:
    text = content.decode()
    hostile = rng.choice(TEMPLATES)
    act = rng.randrange(5)
    if act <= 2:
        return hostile.encode("utf-8", errors="surrogatepass")
    if act == 3:
        return rng.choice((hostile + text, text + hostile)).encode("utf-8", errors="surrogatepass")
    return _bytes(rng, content)


def safetensors_file(rng: random.Random, content: bytes) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    head, body = content[8 : 8 + length], content[8 + length :]
    act = rng.randrange(5)
    if act == 0:
        wrong = rng.choice((0, 1, length - 1, length + 1, 2**20, 2**40, 2**63, 2**64 - 1))
        return struct.pack("<Q", wrong) + head + body
    if act == 1:
        return content[: 8 + length + rng.randrange(len(body) or 1)]
    if act == 2:
        return content + b"\0" * rng.choice((1, 64))
    changed = json_file(rng, head)
    return struct.pack("<Q", len(changed)) + changed + body


STRUCTURED: dict[str, Mutation] = {
    "json": json_file,
    "jsonl": jsonl_file,
    "yaml": yaml_file,
    "setting": setting,
    "xml": xml_file,
    "table": table_file,
    "gz": gz_file,
    "parquet": parquet_file,
    "template": template_file,
    "safetensors": safetensors_file,
}
