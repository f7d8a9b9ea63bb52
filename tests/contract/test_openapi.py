"""The OpenAPI pages are true: keys where they are demanded, errors as they are sent, examples that fit."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from services import SERVICES
from services.configuration import settings_from
from services.starting import built_services
from services.world import world_environment
from shared.access import Scope
from shared.app import public_app, service_app

PORT = 8080
MAIL = {"SMTP_HOST": "127.0.0.1", "MAIL_SENDER": "credentials@example.org"}
PROBLEM_SCHEMA = {"$ref": "#/components/schemas/Problem"}
MISSHAPEN = {"unexpected": 1}


@dataclass(frozen=True)
class Page:
    """The OpenAPI document of an application, and what each operation answers to one without a key."""

    name: str
    document: dict[str, Any]
    keyless: dict[str, httpx2.Response]


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and Operation Object of every operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


async def page_of(name: str, app: Any) -> Page:
    document = app.openapi()
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    keyless = {}
    async with httpx2.AsyncClient(transport=transport, base_url="http://house.example") as client:
        for method, path, operation in operations(document):
            body = {"json": MISSHAPEN} if "requestBody" in operation else {}
            answer = await client.request(method, re.sub(r"\{\w+\}", "no-such-id", path), **body)
            keyless[operation["operationId"]] = answer
    return Page(name, document, keyless)


async def built_pages() -> list[Page]:
    with tempfile.TemporaryDirectory(prefix="microcred-openapi-") as folder:
        async with world_environment(Path(folder), PORT, MAIL, durable=False) as (environment, _):
            settings = {name: settings_from(name, environment) for name in SERVICES}
            async with built_services(settings) as services:
                apps = {service.name: service_app(service) for service in services}
                apps["public"] = public_app(services)
                return [await page_of(name, app) for name, app in apps.items()]


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    """The pages of all services, built on a real PostgreSQL."""
    return asyncio.run(built_pages())


def test_an_operation_has_security_exactly_where_it_demands_a_key(pages: list[Page]) -> None:
    for page in pages:
        for _, _, operation in operations(page.document):
            answer = page.keyless[operation["operationId"]]
            assert ("security" in operation) == (answer.status_code == 401), operation["operationId"]


def test_a_key_is_asked_for_before_a_body_or_an_id_is_looked_at(pages: list[Page]) -> None:
    guarded = [
        page.keyless[operation["operationId"]].json()["code"]
        for page in pages
        for _, _, operation in operations(page.document)
        if "security" in operation
    ]
    assert len(guarded) > 15
    assert set(guarded) == {"key-missing"}


def test_security_names_a_declared_bearer_scheme_and_the_description_names_the_scope(
    pages: list[Page],
) -> None:
    named = set()
    for page in pages:
        for _, _, operation in operations(page.document):
            for requirement in operation.get("security", ()):
                [(scheme, scopes)] = requirement.items()
                declared = page.document["components"]["securitySchemes"][scheme]
                assert (declared["type"], declared["scheme"]) == ("http", "bearer")
                assert re.fullmatch(r"[A-Za-z0-9._-]+", scheme)
                [scope] = scopes
                assert f"`{scope}`" in operation["description"]
                named.add(scope)
    assert named == set(Scope)


def test_every_operation_stands_in_a_section_under_a_summary_of_its_own(pages: list[Page]) -> None:
    for page in pages:
        summaries = [operation["summary"] for _, _, operation in operations(page.document)]
        assert len(set(summaries)) == len(summaries)
        for _, _, operation in operations(page.document):
            (section,) = operation["tags"]
            assert section.islower()
            words = operation["summary"].split()
            assert len(words) == 1 or words[-1].islower(), "made of the function's name by the framework"


def test_the_verifier_asks_nobody_for_a_key(pages: list[Page]) -> None:
    [verifier] = [page for page in pages if page.name == "verifier"]
    assert "securitySchemes" not in verifier.document["components"]
    assert not {answer.status_code for answer in verifier.keyless.values()} & {401, 403}


def test_every_documented_error_is_a_problem_document_and_none_is_the_frameworks(pages: list[Page]) -> None:
    for page in pages:
        assert "ValidationError" not in json.dumps(page.document)
        assert page.document["components"]["schemas"]["Problem"]["required"] == [
            "type",
            "status",
            "code",
            "title",
        ]
        for _, _, operation in operations(page.document):
            errors = {status: each for status, each in operation["responses"].items() if status >= "4"}
            assert errors
            for answer in errors.values():
                assert answer["content"] == {"application/problem+json": {"schema": PROBLEM_SCHEMA}}
                assert answer["description"]


def test_errors_follow_from_what_an_operation_takes(pages: list[Page]) -> None:
    for page in pages:
        for _, path, operation in operations(page.document):
            documented = set(operation["responses"])
            assert "503" in documented
            assert "security" not in operation or documented >= {"401", "403", "429"}
            assert "{" not in path or "404" in documented
            assert "requestBody" not in operation or "413" in documented


def test_what_is_answered_without_a_key_is_documented_and_fits_its_schema(pages: list[Page]) -> None:
    for page in pages:
        check = validator(page.document, PROBLEM_SCHEMA)
        for _, _, operation in operations(page.document):
            answer = page.keyless[operation["operationId"]]
            if answer.status_code < 500:
                assert str(answer.status_code) in operation["responses"], operation["operationId"]
            if answer.status_code >= 400:
                check.validate(answer.json())


def test_at_a_public_address_no_id_is_a_broken_rule(pages: list[Page]) -> None:
    [public] = [page for page in pages if page.name == "public"]
    for _, path, operation in operations(public.document):
        assert public.keyless[operation["operationId"]].status_code != 422, path
        assert "422" not in operation["responses"], path


def test_every_example_of_a_body_fits_the_schema_of_the_body(pages: list[Page]) -> None:
    checked = 0
    for page in pages:
        for _, _, operation in operations(page.document):
            bodies = operation.get("requestBody", {}).get("content", {}).values()
            for media in filter(None, bodies):  # Of a picture or a token the page says no more than its type.
                examples = [each["value"] for each in media.get("examples", {}).values()]
                examples += [media["example"]] if "example" in media else []
                assert examples, f"{operation['operationId']} has no example"
                for example in examples:
                    validator(page.document, media["schema"]).validate(example)
                    checked += 1
    assert checked >= 9


def validator(document: Mapping[str, Any], schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return a validator of a schema that refers to the components of its document."""
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
