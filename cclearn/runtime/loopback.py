"""Names of hosts in URLs and headers, and the addresses that only this machine can reach."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from cclearn.errors import CclearnError

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)

Authority = tuple[str, str | None]
"""A host in lower case, without brackets, and its port if there is one."""


class AnotherMachineError(CclearnError):
    """A connection that must stay on this machine would have gone to another one."""


def host_of(url: str) -> str:
    """Return the host of a URL, or the URL itself if it has no host."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def parse_authority(text: str) -> Authority | None:
    """Return the host and the port of `HOST`, `HOST:PORT` or `[HOST]:PORT`, or None for other text."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return None
    return found[1].strip("[]").removesuffix(".").lower(), found[2]


def is_loopback(host: str) -> bool:
    """Return whether a host is a loopback address or the name `localhost`.

    A name does not decide where a connection goes. `loopback_addresses` resolves it.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def loopback_addresses(host: str) -> list[str]:
    """Return the loopback addresses that a host resolves to, in the resolver's order.

    The list is empty if the host is another machine or cannot be resolved.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    addresses = dict.fromkeys(str(address[0]) for *_, address in found)
    return [address for address in addresses if is_loopback(address)]
