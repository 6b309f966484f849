"""Middleware that checks `Host` and `Origin`, so that web pages cannot send requests to the service."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from cclearn.runtime.loopback import is_loopback, parse_authority
from cclearn.service.metrics import Metrics

_KNOWN_HOSTS = 16
"""Number of `Host` headers whose check is cached."""

_ORIGIN = re.compile(r"https?://(.+)", re.IGNORECASE)


class Hosts:
    """Answers 403 to a request whose `Host` or `Origin` is not a name of the service.

    A browser sends the name that a page was loaded from as `Host`, also after that name was changed to
    resolve to this machine (DNS rebinding). `localhost`, loopback addresses and the address that the
    connection came in on are always allowed, because no other site can have them as its name. Their port
    is not compared, so that forwarded ports work. An `Origin` must be the same host and port as `Host`,
    or an allowed name.

    Args:
        app: Application that answers the other requests.
        allowed: Further names, as `NAME` for any port or `NAME:PORT`.
        metrics: Metrics that count refusals.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str], metrics: Metrics) -> None:
        self._app = app
        self._allowed = set(filter(None, map(parse_authority, allowed)))
        self._metrics = metrics
        self._is_known = lru_cache(_KNOWN_HOSTS)(self._names_this_service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        server = scope.get("server") or ("", None)
        problem = None
        if len(hosts) != 1 or not self._is_known(hosts[0], server[0]):
            problem = (
                "Host: it is not a name of this service. Call the service by localhost, by the address"
                " that it listens on, or by a name that was given with --allow-host."
            )
            self._metrics.refused("host")
        elif not all(self._may_call(origin, hosts[0]) for origin in origins):
            problem = (
                "Origin: pages of other sites may not call this service. Allow the site's name with"
                " --allow-host."
            )
            self._metrics.refused("origin")
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"detail": problem}, 403)(scope, receive, send)

    def _names_this_service(self, header: bytes, address: str) -> bool:
        host = parse_authority(header.decode("latin-1"))
        if host is None:
            return False
        name = host[0]
        if is_loopback(name) or not self._allowed.isdisjoint({host, (name, None)}):
            return True
        return _same_address(name, address)

    def _may_call(self, origin: bytes, host: bytes) -> bool:
        found = _ORIGIN.fullmatch(origin.decode("latin-1"))
        caller = parse_authority(found[1]) if found else None
        service = parse_authority(host.decode("latin-1"))
        return caller is not None and (caller == service or caller in self._allowed)


def _same_address(name: str, address: str) -> bool:
    try:
        return _address(name) == _address(address)
    except ValueError:
        return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address. An IPv4 address in the form of an IPv6 socket is returned as IPv4."""
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address
