"""HTTP manners, once for all services: problem documents (RFC 9457), correlation, limits.

The error families of shared/errors.py become status codes here and nowhere else. What a stranger reads are
the constants of those errors; a validation error names fields, never what was sent.
"""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections.abc import Callable
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import errors, telemetry, trace_context
from shared.clock import ordered_uuid
from shared.refusals import reasons_of

PROBLEM = "application/problem+json"
BODY_BYTES_MAX = 1 << 20
CORRELATION_HEADER = "X-Correlation-Id"
CORRELATION = re.compile(r"[A-Za-z0-9._:-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LENGTH = re.compile(r"[0-9]{1,18}")
IPV6_NETWORK_BITS = 64

STATUS: tuple[tuple[type[errors.MicrocredError], int], ...] = (
    (errors.Invalid, 422),
    (errors.Malformed, 400),
    (errors.Conflict, 409),
    (errors.NotFound, 404),
    (errors.Gone, 410),
    (errors.Unauthenticated, 401),
    (errors.Forbidden, 403),
    (errors.Oversized, 413),
    (errors.UnreadMedia, 415),
    (errors.Unacceptable, 406),
    (errors.TooMany, 429),
    (errors.Unavailable, 503),
    (errors.StaleStream, 503),
)

HTTP_CODES = {
    400: "request-unreadable",
    404: "address-unknown",
    405: "method-not-allowed",
    413: "body-too-large",
}
"""Codes of what the framework refuses before a service sees it."""

logger = structlog.get_logger(__name__)


def status_of(error: errors.MicrocredError) -> int:
    """Return the HTTP status of an error family."""
    return next((status for family, status in STATUS if isinstance(error, family)), 500)


def problem_fields(error: errors.MicrocredError) -> dict[str, Any]:
    """Return the members of the problem document (RFC 9457 §3.1) for an error."""
    status = status_of(error)
    if isinstance(error, errors.Rejected):
        fields: dict[str, Any] = {"code": error.code, "title": error.message}
        if error.reasons:
            fields["reasons"] = list(error.reasons)
    elif isinstance(error, errors.Unavailable):
        code = "too-many-requests" if status == 429 else "unavailable"
        fields = {"code": code, "title": error.message}
    else:
        fields = {"code": "unavailable", "title": "Others wrote at the same time; send again."}
    return {"type": f"urn:microcred:problem:{fields['code']}", "status": status, **fields}


def problem(fields: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer with a problem document."""
    return JSONResponse(fields, status_code=fields["status"], headers=headers, media_type=PROBLEM)


def install_errors(app: FastAPI) -> None:
    """Make `app` answer every error with a problem document."""

    @app.exception_handler(errors.MicrocredError)
    async def _known(request: Request, error: errors.MicrocredError) -> JSONResponse:
        headers = {}
        if isinstance(error, errors.Unavailable):
            headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
        if isinstance(error, errors.Unauthenticated):
            headers["WWW-Authenticate"] = "Bearer"
        if status_of(error) >= 500:
            # The template alone: an id in the path may be a person's name to whoever chose it.
            tell = logger.info if isinstance(error, errors.NotYet) else logger.warning
            tell("request not served", route="".join(_route(request.scope)), problem=str(error))
        return problem(problem_fields(error), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        reasons = reasons_of(error.errors())
        return problem(
            problem_fields(errors.Invalid("request-invalid", "The request is malformed.", reasons))
        )

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = HTTP_CODES.get(error.status_code, "http-error")
        fields = {
            "type": f"urn:microcred:problem:{code}",
            "status": error.status_code,
            "code": code,
            "title": str(error.detail),
        }
        return problem(fields, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> JSONResponse:
        logger.error("request failed", error=telemetry.safe_traceback(error))
        fields = {
            "type": "urn:microcred:problem:internal",
            "status": 500,
            "code": "internal",
            "title": "The request failed for a fault of the service; the log has the details.",
        }
        return problem(fields)


def client_of(request: Request) -> str:
    """The address that a rate limit counts: an IPv4 address, or the network of an IPv6 one.

    A household has 2^64 IPv6 addresses; counted one by one they would know no limit.
    """
    host = request.client.host if request.client is not None else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
    return host


class Envelope:
    """Outermost ASGI layer: correlation id, trace, body limit, request metrics.

    `body_bytes_max` gives the limit of a path; past it the request ends with 413, however it was sent.
    """

    def __init__(self, app: ASGIApp, body_bytes_max: Callable[[str], int]) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get(CORRELATION_HEADER.lower(), "")
        correlation = given if CORRELATION.fullmatch(given) else str(ordered_uuid())
        token = telemetry.correlation.set(correlation)
        trace = trace_context.current.set(trace_context.entered(headers.get("traceparent", "")))
        began = time.monotonic()
        status = 500

        async def send_with_correlation(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (CORRELATION_HEADER.lower().encode(), correlation.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, self._bounded(scope["path"], headers, receive), send_with_correlation)
        finally:
            telemetry.correlation.reset(token)
            trace_context.current.reset(trace)
            service, route = _route(scope)
            method = scope["method"] if scope["method"] in METHODS else "other"
            telemetry.REQUESTS.labels(service, method, route, str(status)).inc()
            telemetry.REQUEST_SECONDS.labels(service, route).observe(time.monotonic() - began)
        return None

    def _bounded(self, path: str, headers: dict[str, str], receive: Receive) -> Receive:
        limit = self._body_bytes_max(path)
        given = headers.get("content-length", "")
        declared = int(given) if LENGTH.fullmatch(given) else 0
        taken = 0

        async def receive_bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if max(taken, declared) > limit:
                # An HTTPException, since FastAPI turns any other error while reading a body into 400.
                raise HTTPException(413, f"The body may hold {limit} bytes at most.")
            return message

        return receive_bounded


def _route(scope: Scope) -> tuple[str, str]:
    route = scope.get("route")
    template = getattr(route, "path", "unmatched")
    return scope.get("root_path", "").strip("/") or "public", template
