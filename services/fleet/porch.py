"""What the port in front answers itself: where the services describe themselves, whether all are ready."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from services import SERVICES
from services.fleet.fleet import Fleet
from shared.front_page import front_page
from shared.http import install_errors


def porch(fleet: Fleet) -> ASGIApp:
    """Return the application of `/` and `/health` for all processes together."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    install_errors(app)
    app.include_router(front_page(list(SERVICES)))

    @app.get("/health/live")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "live"})

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        problems = await fleet.problems()
        status = "not ready" if problems else "ready"
        return JSONResponse({"status": status, "problems": problems}, status_code=503 if problems else 200)

    return app
