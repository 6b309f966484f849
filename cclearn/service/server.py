"""The server: it starts the workers, listens, and finishes accepted requests when it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from uvicorn.loops.auto import auto_loop_factory

from cclearn.codes import CodeSystem
from cclearn.codes.code_info import code_info
from cclearn.service.app import make_app
from cclearn.service.batching import Batcher
from cclearn.service.limits import ServiceSettings
from cclearn.service.listening import Server, configuration, listen, url_of
from cclearn.service.metrics import Metrics
from cclearn.service.workers import Worker

if TYPE_CHECKING:
    from cclearn.coding import Coder

log = logging.getLogger(__name__)

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
        listener = listen(settings, "serve")
        metrics = Metrics()
        batcher = Batcher(workers, settings.limits, metrics, ahead)
        app = make_app(settings, system, loaded, batcher, metrics)
        server = Server(configuration(app, settings, metrics))
        log.info(
            "coding with %s, %s %s, on %s: open it in a browser, or see /docs there",
            *(*loaded, url_of(listener)),
        )
        await server.serve(sockets=[listener])
        await batcher.stop()
        if not server.force_exit:
            patience = _WORKER_STOP_TIME
        return not server.force_exit
    finally:
        for worker in workers:
            worker.stop(patience)
