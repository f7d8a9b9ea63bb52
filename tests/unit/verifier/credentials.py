"""Real credentials and status lists, signed with keys that stand for nobody, and altered at will."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.proofs import dataintegrity, didkey, jws, multikey, vc_jwt
from shared.proofs.bitstring import Bitstring
from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3
from shared.proofs.public_keys import PublicKey
from shared.proofs.suites import SUITES

RDFC = "eddsa-rdfc-2022"
JCS = "eddsa-jcs-2022"
AT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
"""The moment at which the tests judge, unless they say otherwise."""

LIST_ID = "0190a6a4-0000-7000-8000-000000000001"
LIST_URL = f"https://credentials.example/status/{LIST_ID}"
INDEX = 4711


class Signer:
    """A key pair and the identifier it signs for: its own did:key, unless another is given."""

    def __init__(self, seed: int, did: str | None = None) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public_key = PublicKey.ed25519(self._key.public_key().public_bytes_raw())
        self.multikey = multikey.encode_public_key(self.public_key)
        self.did = did or didkey.did(self.public_key)

    @property
    def method(self) -> str:
        return f"{self.did}#{self.multikey}"

    def sign(
        self,
        document: dict[str, Any],
        *cryptosuites: str,
        created: str = "2026-03-01T09:30:00Z",
        **options: Any,
    ) -> dict[str, Any]:
        """`document` with a proof for each suite; `options` are further or other members of the proof."""
        for cryptosuite in cryptosuites or (RDFC,):
            config: dict[str, Any] = dataintegrity.proof_config(
                document,
                cryptosuite=cryptosuite,
                proof_id=f"urn:uuid:00000000-0000-4000-8000-{len(document.get('proof', [])):012}",
                verification_method=self.method,
                created=created,
            )
            config |= options
            hashed = SUITES[cryptosuite].hash_data(dataintegrity.unsecured(document), config)
            document = dataintegrity.with_proof(document, config, self._key.sign(hashed))
        return document

    def present(self, *credentials: Any, document: dict[str, Any] | None = None, **options: Any) -> Any:
        """A presentation of `credentials` by this holder; `document` holds further or other members."""
        plain: dict[str, Any] = {
            "@context": [CREDENTIALS_V2],
            "id": "urn:uuid:00000000-0000-4000-8000-0000000000aa",
            "type": ["VerifiablePresentation"],
            "holder": self.did,
            "verifiableCredential": list(credentials),
        } | (document or {})
        present = {name: value for name, value in plain.items() if value is not None}
        return self.sign(present, **({"proofPurpose": "authentication"} | options))

    def token(
        self, document: dict[str, Any], form: vc_jwt.Form = vc_jwt.Form.CREDENTIAL, method: str = ""
    ) -> str:
        """`document` as a signed token; `method` instead of this signer's own."""
        signed = vc_jwt.to_sign(document, form, self.public_key, method or self.method)
        return jws.compact(signed, self._key.sign(signed))


ISSUER = Signer(1)
OTHER = Signer(2)
WEB_DID = "did:web:badges.example:issuers:north"
WEB = Signer(3, WEB_DID)


def entry(index: int = INDEX, **members: Any) -> dict[str, Any]:
    """A status entry that points to LIST_URL."""
    return {
        "id": f"{LIST_URL}#{index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": str(index),
        "statusListCredential": LIST_URL,
    } | members


def badge(signer: Signer = ISSUER, **members: Any) -> dict[str, Any]:
    """An Open Badge without a proof; a member given as None is left out."""
    document = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        "id": "https://credentials.example/credentials/5f1b1d5e",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": "Field measurements",
        "issuer": {"id": signer.did, "type": ["Profile"], "name": "North College"},
        "validFrom": "2026-03-01T09:30:00Z",
        "validUntil": "2031-03-01T09:30:00Z",
        "credentialSubject": {
            "id": "urn:uuid:0b0a9c1e-52b1-4f5f-8d5a-6f1d0a7f3b11",
            "type": ["AchievementSubject"],
            "achievement": {
                "id": "https://credentials.example/achievements/1/1",
                "type": ["Achievement"],
                "name": "Field measurements",
                "description": "Measures in the field.",
                "criteria": {"id": "https://credentials.example/achievements/1/1#criteria"},
            },
        },
        "credentialStatus": entry(),
    } | members
    return {name: value for name, value in document.items() if value is not None}


def status_list(
    signer: Signer = ISSUER,
    revoked: Iterable[int] = (),
    encoded: str | None = None,
    created: str = "2026-06-01T11:00:00Z",
    **members: Any,
) -> bytes:
    """A signed status list in which the bits `revoked` are set."""
    members = copy.deepcopy(members)
    subject = {
        "id": f"{LIST_URL}#list",
        "type": "BitstringStatusList",
        "statusPurpose": "revocation",
        "ttl": 300_000,
        "encodedList": encoded or Bitstring.zeros().with_bits(revoked).encode(),
    } | members.pop("subject", {})
    document = {
        "@context": [CREDENTIALS_V2],
        "id": LIST_URL,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": signer.did,
        "validFrom": "2026-06-01T11:00:00Z",
        "validUntil": "2026-06-02T11:00:00Z",
        "credentialSubject": subject,
    } | members
    present = {name: value for name, value in document.items() if value is not None}
    return as_bytes(signer.sign(present, created=created))


def did_document(signer: Signer = WEB, method: dict[str, Any] | None = None, **members: Any) -> bytes:
    """The DID document of a signer with one method; `method` holds further or other members of that."""
    document = {
        "id": signer.did,
        "verificationMethod": [
            {
                "id": signer.method,
                "type": "Multikey",
                "controller": signer.did,
                "publicKeyMultibase": signer.multikey,
            }
            | (method or {})
        ],
        "assertionMethod": [signer.method],
    } | members
    return as_bytes(document)


def as_bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
