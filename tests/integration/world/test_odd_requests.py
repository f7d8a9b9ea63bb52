"""What no client would send, in every place of every operation: as a parameter, as a text, as a second key.

Chance makes such requests seldom, so each is made on purpose, for every operation that the world publishes.
Whatever it is, it is the sender's fault and is said to be: never a 5xx, and nothing of it is taken.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import reduce
from typing import Any

import httpx2
import pytest

from services.demo.sample import SLUG
from shared.access import Scope
from shared.http import PROBLEM
from tests.integration.world.conftest import PeopledWorld
from tests.integration.world.operations import Operation, walker
from tests.integration.world.test_fuzzed_operations import UNLIMITED
from tests.integration.world.test_tenants import OPEN_TO_ALL, bodies, ids_of_nobody, key

ODD_PARAMETERS = ("%00", "a%00b", "%ED%A0%80", "%FF", "x" * 10_000, "%0A", "%2F", "..", "%20")
"""As they are sent: NUL, half of a surrogate pair, no UTF-8, very long, and what paths are made of."""
ODD_VALUES = ("a\x00b", "\ud800", float("nan"))
PLACEHOLDER = "stands here twice"

Place = tuple[str | int, ...]


@pytest.fixture
def bus_settings() -> dict[str, str]:
    """No rate limit: one key sends everything."""
    return UNLIMITED


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every place of a body, with what stands there."""
    yield place, value
    if isinstance(value, dict | list):
        for step, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(child, (*place, step))


def within(value: Any, place: Place) -> Any:
    return reduce(lambda inner, step: inner[step], place, value)


def odd_bodies(body: Any) -> Iterator[str]:
    """The body with one thing wrong in one place, for each thing and place."""
    for place, value in leaves(body):
        if place and not isinstance(value, dict | list):
            for odd in ODD_VALUES:
                changed = copy.deepcopy(body)
                within(changed, place[:-1])[place[-1]] = odd
                yield json.dumps(changed)
        if isinstance(value, dict):
            for name in value:
                changed = copy.deepcopy(body)
                within(changed, place)[PLACEHOLDER] = value[name]
                yield json.dumps(changed).replace(json.dumps(PLACEHOLDER), json.dumps(name))


def check_refused(operation: Operation, answer: httpx2.Response, sent: str) -> None:
    """An answer that takes nothing: a problem, or in bulk a row that was rejected with one."""
    told = f"{operation.name} was sent {sent[:400]!a} and said {answer.status_code} {answer.text[:400]}"
    if answer.status_code == 200 and operation.name.endswith("/bulk"):
        (line,) = answer.text.splitlines()
        assert json.loads(line)["problem"]["status"] == 422, told
    else:
        assert answer.status_code in (400, 422), told
        assert answer.headers["Content-Type"] == PROBLEM, told


def targets(operation: Operation) -> Iterator[str]:
    """Addresses of an operation with one odd parameter each."""
    for odd_name, where in operation.parameters:
        for odd in ODD_PARAMETERS:
            path = operation.path
            for name, value in {**ids_of_nobody(), odd_name: odd}.items():
                path = path.replace(f"{{{name}}}", str(value))
            yield path if where == "path" else f"{path}?{odd_name}={odd}"


@pytest.mark.timeout(400)
async def test_no_text_in_the_place_of_a_parameter_breaks_an_operation(world: PeopledWorld) -> None:
    token = (await key(world.installation, SLUG, list(Scope))).token
    await world.settled()
    asked = set()
    async with walker(world.installation, bodies(world)) as walk:
        for operation in await walk.operations(world.installation):
            content = None
            if operation.media_type is not None:
                content = json.dumps(walk.body(operation, ids_of_nobody())).encode()
            for target in targets(operation):
                answer = await walk.send(operation, target, token, content)
                assert answer.status_code < 500, f"{operation.method} {target[:200]}: {answer.text}"
                asked.add(operation.name)
    assert len(asked) >= 20
    assert world.installation.house.problems() == {}


@pytest.mark.timeout(400)
async def test_nothing_that_readers_would_read_differently_is_taken(world: PeopledWorld) -> None:
    token = (await key(world.installation, SLUG, list(Scope))).token
    await world.settled()
    asked = []
    async with walker(world.installation, bodies(world)) as walk:
        for operation in await walk.operations(world.installation):
            if operation.media_type is None or operation.name in OPEN_TO_ALL:
                continue
            values = {**ids_of_nobody(), "achievement_id": world.achievement_id}
            target = operation.path
            for name, _ in operation.parameters:
                target = target.replace(f"{{{name}}}", str(values[name]))
            asked.append(operation.name)
            for sent in odd_bodies(walk.body(operation, values)):
                check_refused(operation, await walk.send(operation, target, token, sent.encode()), sent)
    assert len(asked) >= 6
