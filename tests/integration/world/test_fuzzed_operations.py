"""Every operation of every service is sent what its OpenAPI page allows, and what it does not: never a 5xx.

schemathesis makes the requests from the pages that the running installation serves, with a key for
everything, so that they reach past the guard. Answers have to be documented: their status, their media
type, their schema.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import openapi
from schemathesis.checks import Failure, FailureGroup, not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services import SERVICES
from services.demo.sample import SLUG, issuer_settings, sample_issuer
from services.issuer.handlers.api_keys import create_api_key
from services.receivers import Mailbox
from services.world import World, open_world
from shared.access import Scope
from shared.database import Database
from shared.embedded import free_port

EXAMPLES = 16
"""Requests an operation and mode: the whole takes about a minute of CPU."""
ANSWER_WAIT_S = 30
KNOWN_WAIT_S = 60
UNLIMITED = {
    "REQUESTS_PER_SECOND_MAX": "100000",
    "REQUESTS_BURST_MAX": "100000",
    "VERIFICATIONS_PER_SECOND_MAX": "100000",
    "VERIFICATIONS_BURST_MAX": "100000",
    "CANONICAL_PROCESSES": "1",
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
"""What every answer has to pass, as schemathesis calls it."""


async def key_for_everything(installation: World) -> str:
    dsn = issuer_settings(installation.folder).database_url.get_secret_value()
    async with await Database.open(dsn, "issuer", 2) as database:
        return (await create_api_key(database, SLUG, "", list(Scope), 1)).token


def operations(address: str) -> Iterator[schemathesis.APIOperation]:
    """Every operation of the installation, public addresses included."""
    for mount in ("", *(f"/{service}" for service in SERVICES)):
        page = httpx2.get(f"{address}{mount}/openapi.json", trust_env=False).json()
        schema = openapi.from_dict(without_unicode_classes(page))
        schema.config.update(base_url=f"{address}{mount}")
        for found in schema.get_all_operations():
            yield found.ok()


def without_unicode_classes(value: Any) -> Any:
    """The page without the patterns that schemathesis cannot make texts for: it makes any text instead."""
    if isinstance(value, dict):
        return {
            key: without_unicode_classes(item)
            for key, item in value.items()
            if not (key == "pattern" and isinstance(item, str) and r"\p{" in item)
        }
    return [without_unicode_classes(item) for item in value] if isinstance(value, list) else value


@dataclass
class Outcome:
    """How many requests were sent to an operation, and what was amiss with the answers."""

    asked: int = 0
    amiss: list[str] = field(default_factory=list)


def fuzz(operation: schemathesis.APIOperation, token: str) -> Outcome:
    """Send requests of both kinds."""
    outcome = Outcome()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        try:
            sender(operation, mode, token, outcome)()
        except Unsatisfiable:
            continue  # Where any text is allowed, nothing is forbidden.
        except (Failure, FailureGroup) as failure:
            outcome.amiss.append(f"{operation.label}: {failure}")
    return outcome


def sender(
    operation: schemathesis.APIOperation, mode: GenerationMode, token: str, outcome: Outcome
) -> Callable[[], None]:
    """A test of hypothesis that sends requests of one kind to one operation and checks the answers."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {token}"}, timeout=ANSWER_WAIT_S)
        outcome.asked += 1
        case.validate_response(answer, checks=CHECKS)

    return send


def fuzz_all(address: str, token: str) -> dict[str, Outcome]:
    return {operation.label: fuzz(operation, token) for operation in operations(address)}


@pytest.mark.timeout(300)
async def test_no_request_at_all_breaks_a_service(world_folder: Path, tmp_path: Path) -> None:
    async with (
        Mailbox(tmp_path / "mail") as mailbox,
        open_world(world_folder, free_port(), mailbox.settings() | UNLIMITED, durable=False) as installation,
    ):
        await sample_issuer(issuer_settings(installation.folder), installation.folder)
        token = await key_for_everything(installation)
        await installation.settled(KNOWN_WAIT_S)
        outcomes = await asyncio.to_thread(fuzz_all, installation.address, token)
        assert installation.house.problems() == {}
    assert len(outcomes) > 20
    assert all(outcome.asked for outcome in outcomes.values())
    assert not [each for outcome in outcomes.values() for each in outcome.amiss]
