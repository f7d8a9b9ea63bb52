"""The HTTP application of a process: services by name, signed addresses at the root, health, metrics.

`/` lists the pages of documentation; `/{service}/docs` are OpenAPI pages that need no other host, and
`/{service}` leads there.
`/health/live` says that the process runs, `/health/ready` that it can work; all are open and tell nothing
about anyone.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp

from shared.front_page import front_page, leading
from shared.http import BODY_BYTES_MAX, Envelope, install_errors
from shared.openapi import document_errors
from shared.service import Running, Service

KEEP_ALIVE_S = 30
STOP_TAKING_WAIT_S = 5
START_WAIT_S = 20.0
VERSION = "1"


def service_app(service: Service) -> FastAPI:
    """Return the application of one service, with its OpenAPI pages."""
    app = FastAPIOffline(
        title=f"microcred {service.name}",
        version=VERSION,
        description="Errors are problem documents (RFC 9457). API keys go into `Authorization: Bearer mc_…`.",
        redoc_url=None,
        swagger_ui_parameters={"persistAuthorization": True},
    )
    install_errors(app)
    app.include_router(service.api)
    app.include_router(leading("/", "docs"))
    document_errors(app)
    return app


def public_app(services: Sequence[Service]) -> FastAPI:
    """Return the application of the addresses that stand in signed documents."""
    app = FastAPIOffline(title="microcred public addresses", version=VERSION, redoc_url=None)
    install_errors(app)
    for service in services:
        app.include_router(service.public)
    document_errors(app)
    return app


def application(house: Running) -> ASGIApp:
    """Return everything this process answers."""
    root = public_app(house.services)

    @root.get("/health/live", include_in_schema=False)
    async def live() -> JSONResponse:
        return JSONResponse({"status": "live"})

    @root.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        problems = house.problems()
        if house.draining or house.stopping:
            problems["process"] = "stopping"
        status = "not ready" if problems else "ready"
        return JSONResponse({"status": status, "problems": problems}, status_code=503 if problems else 200)

    @root.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    root.include_router(front_page([service.name for service in house.services]))
    limits: dict[str, int] = {}
    for service in house.services:
        root.mount(f"/{service.name}", service_app(service))
        limits |= {f"/{service.name}{path}": limit for path, limit in service.body_bytes_max.items()}
    return Envelope(root, lambda path: limits.get(path, BODY_BYTES_MAX))


@asynccontextmanager
async def listening(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serve `app` until the block ends; yields its address. Raises OSError if the port is taken."""
    # asyncio sends small pieces at once (TCP_NODELAY) only where the socket names its protocol; without it an
    # answer on a kept connection waits 40 ms for its own head to be acknowledged.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TAKING_WAIT_S,
        server_header=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        async with asyncio.timeout(START_WAIT_S):
            while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn offers no event
                await asyncio.sleep(0.01)
        if task.done():
            await task
            raise OSError(f"The HTTP server on port {port} ended as soon as it had begun.")
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        listener.close()


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to the program around it."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
