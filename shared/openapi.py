"""What the OpenAPI pages say besides what FastAPI knows: needed scopes, and errors as they are really sent.

FastAPI documents a validation error of its own form, which no service ever answers, and nothing of keys,
rates and limits. Which errors an operation has follows from its shape: a key, a body, an id in its path.
Routes declare only what cannot be seen in that, such as a conflict.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from shared.http import PROBLEM

METHODS = frozenset({"get", "put", "post", "delete", "patch"})
OPEN_VALUES = ({"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "null"}]})
"""Schemas of parameters that take any text at all."""

REASONS: Mapping[str, str] = {
    "400": "The body cannot be read.",
    "401": "No API key, or one that is unknown, expired or revoked.",
    "403": "The API key lacks the scope.",
    "404": "There is no such thing for this caller.",
    "406": "It was not made in the form that was asked for.",
    "409": "It contradicts what is recorded.",
    "410": "It was there and was forgotten.",
    "413": "The body is larger than is taken.",
    "415": "The body's media type is not read here; `title` says what to send.",
    "422": "What was sent breaks a rule; `reasons` name the fields, never their content.",
    "429": "The rate limit is used up.",
    "503": "Not the request's fault: the same request works later.",
}
RETRY_AFTER = {
    "Retry-After": {"description": "Whole seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
}
HEADERS: Mapping[str, dict[str, Any]] = {
    "401": {"WWW-Authenticate": {"description": "Always `Bearer`.", "schema": {"type": "string"}}},
    "429": RETRY_AFTER,
    "503": RETRY_AFTER,
}


class Problem(BaseModel):
    """Why a request was not served (RFC 9457)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "type": "urn:microcred:problem:request-invalid",
                "status": 422,
                "code": "request-invalid",
                "title": "The request is malformed.",
                "reasons": ["body.learner.email is not an e-mail address"],
            }
        },
    )

    type: str = Field(pattern="^urn:microcred:problem:[a-z0-9-]+$", description="The code, as a URI.")
    status: int = Field(ge=400, le=599, description="The HTTP status.")
    code: str = Field(pattern="^[a-z0-9-]+$", description="The problem's name, for programs.")
    title: str = Field(description="The problem in a sentence, for people.")
    reasons: list[str] = Field(
        default=[], description="One sentence for each broken rule; absent where there is one rule alone."
    )


def document_errors(app: FastAPI) -> None:
    """Make the OpenAPI document of `app`, whose routes are complete, name scopes and problem documents."""
    app.openapi = functools.cache(  # type: ignore[method-assign]
        functools.partial(_documented, app.openapi)
    )


def _documented(generate: Any) -> dict[str, Any]:
    document: dict[str, Any] = generate()
    for path, operation in operations(document):
        for scope in _scopes(operation):
            told = operation.get("description", "")
            operation["description"] = f"{told}\n\nDemands an API key with the scope `{scope}`.".lstrip()
        responses = operation["responses"]
        statuses = _statuses(path, operation) | {each for each in responses if each >= "4"}
        if not _may_break_a_rule(operation) and _made_by_fastapi(responses.get("422")):
            statuses.discard("422")
        kept = {status: answer for status, answer in responses.items() if status < "4"}
        operation["responses"] = kept | {
            status: _problem(status, responses.get(status, {})) for status in sorted(statuses)
        }
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = Problem.model_json_schema()
    return document


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and the Operation Object of every operation in an OpenAPI document."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, operation


def _scopes(operation: Mapping[str, Any]) -> list[str]:
    return [scope for each in operation.get("security", ()) for scopes in each.values() for scope in scopes]


def _statuses(path: str, operation: Mapping[str, Any]) -> set[str]:
    """The errors that follow from an operation's shape."""
    found = {"503"}
    if "security" in operation:
        found |= {"401", "403", "429"}
    if "{" in path:
        found.add("404")
    if "requestBody" in operation:
        found.add("413")
        if "security" in operation:  # What is open to all takes whatever comes.
            found.add("415")
        if _made_by_fastapi(operation["responses"].get("422")):  # The framework reads the body, as JSON.
            found.add("400")
    return found


def _may_break_a_rule(operation: Mapping[str, Any]) -> bool:
    """Whether there is anything to validate: a body, or a parameter that does not take any text.

    What is open to all answers 404 to an id of any form that it does not know (shared/public_route.py).
    """
    return "requestBody" in operation or any(
        (parameter["required"] and parameter["in"] != "path") or not _takes_any_text(parameter["schema"])
        for parameter in operation.get("parameters", ())
        if "security" in operation or parameter["in"] != "path"
    )


def _takes_any_text(schema: Mapping[str, Any]) -> bool:
    return {key: value for key, value in schema.items() if key not in {"title", "description"}} in OPEN_VALUES


def _made_by_fastapi(answer: Mapping[str, Any] | None) -> bool:
    return answer is not None and "application/json" in answer.get("content", {})


def _problem(status: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Response Object of an error, described as declared or in our words."""
    told = None if _made_by_fastapi(declared) else declared.get("description")
    answer: dict[str, Any] = {
        "description": told or REASONS[status],
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in HEADERS:
        answer["headers"] = HEADERS[status]
    return answer
