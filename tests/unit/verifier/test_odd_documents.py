"""Documents tampered with, odd, or merely unusual: bytes, shape, contexts, proofs, each with its verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.proofs.workers import CanonicalWorkers
from tests.unit.verifier.credentials import ISSUER, JCS, RDFC, as_bytes
from tests.unit.verifier.odd import GOOD, GOOD_JCS, PROOF, Odd, altered, assert_verdict, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


MANY_NODES = [{"type": ["Evidence"], "name": f"Item {number}"} for number in range(70)]

PARSING = {"verdict": "invalid", "check": "parsed", "code": "PARSING_ERROR"}
SHAPE = {"verdict": "invalid", "check": "parsed", "code": "MALFORMED_VALUE_ERROR"}
WORDS = {"verdict": "invalid", "check": "contexts", "code": "PROOF_TRANSFORMATION_ERROR"}
CREDENTIALS = "https://www.w3.org/2018/credentials#"
DATE_TIME = "http://www.w3.org/2001/XMLSchema#dateTime"
RENAMED = {"credentialStatus": f"{CREDENTIALS}credentialStatus"}
LOSS = {"verdict": "invalid", "check": "contexts", "code": "DATA_LOSS_DETECTION_ERROR"}


def continue_each_other(document: dict[str, Any]) -> None:
    first, second = document["proof"]
    first["previousProof"], second["previousProof"] = second["id"], first["id"]


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
    "not JSON": Odd(b"credential", **PARSING),
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
    "half a token in an envelope": Odd(b'{"verifiableCredential": "eyJhbGciOi"}', **PARSING),
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
    "a status whose name is written out, which leaves the same statements": Odd(
        as_bytes({RENAMED.get(name, name): value for name, value in GOOD.items()}), **WORDS
    ),
    "an end that is written as a typed value under its IRI": Odd(
        altered(
            lambda document: document.update(
                {f"{CREDENTIALS}validUntil": {"@type": DATE_TIME, "@value": document.pop("validUntil")}}
            )
        ),
        **WORDS,
    ),
    "an id by its keyword": Odd(
        as_bytes({"@id" if name == "id" else name: value for name, value in GOOD.items()}), **WORDS
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
    "a chain that begins with a proof that is not there": Odd(
        with_proof(previousProof="urn:uuid:1"), "invalid", "proof", "PROOF_VERIFICATION_ERROR"
    ),
    "two proofs that each continue the other": Odd(altered(continue_each_other, signed(JCS, JCS)), **PROOF),
    "a graph that is too large": Odd(
        as_bytes({**GOOD, "evidence": MANY_NODES}), "unknown", "proof", "PROOF_TRANSFORMATION_ERROR"
    ),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
async def test_every_odd_document_gets_its_verdict(odd: Odd, workers: CanonicalWorkers) -> None:
    await assert_verdict(odd, workers)
