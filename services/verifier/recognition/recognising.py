"""What an operator does with the lists of recognised issuers: keep an own one, import those of others.

The own list is signed anew with each change, by a key that is not the verifier's: the caller brings it. A
list of somebody else counts only after its signature was checked like that of any credential, for the
operator whom the caller named, and never in place of a newer one. The running service reads the tables at
each verification.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.verifier.domain.document_rules import document_checks
from services.verifier.domain.facts import Objection, Outcome
from services.verifier.examination.reading import parse, read
from services.verifier.examination.signed import document_facts
from services.verifier.examination.sources import Sources
from services.verifier.recognition import recognised_store as store
from services.verifier.recognition.recognised_list import (
    RecognisedIssuer,
    RecognisedList,
    list_document,
    read_list,
)
from services.verifier.recognition.recognised_store import KeptIssuer
from shared import clock
from shared.database import Database
from shared.errors import Conflict, Invalid, NotFound
from shared.proofs import dataintegrity, didkey
from shared.proofs.allowance import Allowance
from shared.proofs.public_keys import PublicKey
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import SUITES
from shared.proofs.suites.eddsa_rdfc_2022 import EddsaRdfc2022
from shared.proofs.suites.signatures import MessageSigner
from shared.proofs.workers import CanonicalWorkers


@dataclass(frozen=True, slots=True)
class Operator:
    """Who signs the own list: its public key, a name for people, and the signer."""

    public_key: PublicKey
    name: str
    signer: MessageSigner

    @property
    def did(self) -> str:
        return didkey.did(self.public_key)


async def recognise(database: Database, operator: Operator, issuer: RecognisedIssuer) -> None:
    """Put an issuer on the operator's own list, in place of what that said of it before."""

    def with_issuer(issuers: Sequence[RecognisedIssuer]) -> list[RecognisedIssuer]:
        return [*(each for each in issuers if each.did != issuer.did), issuer]

    await _change(database, operator, with_issuer)


async def derecognise(database: Database, operator: Operator, did: str) -> None:
    """Take an issuer off the operator's own list. Raises NotFound if it is not there."""

    def without_issuer(issuers: Sequence[RecognisedIssuer]) -> list[RecognisedIssuer]:
        left = [each for each in issuers if each.did != did]
        if len(left) == len(issuers):
            raise NotFound("issuer-not-recognised", "The list of this operator does not name that issuer.")
        return left

    await _change(database, operator, without_issuer)


async def import_list(
    database: Database,
    data: bytes,
    operator: str,
    workers: CanonicalWorkers,
    sources: Sources,
    at: datetime,
) -> RecognisedList:
    """Keep the list of another operator, in place of its former one.

    `operator` is the DID of whose word the caller means to take. Raises Invalid if the list is not that
    operator's or does not verify at `at`, and Conflict if a newer one is kept.
    """
    listed = await _verified(data, workers, sources, at)
    if listed.operator != operator:
        raise Invalid("recognised-list-foreign", "The list was signed by another operator than was named.")
    async with database.session() as session:
        await store.one_at_a_time(session.connection)
        kept = await store.valid_from(session.connection, operator)
        if kept is not None and kept > listed.valid_from:
            raise Conflict("recognised-list-older", "A newer list of this operator is kept already.")
        await store.replace_list(session.connection, listed, data.decode())
    return listed


async def forget_list(database: Database, operator: str) -> None:
    """Stop taking the word of an operator. Raises NotFound if no list of theirs is kept."""
    async with database.session() as session:
        if not await store.forget_list(session.connection, operator):
            raise NotFound("recognised-list-unknown", "No list of this operator is kept.")


async def exported(database: Database, operator: str) -> str:
    """The operator's list as it was signed. Raises NotFound."""
    async with database.connection() as connection:
        credential = await store.credential_of(connection, operator)
    if credential is None:
        raise NotFound("recognised-list-unknown", "No list of this operator is kept.")
    return credential


async def kept_issuers(database: Database) -> list[KeptIssuer]:
    """Every entry of every list."""
    async with database.connection() as connection:
        return await store.all_kept(connection)


async def _change(
    database: Database,
    operator: Operator,
    change: Callable[[Sequence[RecognisedIssuer]], list[RecognisedIssuer]],
) -> None:
    async with database.session() as session:
        await store.one_at_a_time(session.connection)
        kept = await store.all_kept(session.connection)
        issuers = change([each.issuer for each in kept if each.operator == operator.did])
        if not issuers:
            await store.forget_list(session.connection, operator.did)
            return
        document = _signed(operator, issuers, session.at)
        await store.replace_list(session.connection, read_list(document), json.dumps(document))


def _signed(operator: Operator, issuers: Sequence[RecognisedIssuer], at: datetime) -> JsonObject:
    identifier = clock.ordered_uuid().urn
    document = list_document(identifier, operator.did, operator.name, issuers, at)
    config = dataintegrity.proof_config(
        document,
        cryptosuite=EddsaRdfc2022.cryptosuite,
        proof_id=clock.ordered_uuid().urn,
        verification_method=didkey.verification_method_id(operator.did),
        created=str(document["validFrom"]),
    )
    suite = SUITES[EddsaRdfc2022.cryptosuite]
    (signature,) = suite.sign(operator.signer, [suite.hash_data(document, config)])
    return dataintegrity.with_proof(document, config, signature)


async def _verified(data: bytes, workers: CanonicalWorkers, sources: Sources, at: datetime) -> RecognisedList:
    value = parse(data)
    if isinstance(value, Objection):
        raise Invalid("recognised-list-malformed", "The list cannot be read.", (value.sentence,))
    reading = await read(value, Allowance(workers))
    checks = document_checks(await document_facts(reading, sources), at)
    amiss = tuple(check.sentence for check in checks if check.outcome is not Outcome.PASSED)
    if amiss:
        raise Invalid("recognised-list-unverified", "The list does not verify.", amiss[:1])
    return read_list(reading.document)
