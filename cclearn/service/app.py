"""The application: its middleware, its routes and how it answers errors."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

import cclearn
from cclearn.codes import CodeSystem
from cclearn.runtime.loopback import is_loopback
from cclearn.service.access import Access
from cclearn.service.answers import HUNG_UP
from cclearn.service.batching import Batcher
from cclearn.service.hosts import Hosts
from cclearn.service.limits import ServiceSettings
from cclearn.service.metrics import Metrics
from cclearn.service.page_routes import add_page_routes
from cclearn.service.process import Loaded
from cclearn.service.refusal import Refused
from cclearn.service.routes import (
    add_code_route,
    add_code_system_route,
    add_health_route,
    add_metrics_route,
    add_search_route,
    key_check,
)


def make_app(
    settings: ServiceSettings,
    system: CodeSystem,
    loaded: Loaded,
    batcher: Batcher,
    metrics: Metrics,
) -> FastAPI:
    """Return the application.

    Args:
        settings: Settings of the service.
        system: The code system of the coder, in which `/codes` looks up and searches codes.
        loaded: The model and the code system that the workers have loaded.
        batcher: The batcher that hands notes to coders.
        metrics: The metrics that count requests and refusals.
    """
    # Without FastAPI's pages of documentation: they would load scripts from other servers.
    app = FastAPI(
        title="cclearn",
        version=cclearn.__version__,
        description="Assigns ICD codes to clinical notes, with the words that justify each.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    # On loopback, an origin that is allowed by its name only would be every port of this machine.
    names = settings.allow_host + (() if is_loopback(settings.host) else (settings.host,))
    app.add_middleware(Hosts, allowed=names, metrics=metrics)
    app.add_middleware(Access, metrics=metrics)  # The outermost: it counts every request.
    _add_error_handlers(app, metrics)
    check = key_check(settings)
    add_code_route(app, batcher, settings.limits, metrics, check)
    add_search_route(app, system, check)
    add_code_system_route(app, system, check)
    add_health_route(app, batcher, loaded)
    add_metrics_route(app, metrics)
    add_page_routes(app, loaded, settings.key is not None)
    return app


def _add_error_handlers(app: FastAPI, metrics: Metrics) -> None:
    @app.exception_handler(Refused)
    async def refuse(request: Request, refused: Refused) -> Response:
        metrics.refused(refused.reason)
        return JSONResponse({"detail": refused.problem}, refused.status, refused.headers)

    @app.exception_handler(ClientDisconnect)
    async def count_disconnect(request: Request, error: ClientDisconnect) -> Response:
        metrics.refused("hung_up")
        return Response(status_code=HUNG_UP)

    @app.exception_handler(RequestValidationError)
    async def refuse_parameters(request: Request, error: RequestValidationError) -> Response:
        # FastAPI's own response would contain the invalid value.
        problems = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()]
        return JSONResponse({"detail": "\n".join(problems)}, 422)
