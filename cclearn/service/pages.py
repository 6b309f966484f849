"""Pages of the service: their frame, their style and the policy that browsers enforce on them."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from starlette.responses import Response

_STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --quiet: #57606a; --page: #f6f8fa; --card: #fff;
        --line: #d0d7de; --mark: #fff1b8; --link: #0550ae; --warn: #9a3412; --warned: #ffedd5; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --quiet: #9da7b3; --page: #0d1117; --card: #161b22; --line: #30363d;
          --mark: #4d3f0c; --link: #79b8ff; --warn: #ffc078; --warned: #3b2410; }
}
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1.5rem;
       color: var(--text); background: var(--page); }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 0 0 .5rem; }
h3 { font-size: .95rem; margin: 1.2rem 0 .3rem; }
a { color: var(--link); } .quiet { color: var(--quiet); font-size: .9rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
          margin: 1.2rem 0; padding: 1.1rem 1.3rem; overflow-wrap: anywhere; }
label { display: block; font-size: .9rem; margin: .6rem 0; }
textarea, input, select { display: block; width: 100%; margin-top: .2rem; padding: .5rem;
       color: inherit; background: var(--page); border: 1px solid var(--line); border-radius: 6px;
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
pre { background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: .6rem;
      white-space: pre-wrap; max-height: 30rem; overflow-y: auto; }
code, pre, .code { font-family: ui-monospace, monospace; font-size: .9em; }
.code { font-weight: 700; }
.note { white-space: pre-wrap; line-height: 1.9; }
mark { background: var(--mark); color: inherit; border-radius: 4px; padding: .1rem .2rem; }
mark a { font: 600 .72rem/1 ui-monospace, monospace; margin-inline-start: .35rem; }
.flag { display: inline-block; font-size: .78rem; font-weight: 600; color: var(--warn);
        background: var(--warned); border-radius: 10px; padding: .05rem .6rem;
        margin-inline-end: .3rem; }
.problem { color: var(--warn); }
:target { outline: 3px solid var(--link); outline-offset: 2px; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 1px; }
"""


class Page:
    """A page that loads nothing from anywhere and may send requests only to the service.

    Its policy allows one style and one script, by their hashes. So a browser runs no other script, even
    if a text should ever become markup.

    Args:
        title: Title of the page, as text.
        body: Content of the page, as HTML.
        script: Script of the page. It must not contain the end tag of a script.
    """

    def __init__(self, title: str, body: str, script: str) -> None:
        policy = (
            f"default-src 'none'; script-src {_source(script)}; style-src {_source(_STYLE)};"
            " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self._headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        self._content = (
            "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
            "<meta name='viewport' content='width=device-width, initial-scale=1'>"
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
            f"<body>{body}<script>{script}</script></body></html>\n"
        ).encode()

    def response(self) -> Response:
        """Return the response with the page."""
        return Response(self._content, media_type="text/html", headers=self._headers)


def _source(content: str) -> str:
    """Return the expression by which a policy allows a style or a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


KEY_FIELD = (
    "<label>Key of the service, which is sent with each request and stored nowhere"
    "<input id='key' type='password' autocomplete='off' spellcheck='false'></label>"
)
"""HTML of the field for the key. It has no name, so that a browser has nothing to remember it by."""
