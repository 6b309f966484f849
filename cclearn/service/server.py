"""The server: it starts the workers, listens, and finishes accepted requests when it stops."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.loops.auto import auto_loop_factory

from cclearn.codes import CodeSystem
from cclearn.codes.code_info import code_info
from cclearn.errors import ConfigurationError
from cclearn.runtime.loopback import is_loopback
from cclearn.service.app import make_app
from cclearn.service.batching import Batcher
from cclearn.service.connections import Connection
from cclearn.service.limits import ServiceSettings, need_of_a_key
from cclearn.service.metrics import Metrics
from cclearn.service.workers import Worker

if TYPE_CHECKING:
    from cclearn.coding import Coder

log = logging.getLogger(__name__)

_BACKLOG = 2_048

_STOP_TIME = 10
"""Seconds beyond the time limit in which responses are still sent when the service stops."""

_WORKER_STOP_TIME = 5.0
"""Seconds in which an idle worker ends by itself."""


def serve(
    load: Callable[[], Coder],
    system: CodeSystem,
    settings: ServiceSettings,
    ahead: bool,
) -> bool:
    """Serve until a signal stops the service, and finish the accepted requests.

    Args:
        load: Function that loads a coder. It is pickled and called in each worker.
        system: Code system of the coder.
        settings: Settings of the service.
        ahead: Whether a worker is handed the next batch while it codes one.

    Returns:
        Whether all accepted requests were finished. A second signal stops the service at once.

    Raises:
        CclearnError: The coder cannot be loaded, or the service cannot listen on the address.
    """
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        return runner.run(_serve(load, system, settings, ahead))


async def _serve(
    load: Callable[[], Coder], system: CodeSystem, settings: ServiceSettings, ahead: bool
) -> bool:
    # A batch may have begun at the end of the time limit of the one before it.
    workers = [Worker(load, 2 * settings.limits.time_limit) for _ in range(settings.workers)]
    patience = 0.0
    try:
        for worker in workers:
            loaded = await worker.start()
        # Otherwise the first client waits until the tables are read.
        code_info(system, system.billable_codes()[0])
        listener = _listen(settings)
        metrics = Metrics()
        batcher = Batcher(workers, settings.limits, metrics, ahead)
        app = make_app(settings, system, loaded, batcher, metrics)
        server = _Server(_configuration(app, settings, metrics))
        log.info(
            "coding with %s, %s %s, on %s: open it in a browser, or see /docs there",
            *(*loaded, _url(listener)),
        )
        await server.serve(sockets=[listener])
        await batcher.stop()
        if not server.force_exit:
            patience = _WORKER_STOP_TIME
        return not server.force_exit
    finally:
        for worker in workers:
            worker.stop(patience)


def _configuration(
    app: Callable[..., object], settings: ServiceSettings, metrics: Metrics
) -> uvicorn.Config:
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


def _listen(settings: ServiceSettings) -> socket.socket:
    host, port = settings.host, settings.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # A name may resolve to an address that other machines reach, even `localhost`.
        if settings.key is None and not is_loopback(str(address[0])):
            raise ConfigurationError([f"serve: {need_of_a_key(host)}"])
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            [
                f"address (host = {host}, port = {port}): {error.strerror}. Name another with --host"
                " and --port."
            ]
        ) from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop the server. The second signal stops it at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
