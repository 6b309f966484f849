"""Pages of the service: their frame and the policy that browsers enforce on them."""

from __future__ import annotations

from html import escape

from starlette.responses import Response

from cclearn.runtime.page_style import STYLE, allowed_source


def page_headers(policy: str, referrer: str = "no-referrer") -> dict[str, str]:
    """Return the headers of a page, which is not stored and not shown inside of other pages.

    Args:
        policy: Content security policy of the page.
        referrer: Referrer policy of the page. A page with forms needs `same-origin`, because a browser
            sends `Origin: null` with a form under `no-referrer`.
    """
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": referrer,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


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
            f"default-src 'none'; script-src {allowed_source(script)};"
            f" style-src {allowed_source(STYLE)}; connect-src 'self'; base-uri 'none';"
            " form-action 'none'; frame-ancestors 'none'"
        )
        self._headers = page_headers(policy)
        self._content = (
            "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
            "<meta name='viewport' content='width=device-width, initial-scale=1'>"
            f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
            f"<body>{body}<script>{script}</script></body></html>\n"
        ).encode()

    def response(self) -> Response:
        """Return the response with the page."""
        return Response(self._content, media_type="text/html", headers=self._headers)


KEY_FIELD = (
    "<label>Key of the service, which is sent with each request and stored nowhere"
    "<input id='key' type='password' autocomplete='off' spellcheck='false'></label>"
)
"""HTML of the field for the key. It has no name, so that a browser has nothing to remember it by."""
