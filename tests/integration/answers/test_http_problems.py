"""Whatever goes wrong, the answer is a problem document (RFC 9457) that quotes nothing of what was sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import structlog

from shared import errors, telemetry
from shared.refusals import REASONS_MAX
from tests.integration.answers.answering import CANARY, FAMILIES, problem_of


@pytest.mark.parametrize("family", FAMILIES)
async def test_each_family_of_errors_has_its_status_and_problem_document(
    client: httpx2.AsyncClient, family: str
) -> None:
    error, status, code = FAMILIES[family]
    answer = await client.get(f"/issuer/raise/{family}")
    fields = problem_of(answer)
    assert (answer.status_code, fields["code"]) == (status, code)
    assert fields.get("reasons", []) == list(getattr(error, "reasons", ()))
    assert ("retry-after" in answer.headers) == isinstance(error, errors.Unavailable)
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert CANARY not in answer.text


async def test_retry_after_is_whole_seconds_and_never_too_short(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/issuer/raise/too-many")).headers["retry-after"] == "13"
    assert (await client.get("/issuer/raise/unavailable")).headers["retry-after"] == "1"


def test_every_family_is_tested() -> None:
    families: set[type[errors.MicrocredError]] = set()
    left = [errors.MicrocredError]
    while left:
        each = left.pop()
        finer = [family for family in each.__subclasses__() if family.__module__ == errors.__name__]
        left += finer
        if not finer:
            families.add(each)
    assert families == {type(error) for error, _, _ in FAMILIES.values()} - {errors.Unavailable}


@contextmanager
def logging_as_a_service_does() -> Iterator[None]:
    """Log JSON lines to standard error until the block ends."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    telemetry.configure_logging()
    try:
        yield
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)


async def test_a_bug_answers_500_and_neither_the_answer_nor_the_log_quotes_it(
    client: httpx2.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_as_a_service_does():
        answer = await client.get("/issuer/bug", headers={"X-Correlation-Id": "trace-me"})
    assert (answer.status_code, problem_of(answer)["code"]) == (500, "internal")
    logged = capsys.readouterr().err
    assert CANARY not in answer.text + logged
    assert "ValueError" in logged
    assert "trace-me" in logged


async def test_what_is_not_served_is_logged_by_template_and_never_by_what_a_caller_chose(
    client: httpx2.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_as_a_service_does():
        answer = await client.get(f"/issuer/away/{CANARY}")
    assert problem_of(answer)["status"] == 503
    logged = capsys.readouterr().err
    assert CANARY not in logged
    assert "issuer/away/{thing_id}" in logged


@pytest.mark.parametrize(("family", "level"), [("not-yet", "info"), ("unavailable", "warning")])
async def test_what_is_on_its_way_is_no_warning_to_an_operator(
    client: httpx2.AsyncClient, capsys: pytest.CaptureFixture[str], family: str, level: str
) -> None:
    with logging_as_a_service_does():
        await client.get(f"/issuer/raise/{family}")
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "request not served" in each]
    assert json.loads(line)["level"] == level


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/issuer/nowhere", 404, "address-unknown"),
        ("GET", "/nowhere", 404, "address-unknown"),
        ("DELETE", "/issuer/bug", 405, "method-not-allowed"),
        ("POST", "/health/live", 405, "method-not-allowed"),
    ],
)
async def test_what_the_framework_refuses_is_a_problem_document_too(
    client: httpx2.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, problem_of(answer)["code"]) == (status, code)


WRONG: dict[str, Any] = {
    "identity": CANARY,
    "number": CANARY,
    "share": CANARY,
    "truth": CANARY,
    "moment": CANARY,
    "day": CANARY,
    "length": CANARY,
    "colour": CANARY,
    "pet": {"kind": CANARY},
    "parts": [{"name": CANARY}, {CANARY: CANARY}, {"name": "ok", f"{CANARY} <b>": 1}],
    CANARY: CANARY,
}


async def test_a_validation_error_names_fields_and_rules_and_quotes_nothing(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.post("/issuer/whole", json=WRONG)
    fields = problem_of(answer)
    assert (answer.status_code, fields["code"]) == (422, "request-invalid")
    assert CANARY not in answer.text
    named = {reason.split()[0].rstrip(":") for reason in fields["reasons"]}
    assert {"body.identity", "body.number", "body.colour", "body.parts.0.name", "body.parts.1.name"} <= named
    assert {"body.…", "body.parts.1.…", "body.parts.2.…"} <= named


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": ' + CANARY.encode(), b"\xff\xfe", b"[" * 5_000, b"null"])
async def test_a_body_that_cannot_be_read_is_refused_without_being_quoted(
    client: httpx2.AsyncClient, body: bytes
) -> None:
    answer = await client.post("/issuer/whole", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    problem_of(answer)
    assert CANARY not in answer.text


async def test_the_reasons_of_one_answer_are_bounded(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/issuer/whole", json={"parts": [{"name": 1}] * 1_000})
    assert len(problem_of(answer)["reasons"]) == REASONS_MAX
