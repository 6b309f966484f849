"""Listening on an address with uvicorn, and stopping."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from cclearn.errors import ConfigurationError
from cclearn.runtime.loopback import is_loopback
from cclearn.service.connections import Connection
from cclearn.service.limits import ServiceSettings, need_of_a_key
from cclearn.service.metrics import Metrics

_BACKLOG = 2_048

_STOP_TIME = 10
"""Seconds beyond the time limit in which responses are still sent when the service stops."""


def configuration(
    app: Callable[..., object], settings: ServiceSettings, metrics: Metrics
) -> uvicorn.Config:
    """Return the configuration of uvicorn for an application.

    Args:
        app: The application.
        settings: Settings of the service.
        metrics: Metrics that count refused connections.
    """
    return uvicorn.Config(
        app,
        http=cast(Any, partial(Connection, limits=settings.limits, metrics=metrics)),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=round(settings.limits.time_limit) + _STOP_TIME,
    )


def listen(settings: ServiceSettings, command: str) -> socket.socket:
    """Return a socket that listens on the address of the settings.

    Args:
        settings: Settings of the service.
        command: Name of the command, for messages.

    Raises:
        ConfigurationError: The address is taken or does not exist, or other machines reach it and there
            is no key.
    """
    host, port = settings.host, settings.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # A name may resolve to an address that other machines reach, even `localhost`.
        if settings.key is None and not is_loopback(str(address[0])):
            raise ConfigurationError([f"{command}: {need_of_a_key(host)}"])
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            [
                f"address (host = {host}, port = {port}): {error.strerror}. Name another with --host"
                " and --port."
            ]
        ) from None


def url_of(listener: socket.socket) -> str:
    """Return the URL of a socket that listens."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """A server that two signals stop: the first lets it finish accepted requests."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop the server. The second signal stops it at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
