"""HTTP clients that keep restricted text on this machine, for engines that ask a server."""

from __future__ import annotations

import ssl

import httpx2

from cclearn.errors import CclearnError, ConfigurationError, foreign_errors
from cclearn.runtime.loopback import AnotherMachineError, host_of, is_loopback, loopback_addresses


def http_client(
    url: str, *, this_machine_only: bool, timeout: float, connections: int
) -> httpx2.Client:
    """Return a client for the requests to one server.

    No client follows redirects, because a redirect can take a note to another host. The proxies of the
    environment are used only if the server is on another machine by its name and the client may
    reach other machines: a proxy is another machine, even one that listens on loopback.

    Args:
        url: The base URL of the server.
        this_machine_only: Whether the client refuses to connect to any address but loopback.
        timeout: The limit of each step of a request, in seconds.
        connections: The limit on simultaneous connections.

    Raises:
        ConfigurationError: The environment names a proxy that cannot be used.
    """
    uses_environment = not this_machine_only and not is_loopback(host_of(url))
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    with foreign_errors(_unusable_environment):
        if url.lower().startswith("http:") and not uses_environment:
            # No certificate is needed, and none is read. This context trusts no server.
            certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        else:
            # Certificates that the environment names are trusted, even if its proxies are not used.
            certificates = httpx2.create_ssl_context()
        transport = (
            ThisMachineOnly(httpx2.HTTPTransport(verify=certificates, limits=limits))
            if this_machine_only
            else None
        )
        return httpx2.Client(
            transport=transport,
            verify=certificates,
            trust_env=uses_environment,
            limits=limits,
            timeout=timeout,
            follow_redirects=False,
        )


class ThisMachineOnly(httpx2.BaseTransport):
    """Sends requests to loopback addresses only, whatever a name resolves to.

    The host of a request is resolved once, and its name is replaced by the loopback address that was
    found: the connection goes to that address, so that an answer of the resolver which changes in the
    meantime has no effect. The `Host` header and the name that a certificate is checked against stay.

    Args:
        transport: The transport that sends the requests.
    """

    def __init__(self, transport: httpx2.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request.

        Raises:
            AnotherMachineError: The host has no loopback address; nothing was sent.
        """
        host = request.url.host
        refused: httpx2.ConnectError | None = None
        for address in loopback_addresses(host):
            pinned = httpx2.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return self._transport.handle_request(pinned)
            except (
                httpx2.ConnectError
            ) as error:  # A server may listen on one of `::1` and `127.0.0.1`.
                refused = error
        if refused is not None:
            raise refused
        raise AnotherMachineError(f"server (host = {host}): it is not on this machine.")

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()


def _unusable_environment(location: str) -> CclearnError:
    return ConfigurationError(
        [
            f"proxy (environment): it cannot be used ({location}). Correct or unset HTTP_PROXY,"
            " HTTPS_PROXY and ALL_PROXY, and the certificates in SSL_CERT_FILE."
        ]
    )
