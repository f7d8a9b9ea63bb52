"""What is mutated: every shape under every suite and in every form of token, and how mutants are taken.

Among the shapes is what the product itself renders (tests/products.py).

`accepted` is the whole way of a stranger's bytes through the proof layer. It returns what a verifier goes
on with, and `same` says whether that is the credential that was issued.

    JCS        the same strictly: equal as JSON in which no key is repeated, the proof's own members too
    JWT        the same token, letter by letter
    RDFC       the same canonical dataset, by a second canonicaliser, and the same proof; nothing that was
               written may be missing from the dataset; and whoever reads members by name reads the same
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyoxigraph

from shared.errors import Invalid
from shared.proofs import dataintegrity, didkey, jws, strictjson, vc_jwt, vcdm
from shared.proofs.contexts import PINNED
from shared.proofs.dataintegrity import Proof
from shared.proofs.public_keys import KeyKind
from shared.proofs.suites import SUITES
from shared.proofs.vc_jwt import Form, SecuredDocument
from tests.mutation.mutants import Mutants
from tests.products import documents
from tests.signing import KeyPair, issuer_for, secured

TOKENS = [
    (Form.CREDENTIAL, KeyKind.ED25519),
    (Form.CREDENTIAL, KeyKind.P256),
    (Form.OPEN_BADGE, KeyKind.P256),
    (Form.OPEN_BADGE, KeyKind.RSA),
]
WEB_ISSUER = "https://badges.example/issuers/north"


class Target(Protocol):
    """One signed text, and the verifier of its kind."""

    name: str
    mutants: Mutants

    def accepted(self, data: bytes) -> Any:
        """What a verifier would go on with, or None if it refuses `data`."""

    def same(self, data: bytes, found: Any) -> bool:
        """Whether what was found in `data` is what was issued."""


@dataclass
class ProvedDocument:
    """A shape with a Data Integrity proof."""

    name: str
    cryptosuite: str
    text: bytes

    def __post_init__(self) -> None:
        self.issued = self._proofs(self.text)
        self.mutants = Mutants(self.text, json.loads(self.text))

    def _proofs(self, data: bytes) -> tuple[dict[str, Any], list[Proof]]:
        value = strictjson.loads(data)
        if vcdm.problems(value) or not isinstance(value, dict):
            raise Invalid("credential-malformed", "It is not built as a credential must be.")
        return value, dataintegrity.parse_proofs(value)

    def accepted(self, data: bytes) -> tuple[dict[str, Any], list[Proof]] | None:
        try:
            value, proofs = self._proofs(data)
            return (value, proofs) if all(self._holds(proof) for proof in proofs) else None
        except Invalid:
            return None

    def _holds(self, proof: Proof) -> bool:
        issuer = proof.document["issuer"]
        identifier = issuer.get("id") if isinstance(issuer, dict) else issuer
        if proof.verification_method.partition("#")[0] != identifier:
            return False
        suite = SUITES[proof.cryptosuite]
        key = didkey.public_key(proof.verification_method)
        return suite.check_signature(key, suite.hash_data(proof.document, proof.config), proof.signature)

    def same(self, data: bytes, found: tuple[dict[str, Any], list[Proof]]) -> bool:
        proofs = found[1]
        if len(proofs) != 1 or proofs[0].signature != self.issued[1][0].signature:
            return False
        mutant, original = proofs[0], self.issued[1][0]
        written = json.loads(data, object_pairs_hook=_without_repeated_keys)
        if SUITES[self.cryptosuite].own_context:
            # The proof speaks for its own contexts: more of them after those change nothing that it says.
            del written["@context"]
            if isinstance(written["proof"], dict):  # one proof may stand with or without an array around it
                written["proof"] = [written["proof"]]
            expected = {key: value for key, value in self.issued[0].items() if key != "@context"}
            return strictly_equal(written, expected) and strictly_equal(mutant.document, original.document)
        return (
            dataset(mutant.document) == dataset(original.document)
            and self._nothing_lost(mutant)
            and as_read(mutant.document) == as_read(original.document)
        )

    def _nothing_lost(self, mutant: Proof) -> bool:
        config = {**mutant.config, "@context": mutant.document["@context"]}
        original = {**self.issued[1][0].config, "@context": self.issued[1][0].document["@context"]}
        written = {**mutant.document, "proof": mutant.config}
        quads = dataset(mutant.document) + dataset(config)
        return dataset(config) == dataset(original) and all(text in quads for text in texts(written))


@dataclass
class SignedToken:
    """A shape as a token."""

    name: str
    key: KeyPair
    text: bytes

    def __post_init__(self) -> None:
        self.issued = vc_jwt.read(self.text.decode())
        self.mutants = Mutants(self.text)

    def accepted(self, data: bytes) -> SecuredDocument | None:
        try:
            found = vc_jwt.read(data.decode())
        except (Invalid, UnicodeDecodeError):
            return None
        return found if jws.verify(found.token, self.key.public_key) else None

    def same(self, data: bytes, found: SecuredDocument) -> bool:
        return data == self.text and strictly_equal(found.document, self.issued.document)


def proved(cryptosuite: str) -> list[ProvedDocument]:
    """Every shape, signed with the suite by its did:key."""
    return [
        ProvedDocument(name, cryptosuite, json.dumps(secured(document, cryptosuite), indent=1).encode())
        for name, document in documents(issuer_for(cryptosuite).did).items()
    ]


def tokens(form: Form, kind: KeyKind) -> list[SignedToken]:
    """Every shape as a token; the form of Open Badges takes one subject with an id."""
    found, key = [], KeyPair(1, kind)
    for name, document in documents(WEB_ISSUER).items():
        subject = document["credentialSubject"]
        if form is Form.OPEN_BADGE:
            first = subject[0] if isinstance(subject, list) else subject
            document["credentialSubject"] = {"id": "did:example:learner", **first}
        signed = vc_jwt.to_sign(document, form, key.public_key, f"{WEB_ISSUER}#key")
        found.append(SignedToken(name, key, jws.compact(signed, key.sign([signed])[0]).encode()))
    return found


def _without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The oracle's own reading: no verifier may have accepted a text with a repeated key."""
    assert len({key for key, _ in pairs}) == len(pairs), "a repeated key was accepted"
    return dict(pairs)


def strictly_equal(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and true are two values, 1 and 1.0 are one."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(strictly_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(strictly_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def as_read(value: Any) -> Any:
    """What JSON says to whoever knows that lists are sets, that one value may stand without a list or as a
    `@value`, that 1.0 is 1, and that a language is one in any case."""
    if isinstance(value, dict):
        if value.keys() == {"@value"}:
            return as_read(value["@value"])
        lowered = {**value, "@language": str(value["@language"]).lower()} if "@language" in value else value
        return {name: as_read(child) for name, child in lowered.items() if name != "@context"}
    if isinstance(value, list):
        texts_of = sorted({json.dumps(as_read(child), sort_keys=True) for child in value})
        return json.loads(texts_of[0]) if len(texts_of) == 1 else texts_of
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def dataset(document: dict[str, Any]) -> str:
    """The canonical N-Quads by pyoxigraph, which shares no line with the canonicaliser under test."""
    urls = document["@context"]
    inlined = [PINNED.document(url)["@context"] for url in (urls if isinstance(urls, list) else [urls])]
    text = json.dumps({**document, "@context": inlined}).encode()
    found = pyoxigraph.Dataset(pyoxigraph.parse(text, pyoxigraph.RdfFormat.JSON_LD))
    found.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    return "".join(sorted(f"{quad} .\n" for quad in found))


def texts(value: Any, key: str = "") -> Iterator[str]:
    """Every text that N-Quads must hold of a document; null and empty arrays make one that they never do."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name != "@context":
                yield from texts(child, name)
    elif isinstance(value, list):
        for child in value or [None]:
            yield from texts(child, key)
    elif value is None:
        yield "null"
    elif isinstance(value, str) and key == "@language":
        yield value.lower()
    elif isinstance(value, str):
        yield value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
