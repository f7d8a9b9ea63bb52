"""Good documents in odd surroundings: whose key, what time, which status list, each with its verdict."""

from __future__ import annotations

from typing import Any

import pytest

from shared.proofs import base64url, multikey
from shared.proofs.bitstring import Bitstring
from shared.proofs.workers import CanonicalWorkers
from tests.unit.verifier.credentials import (
    INDEX,
    ISSUER,
    LIST_URL,
    OTHER,
    WEB,
    WEB_DID,
    Signer,
    as_bytes,
    badge,
    did_document,
    entry,
    status_list,
)
from tests.unit.verifier.odd import GOOD, PROOF, Odd, assert_verdict, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")


def bomb() -> str:
    return Bitstring(bytes(2_000_000)).encode()


def short_list() -> str:
    encoded = Bitstring.zeros().encode()
    shorter = object.__new__(Bitstring)
    object.__setattr__(shorter, "data", bytes(8_192))
    assert shorter.encode() != encoded
    return shorter.encode()


def web(**members: Any) -> bytes:
    return as_bytes(signed(signer=WEB, credentialStatus=None, **members))


JWK_X = base64url.encode(WEB.public_key.data)


def jwk(**members: Any) -> dict[str, Any]:
    """The method of WEB as a JsonWebKey."""
    key = {"kty": "OKP", "crv": "Ed25519", "x": JWK_X} | members
    return {"type": "JsonWebKey", "publicKeyMultibase": None, "publicKeyJwk": key}


WEAK_KEY = multikey.encode_multibase(b"\xed\x01" + bytes([1] + [0] * 31))
"""The identity: under it one signature verifies for every message."""
WEAK_DID = f"did:key:{WEAK_KEY}"

KEY = {"verdict": "invalid", "check": "key belongs to issuer"}
LIST = {"verdict": "unknown", "check": "status", "code": "STATUS_VERIFICATION_ERROR"}
ENTRY = {"verdict": "invalid", "check": "status", "code": "MALFORMED_VALUE_ERROR"}

ODD: dict[str, Odd] = {
    # --- keys ---
    "somebody else's key": Odd(
        as_bytes(OTHER.sign(badge(ISSUER))), **KEY, code="KEY_NOT_OF_ISSUER", status_list=status_list()
    ),
    "a key that did not sign it": Odd(
        as_bytes(ISSUER.sign(badge(), verificationMethod=OTHER.method)), **PROOF
    ),
    "a did:key for an issuer with a web address": Odd(
        as_bytes(ISSUER.sign(badge(issuer="https://north.example"))), **KEY, code="KEY_NOT_OF_ISSUER"
    ),
    "a did:web that is not at hand and not the issuer's": Odd(
        as_bytes(WEB.sign(badge(ISSUER))), **KEY, code="KEY_NOT_OF_ISSUER"
    ),
    "a did:key for an issuer with a did:web": Odd(
        as_bytes(ISSUER.sign(badge(issuer=WEB_DID))), **KEY, code="KEY_NOT_OF_ISSUER"
    ),
    "a method that names no key": Odd(
        as_bytes(ISSUER.sign(badge(), verificationMethod=ISSUER.did)),
        "invalid",
        "proof",
        "INVALID_VERIFICATION_METHOD",
    ),
    "a did:key whose fragment is another key": Odd(
        as_bytes(ISSUER.sign(badge(), verificationMethod=f"{ISSUER.did}#{OTHER.multikey}")),
        "invalid",
        "proof",
        "INVALID_VERIFICATION_METHOD",
    ),
    "a key under which every signature holds": Odd(
        as_bytes(ISSUER.sign(badge(issuer=WEAK_DID), verificationMethod=f"{WEAK_DID}#{WEAK_KEY}")),
        "invalid",
        "proof",
        "INVALID_VERIFICATION_METHOD",
    ),
    "a did:web that is none": Odd(
        as_bytes(Signer(1, "did:web:127.0.0.1").sign(badge(issuer="did:web:127.0.0.1"))),
        "invalid",
        "proof",
        "INVALID_VERIFICATION_METHOD",
    ),
    "a did:web whose keys are not at hand": Odd(web(), "unknown", "proof", "KEY_NOT_RETRIEVED"),
    "a did:web with its document": Odd(web(), "valid", did_document=did_document()),
    "a did:web with relative names in its document": Odd(
        web(),
        "valid",
        did_document=did_document(method={"id": f"#{WEB.multikey}"}, assertionMethod=[f"#{WEB.multikey}"]),
    ),
    "a did:web with its key as a JWK": Odd(web(), "valid", did_document=did_document(method=jwk())),
    "a JWK that tells its secret": Odd(
        web(),
        "invalid",
        "proof",
        "INVALID_VERIFICATION_METHOD",
        did_document=did_document(method=jwk(d=JWK_X)),
    ),
    "a JWK that is padded": Odd(
        web(),
        "invalid",
        "proof",
        "INVALID_VERIFICATION_METHOD",
        did_document=did_document(method=jwk(x=JWK_X + "=")),
    ),
    "a JWK of another curve": Odd(
        web(),
        "invalid",
        "proof",
        "INVALID_VERIFICATION_METHOD",
        did_document=did_document(method=jwk(crv="X25519")),
    ),
    "a JWK under which every signature holds": Odd(
        web(),
        "invalid",
        "proof",
        "INVALID_VERIFICATION_METHOD",
        did_document=did_document(method=jwk(x="AQ" + "A" * 41)),
    ),
    "a did:web with somebody else's document": Odd(
        web(), "unknown", "proof", "KEY_NOT_RETRIEVED", did_document=did_document(id="did:web:x.example")
    ),
    "a key that its document does not list": Odd(
        web(),
        "invalid",
        "proof",
        "INVALID_VERIFICATION_METHOD",
        did_document=did_document(Signer(4, WEB_DID)),
    ),
    "a key that is not for assertions": Odd(
        web(),
        **KEY,
        code="INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD",
        did_document=did_document(assertionMethod=[], authentication=[WEB.method]),
    ),
    "a key that another controls": Odd(
        web(), **KEY, code="KEY_NOT_OF_ISSUER", did_document=did_document(method={"controller": OTHER.did})
    ),
    "a key that was revoked": Odd(
        web(),
        **KEY,
        code="INVALID_VERIFICATION_METHOD",
        did_document=did_document(method={"revoked": "2026-05-01T00:00:00Z"}),
    ),
    "a key that will expire": Odd(
        web(), "valid", did_document=did_document(method={"expires": "2027-05-01T00:00:00Z"})
    ),
    # --- time ---
    "not yet in force": Odd(
        as_bytes(signed(validFrom="2026-07-01T00:00:00Z")), "invalid", "in force", "NOT_YET_VALID"
    ),
    "signed in the future": Odd(
        as_bytes(ISSUER.sign(badge(), created="2026-07-01T00:00:00Z")), "invalid", "in force", "NOT_YET_VALID"
    ),
    "expired": Odd(as_bytes(signed(validUntil="2026-05-01T00:00:00Z")), "invalid", "not expired", "EXPIRED"),
    "expired by its proof": Odd(
        as_bytes(ISSUER.sign(badge(), expires="2026-05-01T00:00:00Z")), "invalid", "not expired", "EXPIRED"
    ),
    "in force within the difference of clocks": Odd(
        as_bytes(signed(validFrom="2026-06-01T12:01:00Z")), "valid"
    ),
    "in force in another time zone": Odd(as_bytes(signed(validFrom="2026-06-01T13:59:00+02:00")), "valid"),
    # --- status ---
    "revoked": Odd(as_bytes(GOOD), "invalid", "status", "REVOKED", status_list=status_list(revoked=[INDEX])),
    "its neighbours revoked": Odd(
        as_bytes(GOOD), "valid", status_list=status_list(revoked=[INDEX - 1, INDEX + 1])
    ),
    "suspended": Odd(
        as_bytes(signed(credentialStatus=entry(statusPurpose="suspension"))),
        "invalid",
        "status",
        "SUSPENDED",
        status_list=status_list(revoked=[INDEX], subject={"statusPurpose": ["revocation", "suspension"]}),
    ),
    "no list at hand": Odd(as_bytes(GOOD), "unknown", "status", "STATUS_RETRIEVAL_ERROR", status_list=None),
    "a list that is out of date": Odd(
        as_bytes(GOOD), **LIST, status_list=status_list(validUntil="2026-06-01T11:30:00Z")
    ),
    "revoked in a list that is out of date": Odd(
        as_bytes(GOOD),
        "invalid",
        "status",
        "REVOKED",
        status_list=status_list(revoked=[INDEX], validUntil="2026-06-01T11:30:00Z"),
    ),
    "a list from the future": Odd(
        as_bytes(GOOD), **LIST, status_list=status_list(validFrom="2026-06-01T12:30:00Z")
    ),
    "a list by somebody else": Odd(as_bytes(GOOD), **LIST, status_list=status_list(OTHER)),
    "a list signed by somebody else": Odd(
        as_bytes(GOOD), **LIST, status_list=status_list(OTHER, issuer=ISSUER.did)
    ),
    "revoked in a list that is forged": Odd(
        as_bytes(GOOD), **LIST, status_list=status_list(OTHER, revoked=[INDEX], issuer=ISSUER.did)
    ),
    "a list that was altered": Odd(
        as_bytes(GOOD), **LIST, status_list=status_list().replace(b"300000", b"300001")
    ),
    "a list for another purpose": Odd(
        as_bytes(GOOD), **LIST, status_list=status_list(subject={"statusPurpose": "suspension"})
    ),
    "another list of the issuer": Odd(
        as_bytes(GOOD), **LIST, status_list=status_list(id=LIST_URL.replace("0001", "0002"))
    ),
    "a file with a list without a name": Odd(as_bytes(GOOD), **LIST, status_list=status_list(id=None)),
    "a list without a context": Odd(as_bytes(GOOD), **LIST, status_list=b'{"@context": []}'),
    "a list that is not JSON": Odd(as_bytes(GOOD), **LIST, status_list=b"\x1f\x8b"),
    "a credential in place of its list": Odd(as_bytes(GOOD), **LIST, status_list=as_bytes(GOOD)),
    "a list that is too short": Odd(
        as_bytes(GOOD),
        "unknown",
        "status",
        "STATUS_LIST_LENGTH_ERROR",
        status_list=status_list(encoded=short_list()),
    ),
    "a list that fills the memory": Odd(
        as_bytes(GOOD), "unknown", "status", "MALFORMED_VALUE_ERROR", status_list=status_list(encoded=bomb())
    ),
    "a bit behind the end of the list": Odd(
        as_bytes(signed(credentialStatus=entry(131_072))), "unknown", "status", "RANGE_ERROR"
    ),
    "an index that is a number": Odd(
        as_bytes(signed(credentialStatus=entry(statusListIndex=INDEX))), **ENTRY
    ),
    "an index below zero": Odd(as_bytes(signed(credentialStatus=entry(statusListIndex="-1"))), **ENTRY),
    "an index with a zero in front": Odd(
        as_bytes(signed(credentialStatus=entry(statusListIndex="04711"))), **ENTRY
    ),
    "an entry that is its own list": Odd(as_bytes(signed(credentialStatus=entry(id=LIST_URL))), **ENTRY),
    "a status with more values than are understood": Odd(
        as_bytes(signed(credentialStatus=entry(statusSize=9))), "unknown", "status", "STATUS_UNSUPPORTED"
    ),
    "a status of several values without their meanings": Odd(
        as_bytes(signed(credentialStatus=entry(statusSize=2))), **ENTRY
    ),
    "a status of another kind": Odd(
        as_bytes(signed(credentialStatus={"id": "https://x.example/revoked", "type": "BitstringStatusList"})),
        "unknown",
        "status",
        "STATUS_UNSUPPORTED",
    ),
    "a purpose that is not understood": Odd(
        as_bytes(signed(credentialStatus=entry(statusPurpose="mood"))),
        "unknown",
        "status",
        "STATUS_PURPOSE_UNSUPPORTED",
        status_list=status_list(subject={"statusPurpose": "mood"}),
    ),
    "a status of several values in a list that is long enough for one bit each": Odd(
        as_bytes(
            signed(
                credentialStatus=entry(
                    statusPurpose="message",
                    statusSize=2,
                    statusMessage=[{"status": f"0x{value}", "message": "So."} for value in range(4)],
                )
            )
        ),
        "unknown",
        "status",
        "STATUS_LIST_LENGTH_ERROR",
        status_list=status_list(subject={"statusPurpose": "message"}),
    ),
    "a purpose that does not touch validity": Odd(
        as_bytes(signed(credentialStatus=entry(statusPurpose="refresh"))),
        "valid",
        status_list=status_list(revoked=[INDEX], subject={"statusPurpose": "refresh"}),
    ),
    "two entries of which one is set": Odd(
        as_bytes(signed(credentialStatus=[entry(1), entry(INDEX)])),
        "invalid",
        "status",
        "REVOKED",
        status_list=status_list(revoked=[INDEX]),
    ),
    "two entries of which one is set and one not to be told": Odd(
        as_bytes(signed(credentialStatus=[entry(statusSize=9), entry(INDEX)])),
        "invalid",
        "status",
        "REVOKED",
        status_list=status_list(revoked=[INDEX]),
    ),
    "more entries than are looked up": Odd(
        as_bytes(signed(credentialStatus=[entry(number) for number in range(9)])),
        "unknown",
        "status",
        "STATUS_UNSUPPORTED",
    ),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
async def test_every_odd_key_time_and_status_gets_its_verdict(odd: Odd, workers: CanonicalWorkers) -> None:
    await assert_verdict(odd, workers)
