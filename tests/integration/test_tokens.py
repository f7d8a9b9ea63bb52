"""Keys on a PKCS#11 token: made there, never given away, and used again after whatever broke the session."""

from __future__ import annotations

import pickle
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass
from pkcs11.exceptions import AttributeSensitive

from shared.errors import Unavailable
from shared.key_kinds import KeyKind
from shared.keys import Signer
from shared.progress import told_to
from shared.tokens import Token
from tests.softhsm import SoftToken

pytestmark = pytest.mark.softhsm


@pytest.fixture
def token(soft_token: SoftToken) -> Token:
    return Token(soft_token.module, soft_token.label, soft_token.pin_file)


@pytest.mark.parametrize("kind", KeyKind)
def test_a_token_signs_in_order_with_every_kind_of_key(token: Token, kind: KeyKind) -> None:
    made = token.make_key("microcred test", kind)
    signer: Signer = made
    messages = [f"message {number}".encode() for number in range(20)]
    signatures = signer.sign(messages)
    assert signer.public_key.kind is kind
    assert all(signer.public_key.verify(*pair) for pair in zip(messages, signatures, strict=True))
    again = token.signer(made.object_id)
    assert again.public_key == signer.public_key
    # ECDSA on a token draws a random number: the signature differs, and holds.
    assert (again.sign(messages) == signatures) == (kind is not KeyKind.P256)
    assert token.make_key("microcred test", kind).public_key != signer.public_key
    assert signer.sign([]) == []


def test_each_signature_of_a_batch_is_progress(token: Token) -> None:
    signer, told = token.make_key("microcred test"), []
    with told_to(lambda: told.append(1)):
        signer.sign([b"one", b"two", b"three"])
    assert len(told) == 3


SECRET_HALF = {
    KeyKind.ED25519: Attribute.VALUE,
    KeyKind.P256: Attribute.VALUE,
    KeyKind.RSA: Attribute.PRIVATE_EXPONENT,
}


@pytest.mark.parametrize("kind", KeyKind)
def test_the_private_half_never_leaves_the_token(token: Token, kind: KeyKind) -> None:
    made = token.make_key("microcred test", kind)
    key = token._session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=made.object_id)
    assert (key[Attribute.SENSITIVE], key[Attribute.NEVER_EXTRACTABLE], key[Attribute.LOCAL]) == (True,) * 3
    with pytest.raises(AttributeSensitive):
        key[SECRET_HALF[kind]]
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(made)
    assert "5678" not in repr(vars(token))


def test_two_holders_in_one_process_share_the_token(token: Token, soft_token: SoftToken) -> None:
    other = Token(soft_token.module, soft_token.label, soft_token.pin_file)
    made = token.make_key("microcred test")
    assert other.signer(made.object_id).public_key == made.public_key
    assert other.sign(made.object_id, [b"m"]) == token.sign(made.object_id, [b"m"])


def test_a_session_that_broke_is_opened_anew(token: Token) -> None:
    made = token.make_key("microcred test")
    before = made.sign([b"m"])
    token._session.close()
    assert made.sign([b"m"]) == before


def test_what_is_not_there_is_unavailable_and_nobodys_record_to_blame(
    token: Token, soft_token: SoftToken, tmp_path: Path
) -> None:
    pin_file = soft_token.pin_file
    for absent in (
        Token(tmp_path / "nothing.so", soft_token.label, pin_file),
        Token(soft_token.module, "another", pin_file),
    ):
        with pytest.raises(Unavailable, match="does not answer"):
            absent.make_key("microcred test")
    with pytest.raises(Unavailable):
        token.signer(bytes(16))


def test_a_wrong_pin_or_one_that_others_may_read_opens_nothing(soft_token: SoftToken, tmp_path: Path) -> None:
    pin_file = tmp_path / "pin"
    pin_file.write_text("5678\n", "ascii")
    pin_file.chmod(0o640)
    with pytest.raises(Unavailable, match="0600"):
        Token(soft_token.module, soft_token.label, pin_file).make_key("microcred test")
    pin_file.chmod(0o600)
    pin_file.write_text("0000\n", "ascii")
    library = pkcs11.lib(str(soft_token.module))
    library.reinitialize()  # or a login of another test would still stand
    token = Token(soft_token.module, soft_token.label, pin_file)
    with pytest.raises(Unavailable, match="PinIncorrect"):
        token.make_key("microcred test")
    pin_file.write_text("5678\n", "ascii")
    with pytest.raises(Unavailable, match="refused the PIN"):  # a token locks itself after a few tries
        token.make_key("microcred test")
    Token(soft_token.module, soft_token.label, pin_file).make_key("microcred test")
