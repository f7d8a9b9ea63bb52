"""Compact JSON Web Signatures (RFC 7515), read strictly and checked by joserfc.

A token is `header.payload.signature`, each base64url in its one spelling, and its header is strict JSON, so
that nobody reads another token from it. Which algorithm is used is decided by the key and not by the header:
the header has to name the one of the key. Whoever signs gets bytes and gives a signature; no private key is
seen here.

Refuses what is no signature (`none`, codes made with a shared secret, nothing at all) for good, and as not
supported those that no key here has; header members that would have somebody fetch a key or process the token
differently (jku, x5u, x5c, crit, b64, zip, enc …), and tokens beyond the limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from shared.errors import Invalid
from shared.proofs import base64url, jwk, strictjson
from shared.proofs.public_keys import KeyKind, PublicKey
from shared.proofs.strictjson import DOCUMENT_BYTES_MAX, JsonObject

HEADER_BYTES_MAX = 4_096
SIGNATURE_BYTES_MAX = 1_024
TOKEN_CHARS_MAX = 4 * (HEADER_BYTES_MAX + DOCUMENT_BYTES_MAX + SIGNATURE_BYTES_MAX) // 3 + 8

ALGORITHMS = frozenset().union(*(jwk.algorithms(kind) for kind in KeyKind))
_PRESENT = {KeyKind.ED25519: "EdDSA", KeyKind.P256: "ES256", KeyKind.RSA: "RS256"}
# Keys from an address that the signer chose, certificates, other ways to process, encryption: RFC 7515 §4.1,
# RFC 7797, RFC 7516. A verifier that does not understand one of them must not act as if it were not there.
_MEMBERS_REFUSED = frozenset({"jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip", "enc"})
_OTHERS = frozenset(
    {"RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512", "ES256K", "Ed448"}
    | {"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}
)
"""The signatures of the JOSE registry that another verifier may know. Whatever else a header names is none:
not `none`, and not a code made with a shared secret, which whoever checks it could have made."""
_PARTS = 3
_KEYS_CACHED_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Token:
    """A token as read; its signature has not been checked. What its payload means is not looked at."""

    text: str
    header: JsonObject
    payload: bytes
    algorithm: str

    @property
    def key_id(self) -> str | None:
        """`kid`: the name of the key, as a verifier would look it up."""
        return _optional_text(self.header, "kid")

    @property
    def type(self) -> str | None:
        """`typ`: what kind of token it claims to be."""
        return _optional_text(self.header, "typ")

    @property
    def content_type(self) -> str | None:
        """`cty`: what it claims to hold."""
        return _optional_text(self.header, "cty")

    def embedded_key(self) -> PublicKey | None:
        """`jwk`: the key that the token brings, which proves nothing until it is known to be the issuer's.

        Raises `Invalid` with code `key-malformed` or `key-weak`.
        """
        return jwk.decode(self.header["jwk"]) if "jwk" in self.header else None


def parse(text: str) -> Token:
    """Read a compact token; `Invalid` with code `token-malformed`, `token-unsupported` or `json-*`."""
    if len(text) > TOKEN_CHARS_MAX:
        raise malformed("it is too long")
    parts = text.split(".")
    if len(parts) != _PARTS:
        raise malformed("it does not have three parts")
    header_bytes, payload, signature = map(_part, parts)
    if len(header_bytes) > HEADER_BYTES_MAX or len(signature) > SIGNATURE_BYTES_MAX:
        raise malformed("its header or its signature is too long")
    header = json_object(header_bytes, "header")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise malformed("its header names no algorithm")
    if not signature or algorithm not in ALGORITHMS | _OTHERS:
        raise malformed("it carries nothing that only its signer could have made")
    if algorithm in _OTHERS:
        raise Invalid("token-unsupported", "The token is signed in a way that is not supported.")
    if _MEMBERS_REFUSED & header.keys():
        raise Invalid("token-unsupported", "The token asks to be processed in a way that is not supported.")
    token = Token(text, header, payload, algorithm)
    _ = token.key_id, token.type, token.content_type, token.embedded_key()
    return token


def verify(token: Token, public_key: PublicKey) -> bool:
    """Whether `token` is signed by `public_key` with the one algorithm that this key has; never raises."""
    if token.algorithm not in jwk.algorithms(public_key.kind):
        return False
    registry = _Registry(algorithms=[token.algorithm], strict_check_header=False)
    try:
        jws.deserialize_compact(token.text, _loaded(public_key), registry=registry)
    except JoseError:
        return False
    return True


def algorithm_of(kind: KeyKind) -> str:
    """The `alg` that tokens by such keys carry: for Ed25519 the older name, which every verifier knows."""
    return _PRESENT[kind]


def signing_input(header: JsonObject, payload: JsonObject) -> bytes:
    """The bytes that are to be signed (RFC 7515 §5.1 step 8); `Invalid` for what is not strict JSON."""
    strictjson.check(payload)
    parts = (orjson.dumps(header), orjson.dumps(payload))
    if len(parts[1]) > DOCUMENT_BYTES_MAX:
        raise Invalid("json-too-large", f"The payload is larger than {DOCUMENT_BYTES_MAX} bytes.")
    return ".".join(map(base64url.encode, parts)).encode()


def compact(signed: bytes, signature: bytes) -> str:
    """The token of a signing input and the signature over it."""
    return f"{signed.decode()}.{base64url.encode(signature)}"


def json_object(data: bytes, what: str) -> JsonObject:
    """The JSON object of a token's header or payload, as `what` calls it; `Invalid` for anything else."""
    value = strictjson.loads(data)
    if not isinstance(value, dict):
        raise malformed(f"its {what} is not a JSON object")
    return value


def malformed(reason: str) -> Invalid:
    """The refusal of what is no token."""
    return Invalid("token-malformed", "The token is not a signed one that can be read.", (reason,))


class _Registry(jws.JWSRegistry):
    """joserfc with this module's limits, in base64url characters."""

    max_header_length = 4 * HEADER_BYTES_MAX // 3 + 4
    max_payload_length = 4 * DOCUMENT_BYTES_MAX // 3 + 4
    max_signature_length = 4 * SIGNATURE_BYTES_MAX // 3 + 4

    def get_alg(self, name: str) -> Any:
        """The algorithm, without joserfc's warning of the older name of Ed25519; `verify` has allowed it."""
        return self.algorithms[name]


@lru_cache(_KEYS_CACHED_MAX)
def _loaded(public_key: PublicKey) -> OKPKey | ECKey | RSAKey:
    value: dict[str, str | list[str]] = {name: str(text) for name, text in jwk.encode(public_key).items()}
    if public_key.kind is KeyKind.ED25519:
        return OKPKey.import_key(value)
    if public_key.kind is KeyKind.P256:
        return ECKey.import_key(value)
    return RSAKey.import_key(value)


def _part(text: str) -> bytes:
    try:
        return base64url.decode(text)
    except Invalid as cause:
        raise malformed("a part of it is not base64url without padding") from cause


def _optional_text(header: JsonObject, member: str) -> str | None:
    value = header.get(member)
    if member in header and not isinstance(value, str):
        raise malformed(f"its {member} is not a string")
    return value if isinstance(value, str) else None
