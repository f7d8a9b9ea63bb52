"""Signs whatever is a well-formed credential, whoever it names as its issuer: for test suites alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from services.conformance.keys import ThrowAwayKey
from services.conformance.shape import CONTEXTS, with_proof_context
from shared import clock
from shared.errors import Invalid
from shared.proofs import dataintegrity, jsonld_safety, jws, vc_jwt, vcdm
from shared.proofs.public_keys import KeyKind
from shared.proofs.safe_mode import demand_safe
from shared.proofs.strictjson import JsonObject, JsonValue
from shared.proofs.suites import SUITES
from shared.proofs.vc_jwt import Form
from shared.proofs.workers import CanonicalWorkers


class Issuing:
    """Issues with throw-away keys."""

    def __init__(self, workers: CanonicalWorkers, keys: Mapping[KeyKind, ThrowAwayKey]) -> None:
        self._workers = workers
        self._keys = keys

    async def secured(self, credential: JsonValue, cryptosuite: str) -> JsonObject:
        """The credential with a proof of `cryptosuite`: an object, or at the end of an array it had.

        Raises Invalid for whatever is not to be signed.
        """
        document = await self._signable(credential)
        suite = SUITES[cryptosuite]
        key = self._keys[suite.key_kind]
        config = dataintegrity.proof_config(
            document,
            cryptosuite=cryptosuite,
            proof_id=clock.ordered_uuid().urn,
            verification_method=key.method,
            created=_stamp(clock.now()),
        )
        pair = (dataintegrity.covered(document, config), config)
        (hashed,) = await self._workers.hash_data(cryptosuite, [pair])
        if isinstance(hashed, Invalid):
            raise hashed
        (signature,) = suite.sign(key.signer, [hashed])
        signed = dataintegrity.with_proof(document, config, signature)
        proofs = signed["proof"]
        # The suites of VC-API take a single proof for malformed if it stands in an array.
        return {**signed, "proof": proofs[0]} if isinstance(proofs, list) and len(proofs) == 1 else signed

    async def enveloped(self, credential: JsonValue, kind: KeyKind) -> JsonObject:
        """The credential as a token in its envelope. Raises Invalid as `secured` does."""
        document = await self._signable(credential)
        key = self._keys[kind]
        signed = vc_jwt.to_sign(document, Form.CREDENTIAL, key.public_key, key.method)
        (signature,) = key.signer.sign([signed])
        return vc_jwt.envelope(jws.compact(signed, signature))

    async def _signable(self, credential: JsonValue) -> JsonObject:
        malformed = vcdm.problems(credential)
        if malformed or not isinstance(credential, dict):
            message = "It is not built as a credential must be."
            raise Invalid("credential-malformed", message, tuple(malformed))
        document = with_proof_context(credential)
        jsonld_safety.check_contexts(document, CONTEXTS)
        plain = dataintegrity.unsecured(document)
        await demand_safe(self._workers.hash_data, plain)
        return document


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
