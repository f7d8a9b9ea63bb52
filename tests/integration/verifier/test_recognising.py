"""The registry of recognised issuers: signed lists, the operator's own and those of others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from services.verifier.answers import verdict_json
from services.verifier.offline import Given, verify_file
from services.verifier.recognition import recognising
from services.verifier.recognition.recognised_list import (
    ENTRIES_MAX,
    RecognisedIssuer,
    list_document,
    read_list,
)
from services.verifier.recognition.recognising import Operator
from shared import clock
from shared.database import Database
from shared.errors import Conflict, Invalid, NotFound
from shared.keys import EphemeralSigner, OperatorSigner
from shared.proofs.workers import CanonicalWorkers
from shared.sealing import MasterKey
from shared.service import Running
from tests.integration.verifier.conftest import check, stamp, verify
from tests.unit.verifier.credentials import ISSUER, OTHER, Signer, as_bytes, badge

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
NORTH = RecognisedIssuer(ISSUER.did, "North College", SINCE)
SOUTH = RecognisedIssuer(OTHER.did, "South College", SINCE)
BOARD = Signer(9)


@pytest.fixture
def operator() -> Operator:
    signer = EphemeralSigner()
    return Operator(signer.public_key, "the operator of the tests", signer)


@pytest.fixture
def verifier(house: Running) -> Database:
    return house.services[0].database


@pytest.fixture
async def workers() -> AsyncIterator[CanonicalWorkers]:
    async with CanonicalWorkers(1) as started:
        yield started


def boards_list(*issuers: RecognisedIssuer, signer: Signer = BOARD, **members: Any) -> bytes:
    """The list of another operator."""
    at = clock.now() - timedelta(hours=1)
    document: Any = list_document("urn:uuid:1", BOARD.did, "the Board", issuers, at)
    created = stamp(at)
    return as_bytes(signer.sign(document | members, created=created, verificationMethod=signer.method))


async def imported(verifier: Database, workers: CanonicalWorkers, data: bytes) -> None:
    sources = Given(None, None)
    await recognising.import_list(verifier, data, BOARD.did, workers, sources, clock.now())


async def credential_of(client: AsyncClient, signer: Signer = ISSUER) -> dict[str, Any]:
    return await verify(client, signer.sign(badge(signer, credentialStatus=None)))


async def test_a_recognised_issuer_is_named_in_the_verdict_and_no_other(
    client: AsyncClient, verifier: Database, operator: Operator
) -> None:
    await recognising.recognise(verifier, operator, NORTH)
    verdict = await credential_of(client)
    assert verdict["recognitions"] == [
        {"name": "North College", "since": "2026-01-01T00:00:00.000Z", "source": operator.name}
    ]
    assert check(verdict, "issuer recognised")["sentence"] == (
        "The issuer is known as North College since 2026-01-01, according to the operator of the tests."
    )
    stranger = await credential_of(client, OTHER)
    assert (stranger["verdict"], stranger["recognitions"]) == ("valid", [])


async def test_the_latest_word_of_the_operator_counts(
    client: AsyncClient, verifier: Database, operator: Operator
) -> None:
    await recognising.recognise(verifier, operator, SOUTH)
    await recognising.recognise(verifier, operator, NORTH)
    await recognising.recognise(verifier, operator, RecognisedIssuer(ISSUER.did, "North University", SINCE))
    assert [each["name"] for each in (await credential_of(client))["recognitions"]] == ["North University"]
    await recognising.derecognise(verifier, operator, ISSUER.did)
    assert (await credential_of(client))["recognitions"] == []
    assert len((await credential_of(client, OTHER))["recognitions"]) == 1
    with pytest.raises(NotFound):
        await recognising.derecognise(verifier, operator, ISSUER.did)
    await recognising.derecognise(verifier, operator, OTHER.did)
    assert await recognising.kept_issuers(verifier) == []


async def test_the_own_list_is_a_credential_that_any_verifier_takes(
    house: Running, verifier: Database, operator: Operator
) -> None:
    await recognising.recognise(verifier, operator, NORTH)
    listed = (await recognising.exported(verifier, operator.did)).encode()
    verdict = await verify_file(listed, status_list=None, did_document=None, at=clock.now())
    assert verdict_json(verdict)["verdict"] == "valid"
    assert read_list(json.loads(listed)).issuers == (NORTH,)


async def test_the_word_of_another_operator_is_taken_and_forgotten(
    client: AsyncClient, verifier: Database, operator: Operator, workers: CanonicalWorkers
) -> None:
    await recognising.recognise(verifier, operator, NORTH)
    await imported(verifier, workers, boards_list(NORTH, SOUTH))
    assert len((await credential_of(client))["recognitions"]) == 2
    assert (await credential_of(client, OTHER))["recognitions"][0]["source"] == "the Board"
    await recognising.forget_list(verifier, BOARD.did)
    assert (await credential_of(client, OTHER))["recognitions"] == []
    with pytest.raises(NotFound):
        await recognising.forget_list(verifier, BOARD.did)


async def test_a_list_that_is_not_the_named_operators_word_is_refused(
    verifier: Database, workers: CanonicalWorkers
) -> None:
    altered = boards_list(NORTH).replace(ISSUER.did.encode(), OTHER.did.encode(), 1)
    forged = boards_list(NORTH, signer=OTHER)
    others = boards_list(NORTH, signer=OTHER, issuer={"id": OTHER.did, "type": ["Profile"], "name": "X"})
    expired = boards_list(NORTH, validUntil=stamp(clock.now() - timedelta(minutes=30)))
    for data, code in (
        (altered, "recognised-list-unverified"),
        (forged, "recognised-list-unverified"),
        (others, "recognised-list-foreign"),
        (expired, "recognised-list-unverified"),
        (as_bytes(BOARD.sign(badge(BOARD))), "recognised-list-malformed"),
        (b"{", "recognised-list-malformed"),
    ):
        with pytest.raises(Invalid) as refused:
            await imported(verifier, workers, data)
        assert refused.value.code == code
    assert await recognising.kept_issuers(verifier) == []


async def test_an_older_list_does_not_replace_a_newer_one(
    verifier: Database, workers: CanonicalWorkers
) -> None:
    older = boards_list(SOUTH, validFrom=stamp(clock.now() - timedelta(days=1)))
    await imported(verifier, workers, boards_list(NORTH))
    with pytest.raises(Conflict):
        await imported(verifier, workers, older)
    assert [kept.issuer for kept in await recognising.kept_issuers(verifier)] == [NORTH]


async def test_a_list_counts_no_longer_once_it_has_expired(
    client: AsyncClient, verifier: Database, workers: CanonicalWorkers
) -> None:
    await imported(verifier, workers, boards_list(NORTH, validUntil=stamp(clock.now() + timedelta(hours=1))))
    assert len((await credential_of(client))["recognitions"]) == 1
    async with verifier.connection() as connection:
        await connection.execute("UPDATE recognised_list SET valid_until = now()")
    assert (await credential_of(client))["recognitions"] == []


@pytest.mark.parametrize(
    "issuers",
    [
        [NORTH, NORTH],
        [RecognisedIssuer("https://north.example", "North", SINCE)],
        [RecognisedIssuer(ISSUER.method, "North", SINCE)],
        [RecognisedIssuer(ISSUER.did, " ", SINCE)],
        [RecognisedIssuer(ISSUER.did, "N" * 201, SINCE)],
        [RecognisedIssuer(f"did:web:{number}.example", "N", SINCE) for number in range(ENTRIES_MAX + 1)],
    ],
    ids=["twice", "no DID", "a key", "no name", "a long name", "too many"],
)
def test_what_could_not_be_read_is_not_signed(issuers: list[RecognisedIssuer]) -> None:
    with pytest.raises(Invalid):
        list_document("urn:uuid:1", BOARD.did, "the Board", issuers, SINCE)


async def test_the_largest_list_can_be_signed_and_read(verifier: Database, workers: CanonicalWorkers) -> None:
    issuers = [
        RecognisedIssuer(f"did:web:{number}.example", "N" * 200, SINCE) for number in range(ENTRIES_MAX)
    ]
    await imported(verifier, workers, boards_list(*issuers))
    assert len(await recognising.kept_issuers(verifier)) == ENTRIES_MAX


def test_the_operators_key_is_that_of_its_master_key_and_of_no_other() -> None:
    one, same, other = (OperatorSigner.of(MasterKey(bytes([seed]) * 32)) for seed in (1, 1, 2))
    assert one.public_key == same.public_key != other.public_key
    assert one.sign([b"word"]) == same.sign([b"word"])
