"""Mutations of XML files."""

from __future__ import annotations

import random
import re

from tests.fuzz.canary import CANARY
from tests.fuzz.mutations.raw_bytes import mutate_bytes

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
        return mutate_bytes(rng, content)
    return text.encode("utf-8", errors="surrogatepass")


def _xml_value(rng: random.Random) -> str:
    return rng.choice(
        ("", " ", "---", "(", ")", "(((", "()", "x" * 50_000, "a b " * 20_000, CANARY, "I10", "A00-",
         "<note>x</note>", "<title/>", "\u0085", "-,.;", "(any)", "NEC", "see", "0", "A00.0XXA")
    )  # fmt: skip
