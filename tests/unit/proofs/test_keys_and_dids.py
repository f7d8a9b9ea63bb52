"""Public keys as multikeys, did:key and did:web: there, back, and what is refused."""

from __future__ import annotations

from typing import Any

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.proofs import didkey, didweb, ed25519, multikey
from shared.proofs.public_keys import PublicKey
from shared.proofs.strictjson import JsonObject

PRIME = 2**255 - 19
D = -121665 * pow(121666, -1, PRIME) % PRIME
ORDER = 2**252 + 27742317777372353535851937790883648493


def public_key(seed: bytes) -> PublicKey:
    return PublicKey.ed25519(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


KEY = public_key(bytes(range(32)))
P256_POINT = (
    ec.derive_private_key(7, ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)


@given(st.binary(min_size=32, max_size=32))
def test_every_key_comes_back_from_its_multikey_and_its_did(seed: bytes) -> None:
    key = public_key(seed)
    text = multikey.encode_public_key(key)
    assert text.startswith("z6Mk")
    assert multikey.decode_public_key(text) == key
    did = didkey.did(key)
    assert didkey.public_key(did) == didkey.public_key(didkey.verification_method_id(did)) == key


@given(st.one_of(st.binary(max_size=70), st.binary(max_size=70).map(lambda data: bytes(9) + data)))
def test_base58_is_written_as_the_library_writes_it(data: bytes) -> None:
    assert multikey.encode_multibase(data) == "z" + base58.b58encode(data).decode()


@given(st.binary(max_size=70))
def test_multibase_text_reads_back(data: bytes) -> None:
    if data:
        assert multikey.decode_multibase(multikey.encode_multibase(data)) == data


def test_the_published_key_reads_as_published(keypair: JsonObject) -> None:
    key = multikey.decode_public_key("z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2")
    assert multikey.encode_public_key(key) == keypair["publicKeyMultibase"]


TEXT = multikey.encode_public_key(KEY)
MALFORMED = {
    "no multibase letter": TEXT[1:],
    "another multibase": "m" + TEXT[1:],
    "a space": TEXT + " ",
    "a line feed": TEXT + "\n",
    "a letter outside the alphabet": TEXT[:-1] + "0",
    "nothing": "",
    "z alone": "z",
    "a leading zero byte": "z1" + TEXT[1:],
    "31 bytes": multikey.encode_multibase(b"\xed\x01" + KEY.data[:31]),
    "33 bytes": multikey.encode_multibase(b"\xed\x01" + KEY.data + b"\x00"),
    "P-384": multikey.encode_multibase(b"\x81\x24\x02" + bytes(48)),
    "P-256 as Ed25519": multikey.encode_multibase(b"\xed\x01\x02" + KEY.data),
    "Ed25519 as P-256": multikey.encode_multibase(b"\x80\x24" + KEY.data),
    "a point off the curve P-256": multikey.encode_multibase(b"\x80\x24\x02" + bytes(31) + b"\x07"),
    "an uncompressed P-256 point": multikey.encode_multibase(b"\x80\x24" + P256_POINT),
    "X25519": multikey.encode_multibase(b"\xec\x01" + KEY.data),
    "a private key": multikey.encode_multibase(b"\x80\x26" + KEY.data),
    "very long": "z" + "2" * 100_000,
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_key_that_is_not_a_multikey_of_a_known_kind_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="key-malformed"):
        multikey.decode_public_key(text)
    with pytest.raises(Invalid, match="key-malformed"):
        didkey.public_key(f"did:key:{text}")


def add(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
    """The Edwards addition law, so that the small-order points are derived and not copied."""
    (x1, y1), (x2, y2) = p, q
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, PRIME) % PRIME
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, PRIME) % PRIME
    return x, y


def multiply(point: tuple[int, int], factor: int) -> tuple[int, int]:
    result = (0, 1)
    for bit in bin(factor)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def x_of(y: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    return x if (x * x - square) % PRIME == 0 else None


def small_order_points() -> set[tuple[int, int]]:
    """Any point times the order of the large subgroup has small order; a few points reach all eight."""
    found = set()
    for y in range(2, 40):
        x = x_of(y)
        if x is not None:
            torsion = multiply((x, y), ORDER)
            for n in range(8):
                found.add(multiply(torsion, n) if n else (0, 1))
    return found


def test_every_encoding_of_a_small_order_point_is_refused() -> None:
    points = small_order_points()
    assert len(points) == 8
    for _, y in points:
        for sign in (0, 1):
            encoded = (y | sign << 255).to_bytes(32, "little")
            with pytest.raises(Invalid, match="key-weak"):
                PublicKey.ed25519(encoded)
            with pytest.raises(Invalid, match="key-weak"):
                multikey.decode_public_key(multikey.encode_multibase(b"\xed\x01" + encoded))


def test_every_non_canonical_encoding_is_refused() -> None:
    for y in range(PRIME, 2**255):
        for sign in (0, 1):
            assert ed25519.is_weak((y | sign << 255).to_bytes(32, "little"))
    assert not ed25519.is_weak((PRIME - 2).to_bytes(32, "little"))


def test_the_document_of_a_did_key_names_its_one_key() -> None:
    did = didkey.did(KEY)
    document: Any = didkey.document(did)
    method_id = f"{did}#{TEXT}"
    assert document["id"] == did
    assert document["verificationMethod"] == [
        {"id": method_id, "type": "Multikey", "controller": did, "publicKeyMultibase": TEXT}
    ]
    assert document["assertionMethod"] == [method_id]


@pytest.mark.parametrize(
    "identifier",
    [f"did:key:{TEXT}#{TEXT[:-1]}2", f"did:key:{TEXT}#", f"did:key:{TEXT}#key-1", f"did:web:{TEXT}", TEXT],
)
def test_a_name_that_is_not_of_that_key_is_refused(identifier: str) -> None:
    with pytest.raises(Invalid, match="did-malformed"):
        didkey.public_key(identifier)


PLACES = [
    ("https://example.org", "", "did:web:example.org", "https://example.org/.well-known/did.json"),
    (
        "https://example.org/",
        "/issuers/oslo",
        "did:web:example.org:issuers:oslo",
        "https://example.org/issuers/oslo/did.json",
    ),
    (
        "https://example.org:8443/badges",
        "issuers/oslo",
        "did:web:example.org%3A8443:badges:issuers:oslo",
        "https://example.org:8443/badges/issuers/oslo/did.json",
    ),
    ("https://example.org:443", "a", "did:web:example.org:a", "https://example.org/a/did.json"),
    ("https://EXAMPLE.org", "a", "did:web:example.org:a", "https://example.org/a/did.json"),
    (
        "https://localhost:8000",
        "issuers/år",
        "did:web:localhost%3A8000:issuers:%C3%A5r",
        "https://localhost:8000/issuers/%C3%A5r/did.json",
    ),
]


@pytest.mark.parametrize(("public_url", "path", "did", "url"), PLACES)
def test_a_place_has_a_did_and_the_did_leads_back(public_url: str, path: str, did: str, url: str) -> None:
    assert didweb.did(public_url, path) == did
    assert didweb.document_url(did) == url


@pytest.mark.parametrize(
    "public_url",
    [
        "http://example.org",
        "https://127.0.0.1",
        "https://[::1]",
        "https://user:word@example.org",
        "https://example.org?a=b",
        "https://example.org#a",
        "https://",
        "https://exa_mple.org",
        "https://example.org/a/../b",
        "example.org",
    ],
)
def test_an_address_that_cannot_be_a_did_is_refused(public_url: str) -> None:
    with pytest.raises(Invalid, match="did-malformed"):
        didweb.did(public_url, "issuers/oslo")


@pytest.mark.parametrize(
    "identifier",
    [
        "did:web:",
        "did:web:example.org:",
        "did:web:example.org::a",
        "did:web:EXAMPLE.org",
        "did:web:example.org%3a8443",
        "did:web:example.org%3A",
        "did:web:example.org%3A0",
        "did:web:example.org%3A65536",
        "did:web:example.org%3A" + "9" * 500,
        "did:web:example.org%2Fevil",
        "did:web:example.org:..",
        "did:web:example.org:%2E%2E",
        "did:web:example.org:a/b",
        "did:web:example.org:a?b",
        "did:web:example.org:a#z6Mk",
        "did:web:127.0.0.1",
        "did:web:user@example.org",
        "did:web:example.org\n",
        "did:web:" + "a." * 2_000 + "org",
        "did:key:z6Mk",
    ],
)
def test_an_identifier_that_leads_elsewhere_or_nowhere_is_refused(identifier: str) -> None:
    with pytest.raises(Invalid, match="did-malformed"):
        didweb.document_url(identifier)


def test_the_document_lists_every_key_by_its_full_name_in_order() -> None:
    did = "did:web:example.org:issuers:oslo"
    keys = [KEY, public_key(bytes(32))]
    document: Any = didweb.document(did, keys)
    names = [f"{did}#{multikey.encode_public_key(key)}" for key in keys]
    assert document["assertionMethod"] == names
    assert [method["id"] for method in document["verificationMethod"]] == names
    assert {method["controller"] for method in document["verificationMethod"]} == {did}
    assert [method["publicKeyMultibase"] for method in document["verificationMethod"]] == [
        name.partition("#")[2] for name in names
    ]


def test_the_document_tells_a_compromised_key_and_vouches_for_it_no_more() -> None:
    did, lost = "did:web:example.org:issuers:oslo", public_key(bytes(32))
    document: Any = didweb.document(did, [KEY], {lost: "2026-03-01T09:30:00.000Z"})
    good, bad = document["verificationMethod"]
    assert document["assertionMethod"] == [good["id"]]
    assert bad == multikey.verification_method(did, lost) | {"revoked": "2026-03-01T09:30:00.000Z"}
    assert "revoked" not in good
