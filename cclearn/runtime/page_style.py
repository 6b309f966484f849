"""The one stylesheet of all HTML pages: coded notes, reports, the service and the review page.

It follows the reader's choice of a light or a dark theme, and can be printed. Pages contain it, so that
they need no other file, and their policies allow it by its hash.
"""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --quiet: #57606a; --page: #f6f8fa; --card: #fff;
        --line: #d0d7de; --mark: #fff1b8; --link: #0550ae; --warn: #9a3412; --warned: #ffedd5;
        --good: #c8f0d0; --bad: #ffd7d5; --gold: #dbe9ff; --control: #818b98; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --quiet: #9da7b3; --page: #0d1117; --card: #161b22; --line: #30363d;
          --mark: #4d3f0c; --link: #79b8ff; --warn: #ffc078; --warned: #3b2410;
          --good: #12391f; --bad: #4a1c1a; --gold: #17305c; --control: #6e7781; }
}
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 90rem; padding: 1.5rem;
       color: var(--text); background: var(--page); }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 0 0 .5rem;
     overflow-wrap: anywhere; }
h3 { font-size: .95rem; margin: 1.2rem 0 .3rem; } h4 { font-size: .85rem; margin: .8rem 0 .2rem;
     color: var(--quiet); }
a { color: var(--link); } .quiet { color: var(--quiet); font-size: .9rem; }
.problem { color: var(--warn); }
section, article { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
       margin: 1.2rem 0; padding: 1.1rem 1.3rem; overflow-wrap: anywhere; }
article { content-visibility: auto; contain-intrinsic-size: auto 40rem; }
.head { display: flex; flex-wrap: wrap; gap: .4rem .8rem; align-items: baseline;
        border-bottom: 1px solid var(--line); padding-bottom: .7rem; margin-bottom: 1rem; }
.columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(20rem, 2fr); gap: 2rem; }
@media (max-width: 59.99rem) { .columns { grid-template-columns: minmax(0, 1fr); } }
@media (min-width: 60rem) {
  aside { position: sticky; top: 1rem; align-self: start; max-height: calc(100vh - 2rem);
          overflow-y: auto; }
}
label { display: block; font-size: .9rem; margin: .6rem 0; }
textarea, input, select { display: block; width: 100%; margin-top: .2rem; padding: .5rem;
       color: inherit; background: var(--page); border: 1px solid var(--control); border-radius: 6px;
       font: inherit; }
textarea { min-height: 6rem; resize: vertical; }
button { font: 600 1rem system-ui, sans-serif; color: var(--card); background: var(--link); border: 0;
         border-radius: 6px; padding: .5rem 1.2rem; cursor: pointer; }
button:disabled { opacity: .6; cursor: progress; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: start; vertical-align: top; padding: .4rem .6rem;
         border-bottom: 1px solid var(--line); }
th { font-size: .8rem; color: var(--quiet); white-space: nowrap; }
td:not(:last-child) { overflow-wrap: normal; }
.numbers { width: auto; margin: 1rem 0; font-variant-numeric: tabular-nums; }
.numbers th:not(:first-child), .numbers td:not(:first-child) { text-align: end; }
pre { background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: .6rem;
      white-space: pre-wrap; max-height: 30rem; overflow-y: auto; }
code, pre, .code { font-family: ui-monospace, monospace; font-size: .9em; }
.code { font-weight: 700; }
.note { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9; max-width: 75ch; }
mark { background: var(--mark); color: inherit; border-radius: 4px; padding: .1rem .2rem;
       box-decoration-break: clone; -webkit-box-decoration-break: clone; scroll-margin: 5rem; }
mark b { font-weight: inherit; border-bottom: 2px solid var(--quiet); }
mark span { white-space: nowrap; }
mark a { font: 600 .72rem/1 ui-monospace, monospace; margin-inline-start: .35rem; }
.right { background: var(--good); } .wrong { background: var(--bad); } .gold { background: var(--gold); }
.right span, .wrong span, .gold span { font-size: .72em; font-weight: 700;
       margin-inline-start: .4rem; }
.codes { list-style: none; margin: 0; padding: 0; }
.codes > li { border-bottom: 1px solid var(--line); border-radius: 4px; padding: .6rem .3rem;
              scroll-margin: 2rem; }
.codes .code { margin-inline-end: .5rem; }
.score { float: inline-end; font-variant-numeric: tabular-nums; color: var(--quiet);
         font-size: .9rem; }
.flag { display: inline-block; font-size: .78rem; font-weight: 600; color: var(--warn);
        background: var(--warned); border-radius: 10px; padding: .05rem .6rem;
        margin-inline-end: .3rem; }
.decision { font-size: .78rem; font-weight: 600; border: 1px solid var(--line);
            border-radius: 999px; padding: .05rem .6rem; }
.decision.accept { color: var(--link); border-color: var(--link); }
.quotes { list-style: none; margin: .25rem 0 0; padding: 0; font-size: .9rem; }
.quotes li { margin: .15rem 0; overflow-wrap: anywhere; }
.quotes small { color: var(--quiet); font-variant-numeric: tabular-nums; white-space: nowrap; }
.tree ul { margin: .2rem 0; padding-inline-start: 1.4rem; }
.tree i { color: var(--quiet); font-style: normal; }
figure { margin: 2rem 0; break-inside: avoid; } figcaption { font-weight: 600; margin-bottom: .3rem; }
figure svg { max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
:target { outline: 3px solid var(--link); outline-offset: 2px; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 1px; }
@media print {
  body { padding: 0; max-width: none; color-scheme: light; }
  section, article { border: 0; padding: 0; content-visibility: visible; break-inside: avoid-page; }
  aside { position: static; max-height: none; } button, form { display: none; }
}
"""


def allowed_source(content: str) -> str:
    """Return the expression by which a content security policy allows a style or a script.

    Args:
        content: Content of the element, exactly as it is in the page.
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
