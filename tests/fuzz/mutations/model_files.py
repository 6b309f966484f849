"""Mutations of chat templates and of the weights of models."""

from __future__ import annotations

import random
import struct

from tests.fuzz.mutations.json_files import json_file
from tests.fuzz.mutations.raw_bytes import mutate_bytes

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
    return mutate_bytes(rng, content)


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
