"""Credentials tampered with, odd, or merely unusual: each with its verdict and the check that says so."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from services.verifier.domain import CHECKS, judge
from services.verifier.examine import Examiner
from services.verifier.offline import Given
from shared.proofs import multikey
from shared.proofs.bitstring import Bitstring
from shared.proofs.workers import CanonicalWorkers
from tests.unit.verifier.credentials import (
    AT,
    INDEX,
    ISSUER,
    JCS,
    LIST_URL,
    OTHER,
    RDFC,
    WEB,
    WEB_DID,
    Signer,
    as_bytes,
    badge,
    did_document,
    entry,
    status_list,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def workers() -> AsyncIterator[CanonicalWorkers]:
    async with CanonicalWorkers(1) as started:
        yield started


@dataclass(frozen=True)
class Odd:
    """`check` is the first that does not pass, with its `code`; both None for a valid credential."""

    credential: bytes
    verdict: str
    check: str | None = None
    code: str | None = None
    status_list: bytes | None = status_list()
    did_document: bytes | None = None


def signed(*cryptosuites: str, signer: Signer = ISSUER, **members: Any) -> dict[str, Any]:
    return signer.sign(badge(signer, **members), *cryptosuites)


GOOD = signed()
GOOD_JCS = signed(JCS)


def altered(change: Callable[[dict[str, Any]], object], document: dict[str, Any] = GOOD) -> bytes:
    """`document` after it was signed, changed."""
    copied = copy.deepcopy(document)
    change(copied)
    return as_bytes(copied)


def without(*members: str) -> bytes:
    return as_bytes({name: value for name, value in GOOD.items() if name not in members})


def with_proof(**members: Any) -> bytes:
    return altered(lambda document: document["proof"][0].update(members))


def replaced(old: str, new: str) -> bytes:
    text = as_bytes(GOOD).decode()
    assert text.count(old) == 1
    return text.replace(old, new).encode()


def with_term(document: dict[str, Any]) -> None:
    document["credentialSubject"]["grade"] = "excellent"


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


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


WEAK_KEY = multikey.encode_multibase(b"\xed\x01" + bytes([1] + [0] * 31))
"""The identity: under it one signature verifies for every message."""
WEAK_DID = f"did:key:{WEAK_KEY}"

MANY_NODES = [{"type": ["Evidence"], "name": f"Item {number}"} for number in range(70)]

PARSING = {"verdict": "invalid", "check": "parsed", "code": "PARSING_ERROR"}
SHAPE = {"verdict": "invalid", "check": "parsed", "code": "MALFORMED_VALUE_ERROR"}
WORDS = {"verdict": "invalid", "check": "contexts", "code": "PROOF_TRANSFORMATION_ERROR"}
LOSS = {"verdict": "invalid", "check": "contexts", "code": "DATA_LOSS_DETECTION_ERROR"}
PROOF = {"verdict": "invalid", "check": "proof", "code": "PROOF_VERIFICATION_ERROR"}
KEY = {"verdict": "invalid", "check": "key belongs to issuer"}
LIST = {"verdict": "unknown", "check": "status", "code": "STATUS_VERIFICATION_ERROR"}
ENTRY = {"verdict": "invalid", "check": "status", "code": "MALFORMED_VALUE_ERROR"}

ODD: dict[str, Odd] = {
    # --- as it should be ---
    "a good badge": Odd(as_bytes(GOOD), "valid"),
    "a good badge, signed with jcs": Odd(as_bytes(GOOD_JCS), "valid"),
    "a good badge with proofs of two suites": Odd(as_bytes(signed(RDFC, JCS)), "valid"),
    "a good badge in an envelope": Odd(as_bytes({"verifiableCredential": GOOD}), "valid"),
    "a badge with a single proof, not in an array": Odd(
        altered(lambda document: document.update(proof=document["proof"][0])), "valid"
    ),
    "other white space and order under rdfc": Odd(
        json.dumps(dict(reversed(GOOD.items())), indent=3).encode(), "valid"
    ),
    "a badge without status or dates": Odd(
        as_bytes(signed(credentialStatus=None, validFrom=None, validUntil=None)), "valid"
    ),
    "an issuer that is a plain string": Odd(as_bytes(signed(issuer=ISSUER.did)), "valid"),
    # --- bytes ---
    "nothing": Odd(b"", **PARSING),
    "not JSON": Odd(b"<credential/>", **PARSING),
    "cut short": Odd(as_bytes(GOOD)[:-1], **PARSING),
    "two documents": Odd(as_bytes(GOOD) * 2, **PARSING),
    "not UTF-8": Odd(as_bytes(GOOD) + b"\xff", **PARSING),
    "a byte order mark": Odd(b"\xef\xbb\xbf" + as_bytes(GOOD), **PARSING),
    "a duplicate key": Odd(
        replaced('"name": "North College"', '"name": "X", "name": "North College"'), **PARSING
    ),
    "a duplicate key at the top": Odd(b'{"id": "urn:x",' + as_bytes(GOOD)[1:], **PARSING),
    "not a number": Odd(b'{"a": NaN}', **PARSING),
    "an integer where readers disagree": Odd(b'{"a": 9007199254740993}', **PARSING),
    "a lone surrogate": Odd(replaced("North College", "North \\ud800"), **PARSING),
    "a control character": Odd(replaced("North College", "North \\u0000"), **PARSING),
    "nested too deep": Odd(nested(33), **PARSING),
    "nested so deep that parsers crash": Odd(b"[" * 100_000, **PARSING),
    "larger than the limit": Odd(b'"' + b"a" * 256_000 + b'"', **PARSING),
    # --- the shape of a credential ---
    "an array": Odd(b"[]", **SHAPE),
    "a token in an envelope": Odd(b'{"verifiableCredential": "eyJhbGciOi"}', **SHAPE),
    "no issuer": Odd(without("issuer"), **SHAPE),
    "an issuer that is no URL": Odd(
        altered(lambda document: document.update(issuer="North College")), **SHAPE
    ),
    "no subject": Odd(without("credentialSubject"), **SHAPE),
    "an empty subject": Odd(altered(lambda document: document.update(credentialSubject={})), **SHAPE),
    "not a credential by its type": Odd(altered(lambda document: document["type"].pop(0)), **SHAPE),
    "a date without a time zone": Odd(replaced("2031-03-01T09:30:00Z", "2031-03-01T09:30:00"), **SHAPE),
    "an end before the beginning": Odd(replaced("2031-03-01", "2025-03-01"), **SHAPE),
    "a status without a type": Odd(
        altered(lambda document: document["credentialStatus"].pop("type")), **SHAPE
    ),
    # --- contexts ---
    "no context": Odd(without("@context"), **WORDS),
    "contexts in another order": Odd(altered(lambda document: document["@context"].reverse()), **WORDS),
    "terms defined in the document": Odd(
        altered(lambda document: document["@context"].append({"grade": "https://x.example/grade"})), **WORDS
    ),
    "a context that is not on the list": Odd(
        altered(lambda document: document["@context"].append("https://x.example/context")),
        "unknown",
        "contexts",
        "PROOF_TRANSFORMATION_ERROR",
    ),
    "a property that no context defines": Odd(altered(with_term), **LOSS),
    "a signed property that no context defines": Odd(
        as_bytes(signed(JCS, credentialSubject={"type": ["AchievementSubject"], "grade": "excellent"})),
        **LOSS,
    ),
    "a type that no context defines": Odd(
        altered(lambda document: document["type"].append("Diploma")), **LOSS
    ),
    "a relative id": Odd(
        altered(lambda document: document["credentialSubject"]["achievement"].update(id="1/1")), **LOSS
    ),
    "a null": Odd(altered(lambda document: document.update(description=None)), **LOSS),
    "a null deep within": Odd(
        altered(lambda document: document["credentialSubject"]["achievement"].update(tag=None)), **LOSS
    ),
    # --- proofs ---
    "no proof": Odd(without("proof"), **PROOF),
    "an empty list of proofs": Odd(altered(lambda document: document.update(proof=[])), **PROOF),
    "a proof that is text": Odd(altered(lambda document: document.update(proof="signed")), **PROOF),
    "another name on it": Odd(replaced("Measures in the field.", "Measures in the fields."), **PROOF),
    "another name on it, under jcs": Odd(
        altered(lambda document: document.update(name="Field measurements II"), GOOD_JCS), **PROOF
    ),
    "a later end": Odd(replaced("2031-03-01", "2041-03-01"), **PROOF),
    "without its status": Odd(without("credentialStatus"), **PROOF),
    "another moment of signing": Odd(with_proof(created="2026-03-01T09:30:01Z"), **PROOF),
    "another signature": Odd(
        with_proof(proofValue=signed(name="Another")["proof"][0]["proofValue"]), **PROOF
    ),
    "a signature that is too short": Odd(with_proof(proofValue="z3MnW"), **PROOF),
    "a signature in another encoding": Odd(with_proof(proofValue="uAAAA"), **PROOF),
    "another purpose": Odd(with_proof(proofPurpose="authentication"), **PROOF),
    "a member that proofs do not have": Odd(with_proof(note="trust me"), **PROOF),
    "a good proof beside a broken one": Odd(
        altered(
            lambda document: document["proof"][1].update(created="2026-03-02T00:00:00Z"), signed(RDFC, JCS)
        ),
        **PROOF,
    ),
    "too many proofs": Odd(as_bytes(signed(*[JCS] * 9)), **PROOF),
    "a suite that is not known here": Odd(
        with_proof(cryptosuite="ecdsa-sd-2023"), "unknown", "proof", "PROOF_VERIFICATION_ERROR"
    ),
    "a chain of proofs": Odd(
        with_proof(previousProof="urn:uuid:1"), "unknown", "proof", "PROOF_VERIFICATION_ERROR"
    ),
    "a graph that is too large": Odd(
        as_bytes({**GOOD, "evidence": MANY_NODES}), "unknown", "proof", "PROOF_TRANSFORMATION_ERROR"
    ),
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
    "a list without a name": Odd(as_bytes(GOOD), **LIST, status_list=status_list(id=None)),
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
    "a status with several values": Odd(
        as_bytes(signed(credentialStatus=entry(statusSize=2))), "unknown", "status", "STATUS_UNSUPPORTED"
    ),
    "a status of another kind": Odd(
        as_bytes(signed(credentialStatus={"id": "https://x.example/revoked", "type": "BitstringStatusList"})),
        "unknown",
        "status",
        "STATUS_UNSUPPORTED",
    ),
    "a purpose that is not understood": Odd(
        as_bytes(signed(credentialStatus=entry(statusPurpose="message"))),
        "unknown",
        "status",
        "STATUS_PURPOSE_UNSUPPORTED",
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
        as_bytes(signed(credentialStatus=[entry(statusSize=2), entry(INDEX)])),
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
async def test_every_odd_credential_gets_its_verdict(odd: Odd, workers: CanonicalWorkers) -> None:
    examiner = Examiner(workers, Given(odd.status_list, odd.did_document))
    verdict = judge(await examiner.examine(odd.credential), AT)
    decisive = {"invalid": "failed", "unknown": "unknown", "valid": None}[odd.verdict]
    first = next(((c.name, c.code) for c in verdict.checks if c.outcome == decisive), (None, None))
    assert (verdict.result, *first) == (odd.verdict, odd.check, odd.code)
    assert tuple(check.name for check in verdict.checks) == CHECKS
    assert all(check.sentence.endswith(".") for check in verdict.checks)
