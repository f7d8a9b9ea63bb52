"""JSON Web Key (RFC 7517, RFC 7518 §6, RFC 8037 §2): public keys as JSON, read strictly and written.

Refuses the secret half of a key wherever it turns up, keys for encryption, keys for another algorithm than
their kind has, coordinates of another length or off their curve, numbers with leading zeros, and base64url in
another than its one spelling. Members that RFC 7517 does not know are passed over, as it demands.
"""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from shared.errors import Invalid
from shared.proofs import base64url, jcs
from shared.proofs.public_keys import KeyKind, PublicKey, malformed
from shared.proofs.strictjson import JsonObject

_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_COORDINATE_BYTES = 32
_ALGORITHMS = {
    KeyKind.ED25519: frozenset({"EdDSA", "Ed25519"}),  # RFC 9864 renamed it
    KeyKind.P256: frozenset({"ES256"}),
    KeyKind.RSA: frozenset({"RS256"}),
}


def algorithms(kind: KeyKind) -> frozenset[str]:
    """The names under which JOSE knows the one algorithm of this kind of key."""
    return _ALGORITHMS[kind]


def decode(value: object) -> PublicKey:
    """The public key in a JWK; `Invalid` with code `key-malformed` or `key-weak`."""
    if not isinstance(value, dict):
        raise malformed("a JWK is an object")
    if _SECRET_MEMBERS & value.keys():
        raise malformed("a JWK tells the secret half of its key")
    try:
        key = _decode(value)
    except Invalid as cause:
        if cause.code == "base64url-malformed":
            raise malformed("a member of a JWK is not base64url without padding") from cause
        raise
    _refuse_other_use(value, key.kind)
    return key


def encode(public_key: PublicKey) -> JsonObject:
    """The JWK of a public key, with nothing in it but the key."""
    if public_key.kind is KeyKind.ED25519:
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(public_key.data)}
    if public_key.kind is KeyKind.P256:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key.data)
        both = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        x, y = both[:_COORDINATE_BYTES], both[_COORDINATE_BYTES:]
        return {"kty": "EC", "crv": "P-256", "x": base64url.encode(x), "y": base64url.encode(y)}
    key = load_der_public_key(public_key.data)
    if not isinstance(key, rsa.RSAPublicKey):
        raise malformed("it is not the encoding of an RSA key")
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": _number_text(numbers.n), "e": _number_text(numbers.e)}


def thumbprint(public_key: PublicKey) -> str:
    """RFC 7638: the key's own name, 43 letters of base64url. `encode` has the members that are hashed."""
    return base64url.encode(sha256(jcs.canonical_bytes(encode(public_key))).digest())


def verification_method(controller: str, public_key: PublicKey) -> JsonObject:
    """The JsonWebKey object of `public_key` in a DID document, named `<controller>#<thumbprint>`."""
    return {
        "id": f"{controller}#{thumbprint(public_key)}",
        "type": "JsonWebKey",
        "controller": controller,
        "publicKeyJwk": encode(public_key),
    }


def _decode(value: JsonObject) -> PublicKey:
    kind = (value.get("kty"), value.get("crv"))
    if kind == ("OKP", "Ed25519"):
        return PublicKey.ed25519(_bytes(value, "x"))
    if kind == ("EC", "P-256"):
        return PublicKey.p256(_compressed(_coordinate(value, "x"), _coordinate(value, "y")))
    if kind == ("RSA", None):
        return PublicKey.rsa(_number(value, "n"), _number(value, "e"))
    raise malformed("a JWK is of another kind than Ed25519, P-256 and RSA")


def _refuse_other_use(value: JsonObject, kind: KeyKind) -> None:
    """RFC 7517 §4.2 to §4.4: a key that says what it is for is used for nothing else."""
    if "use" in value and value["use"] != "sig":
        raise malformed("a JWK is not for signatures")
    operations = value.get("key_ops", ["verify"])
    if not isinstance(operations, list) or operations.count("verify") != 1:
        raise malformed("a JWK is not for verifying")
    if "alg" in value and value["alg"] not in _ALGORITHMS[kind]:
        raise malformed("a JWK is for another algorithm than its kind has")


def _bytes(value: JsonObject, member: str) -> bytes:
    text = value.get(member)
    if not isinstance(text, str):
        raise malformed("a member of a JWK is missing or not a string")
    return base64url.decode(text)


def _coordinate(value: JsonObject, member: str) -> int:
    data = _bytes(value, member)
    if len(data) != _COORDINATE_BYTES:
        raise malformed("a coordinate of a JWK has another length than its curve")
    return int.from_bytes(data, "big")


def _compressed(x: int, y: int) -> bytes:
    try:
        point = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError as cause:
        raise malformed("the point is not on the curve P-256") from cause
    return point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def _number(value: JsonObject, member: str) -> int:
    """RFC 7518 §2, Base64urlUInt: the fewest bytes that hold the number."""
    data = _bytes(value, member)
    if not data or data[0] == 0:
        raise malformed("a number in a JWK is empty or starts with zeros")
    return int.from_bytes(data, "big")


def _number_text(number: int) -> str:
    return base64url.encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
