"""Whatever is changed in a signed credential or sent instead of one: never accepted, never a crash."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.verifier.domain.judging import judge
from services.verifier.domain.verdict import Result
from services.verifier.examination.examine import Examiner
from services.verifier.offline import Given
from shared.proofs.workers import CanonicalWorkers
from tests.unit.verifier.credentials import AT, ISSUER, JCS, RDFC, as_bytes, badge, status_list

pytestmark = pytest.mark.asyncio(loop_scope="module")

Place = tuple[str | int, ...]
DOCUMENTS = {suite: ISSUER.sign(badge(), suite) for suite in (JCS, RDFC)}

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def examiner() -> AsyncIterator[Examiner]:
    async with CanonicalWorkers(1) as workers:
        yield Examiner(workers)


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, child in children:
        yield (*path, step)
        yield from places(child, (*path, step))


def parent_of(document: Any, place: Place) -> Any:
    for step in place[:-1]:
        document = document[step]
    return document


async def result(examiner: Examiner, data: bytes) -> Result:
    return judge(await examiner.examine(data, Given(status_list(), None)), AT).result


@pytest.mark.parametrize("suite", DOCUMENTS)
async def test_a_credential_without_one_of_its_parts_is_never_valid(suite: str, examiner: Examiner) -> None:
    document = DOCUMENTS[suite]
    assert await result(examiner, as_bytes(document)) is Result.VALID
    kept = []
    for place in places(document):
        mutant = copy.deepcopy(document)
        del parent_of(mutant, place)[place[-1]]
        if await result(examiner, as_bytes(mutant)) is Result.VALID:
            kept.append(place)
    assert kept == []


@settings(max_examples=300, deadline=None)
@given(data=st.data())
async def test_a_credential_with_another_value_anywhere_is_never_valid(
    data: st.DataObject, examiner: Examiner
) -> None:
    document = DOCUMENTS[JCS]
    place = data.draw(st.sampled_from(list(places(document))))
    value = data.draw(values)
    mutant = copy.deepcopy(document)
    parent_of(mutant, place)[place[-1]] = value
    if mutant != document:
        assert await result(examiner, as_bytes(mutant)) is not Result.VALID


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200) | values.map(as_bytes))
@example(data=b'{"verifiableCredential": {"verifiableCredential": {}}}')
async def test_anything_that_is_no_credential_is_invalid(data: bytes, examiner: Examiner) -> None:
    assert await result(examiner, data) is Result.INVALID
