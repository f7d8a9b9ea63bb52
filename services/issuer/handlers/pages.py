"""What stands at the public addresses of credentials, achievements and issuers.

A credential is not stored as a document: it is rendered from its intent, its holes and its proofs, and only
served if the bytes have the SHA-256 that was recorded when it was signed. A drifted document would not
verify, and would be a lie about what was signed: it is never served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from services.issuer import domain, store
from services.issuer.documents.achievement import achievement_page
from services.issuer.documents.addresses import Addresses
from services.issuer.documents.credential import CredentialFacts, render_credential
from services.issuer.documents.issuers import ListedKey, did_document, profile_page
from services.issuer.documents.signed import digest, document_bytes, reassembled
from services.issuer.documents.tokens import token_bytes, token_to_sign
from services.issuer.handlers.rendering import Rendering
from shared.contracts.credentials import CredentialIssued, CredentialSigned, TokenForm
from shared.database import Database
from shared.errors import Gone, NotFound, NotYet
from shared.eventstore import log
from shared.proofs import multikey

UNSIGNED_RETRY_AFTER_S = 2.0

logger = structlog.get_logger(__name__)


class DriftError(Exception):
    """A rendered document is not the one that was signed: a renderer was changed. Never serve it."""


class Pages:
    """Holds what showing depends on."""

    def __init__(self, database: Database, addresses: Addresses, rendering: Rendering) -> None:
        self._database = database
        self._addresses = addresses
        self._rendering = rendering

    async def credential(self, credential_id: str) -> SignedCredential:
        """Return the signed credential, byte-identical for ever, revoked or not.

        Raises NotFound, Gone after erasure or when it was withdrawn before it was signed, NotYet while
        it is not signed yet.
        """
        async with self._database.connection() as connection:
            row = await store.credential_at_address(connection, credential_id)
            if row is None:
                raise NotFound("credential-unknown", "There is no credential at this address.")
            key = (row.issuer_id, f"{CredentialIssued.STREAM}-{credential_id}")
            history = (await log.load(connection, [key]))[key]
        state = domain.credential_of(recorded.event for recorded in history)
        if state is None:
            raise NotFound("credential-unknown", "There is no credential at this address.")
        intent = (row.issuer_id, state.issued)
        (holes,) = await self._rendering.open([intent])
        if holes is None:
            raise Gone("credential-erased", "This credential was erased at its learner's wish.")
        if state.signed is None:
            if state.revoked is not None:
                raise Gone("credential-withdrawn", "This credential was withdrawn before it was signed.")
            raise NotYet("This credential is being signed.", UNSIGNED_RETRY_AFTER_S)
        token_keys = {(row.issuer_id, token.key_id) for token in state.signed.tokens}
        async with self._database.connection() as connection:
            (facts,) = await self._rendering.facts(connection, [(intent, holes)])
            keys = await store.public_keys(connection, token_keys) if token_keys else {}
        texts = {key_id: key.public_key_multibase for (_, key_id), key in keys.items()}
        return SignedCredential(facts, state.signed, texts)

    async def achievement(self, achievement_id: str, version: int) -> bytes:
        """Return the document of an achievement's version. Raises NotFound."""
        async with self._database.connection() as connection:
            definition = await store.achievement_at_address(connection, achievement_id, version)
        if definition is None:
            raise NotFound("achievement-unknown", "There is no achievement at this address.")
        return document_bytes(achievement_page(self._addresses, achievement_id, version, definition))

    async def profile(self, slug: str) -> bytes:
        """Return the newest profile of an issuer. Raises NotFound."""
        async with self._database.connection() as connection:
            newest = await store.newest_profile(connection, slug)
        if newest is None:
            raise NotFound("issuer-unknown", "There is no issuer at this address.")
        return document_bytes(profile_page(self._addresses, slug, *newest))

    async def did(self, slug: str) -> bytes:
        """Return an issuer's DID document, with every key that it ever published. Raises NotFound."""
        async with self._database.connection() as connection:
            newest = await store.newest_profile(connection, slug)
            keys = (await store.published_keys(connection, [slug]))[slug]
        if newest is None:
            raise NotFound("issuer-unknown", "There is no issuer at this address.")
        listed = [
            ListedKey(
                multikey.key_of_text(key.public_key_multibase),
                key.ends_at if key.retired_as == "compromised" else None,
            )
            for key in keys
        ]
        return document_bytes(did_document(newest[0], listed))


@dataclass(frozen=True, slots=True)
class SignedCredential:
    """A credential in every form in which it was made; `keys` are those of its tokens, by id.

    Both forms raise DriftError unless they are byte for byte what was signed.
    """

    facts: CredentialFacts
    signed: CredentialSigned
    keys: Mapping[str, str]

    @property
    def token_forms(self) -> list[TokenForm]:
        """The forms of its tokens."""
        return [made.form for made in self.signed.tokens]

    def document(self) -> bytes:
        """The document with its proofs."""
        return signed_bytes(self.facts, self.signed)

    def token(self, form: TokenForm) -> bytes:
        """The token of one of `token_forms`."""
        issued = self.facts.issued
        planned = next(token for token in issued.tokens if token.form == form)
        made = next(token for token in self.signed.tokens if token.form == form)
        document = render_credential(issued.renderer, self.facts)
        public_key = multikey.key_of_text(self.keys[made.key_id])
        data = token_bytes(token_to_sign(document, issued, planned, public_key), made)
        return undrifted(data, made.sha256, issued.credential_id, f"renderer {issued.renderer}")


def signed_bytes(facts: CredentialFacts, signed: CredentialSigned) -> bytes:
    """The bytes of a signed credential. Raises DriftError unless they are those that were signed."""
    issued = facts.issued
    document = render_credential(issued.renderer, facts)
    data = reassembled(document, issued, signed.proofs)
    return undrifted(data, signed.document_sha256, issued.credential_id, f"renderer {issued.renderer}")


def undrifted(data: bytes, sha256: str, credential_id: str, maker: str) -> bytes:
    """`data`, if it has the SHA-256 (hex) that was recorded. Raises DriftError, naming what made it."""
    if digest(data) != sha256:
        logger.error("document drifted", credential=credential_id, maker=maker)
        raise DriftError(f"{maker} no longer makes the document that was signed")
    return data
