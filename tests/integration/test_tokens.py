"""Keys on a PKCS#11 token: made there, never given away, and used again after whatever broke the session."""

from __future__ import annotations

import pickle
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass
from pkcs11.exceptions import AttributeSensitive

from shared.errors import Unavailable
from shared.keys import Signer
from shared.proofs.public_keys import PublicKey
from shared.tokens import Token
from tests.softhsm import SoftToken

pytestmark = pytest.mark.softhsm


@pytest.fixture
def token(soft_token: SoftToken) -> Token:
    return Token(soft_token.module, soft_token.label, soft_token.pin_file)


def test_a_token_signs_in_order_and_again_byte_for_byte(token: Token) -> None:
    made = token.make_key("microcred test")
    signer: Signer = made
    messages = [f"message {number}".encode() for number in range(20)]
    signatures = signer.sign(messages)
    public_key = PublicKey.ed25519(signer.public_key)
    assert all(public_key.verify(*pair) for pair in zip(messages, signatures, strict=True))
    assert token.signer(made.object_id).sign(messages) == signatures
    assert token.make_key("microcred test").public_key != signer.public_key
    assert signer.sign([]) == []


def test_the_private_half_never_leaves_the_token(token: Token) -> None:
    made = token.make_key("microcred test")
    key = token._session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=made.object_id)
    assert (key[Attribute.SENSITIVE], key[Attribute.NEVER_EXTRACTABLE], key[Attribute.LOCAL]) == (True,) * 3
    with pytest.raises(AttributeSensitive):
        key[Attribute.VALUE]
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
