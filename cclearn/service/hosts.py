"""Which names the service answers to: no page of another site may drive a service that it can reach."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from cclearn.loopback import Authority, is_loopback, parse_authority
from cclearn.service.metrics import Metrics

_ORIGIN = re.compile(r"https?://(.+)", re.IGNORECASE)


class Hosts:
    """Answers 403 to a request whose `Host` or `Origin` is not one of the service's.

    A browser sends the name that its page was loaded from as `Host`, also after that name was made to
    resolve to this machine (DNS rebinding). `localhost`, loopback addresses and the address that the
    connection came in on need no permission, because no other site can have them for a name; their port
    is not compared, so that a forwarded port works. An `Origin` must be the same host and port as
    `Host`, or an allowed name.

    Args:
        app: The application that answers the other requests.
        allowed: Further names, as `NAME` for any port or `NAME:PORT`.
        metrics: Where refusals are counted.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str], metrics: Metrics) -> None:
        self._app = app
        self._allowed = set(filter(None, map(parse_authority, allowed)))
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        host = parse_authority(hosts[0]) if len(hosts) == 1 else None
        problem = None
        if host is None or not self._is_ours(host, scope):
            problem = (
                "Host: it is not a name of this service. Call the service by localhost, by the address"
                " that it listens on, or by a name that was given with --allow-host."
            )
            self._metrics.refused("host")
        elif not all(self._may_call(origin, host) for origin in headers.getlist("origin")):
            problem = (
                "Origin: pages of other sites may not call this service. Allow the site's name with"
                " --allow-host."
            )
            self._metrics.refused("origin")
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"detail": problem}, 403)(scope, receive, send)

    def _is_ours(self, host: Authority, scope: Scope) -> bool:
        name = host[0]
        if is_loopback(name) or not self._allowed.isdisjoint({host, (name, None)}):
            return True
        server = scope.get("server")
        return server is not None and _same_address(name, server[0])

    def _may_call(self, origin: str, host: Authority) -> bool:
        found = _ORIGIN.fullmatch(origin)
        caller = parse_authority(found[1]) if found else None
        return caller is not None and (caller == host or caller in self._allowed)


def _same_address(name: str, address: str) -> bool:
    try:
        return _address(name) == _address(address)
    except ValueError:
        return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address; one of IPv4 that a socket of IPv6 shows is that of IPv4."""
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address
