"""Signing keys on a PKCS#11 token (OASIS PKCS #11 3.0): made there, used there, and never anywhere else.

A token is a hardware module, or a program that behaves like one. Its keys are of the kinds of shared/keys.py:
Ed25519 by CKM_EDDSA (pure), P-256 by CKM_ECDSA over a SHA-256 that is made here, RSA by CKM_SHA256_RSA_PKCS.
For ECDSA a token draws a random number, so that those signatures alone differ each time. The library is
loaded and the session opened at the first use; a session that broke is opened anew, once, before what is
asked is refused.

Whatever is amiss is Unavailable, since it is no record's fault: a token that is away, a PIN file that others
may read, a key of another kind than was asked for. Never tried twice: a PIN that the token refused, for after
a few tries it would lock itself.
"""

from __future__ import annotations

import os
import secrets
import stat
import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import (
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    UserAlreadyLoggedIn,
)

from shared import progress
from shared.errors import Invalid, Unavailable
from shared.key_kinds import KeyKind
from shared.keys import RSA_BITS
from shared.proofs.public_keys import P256_COORDINATE_BYTES, PublicKey

ED25519_PARAMETERS: Final = bytes.fromhex("06032b6570")
"""id-Ed25519 (RFC 8410 §3), in DER."""
P256_PARAMETERS: Final = bytes.fromhex("06082a8648ce3d030107")
"""secp256r1 (RFC 5480 §2.1.1.1), in DER."""
OCTET_STRINGS: Final = {32: bytes.fromhex("0420"), 65: bytes.fromhex("0441")}
"""What stands before an encoded point of so many bytes: that of Ed25519, and an uncompressed one of P-256."""
OBJECT_ID_BYTES: Final = 16
PIN_BYTES_MAX: Final = 1_024

Answer = TypeVar("Answer")


class Token:
    """One token, spoken to through one session of this process, by one thread at a time."""

    def __init__(self, module: Path, label: str, pin_file: Path) -> None:
        """`module` is the vendor's library, `label` the token's name, `pin_file` holds the user's PIN."""
        self._module = module
        self._label = label
        self._pin_file = pin_file
        self._session: Any = None
        self._pin_refused = False
        self._private_keys: dict[bytes, Any] = {}
        self._turn = threading.Lock()

    def make_key(self, label: str, kind: KeyKind = KeyKind.ED25519) -> TokenSigner:
        """Make a key pair that the token never gives away. Raises Unavailable."""
        object_id = secrets.token_bytes(OBJECT_ID_BYTES)
        wanted: dict[str, Any] = {
            "store": True,
            "id": object_id,
            "label": label,
            "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
            "private_template": {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
        }
        self._ask(lambda: self._generate(kind, wanted))
        return self.signer(object_id)

    def _generate(self, kind: KeyKind, wanted: dict[str, Any]) -> None:
        if kind is KeyKind.RSA:
            self._session.generate_keypair(KeyType.RSA, RSA_BITS, **wanted)
            return
        key_type, parameters, mechanism = _CURVES[kind]
        curve = self._session.create_domain_parameters(
            key_type, {Attribute.EC_PARAMS: parameters}, local=True
        )
        curve.generate_keypair(mechanism=mechanism, **wanted)

    def signer(self, object_id: bytes) -> TokenSigner:
        """The signer of a key that was made here. Raises Unavailable where the token does not have it."""
        return TokenSigner(self, object_id, self._ask(lambda: self._public_key(object_id)))

    def sign(self, object_id: bytes, messages: Sequence[bytes]) -> list[bytes]:
        """Sign each message with the key `object_id`, as its kind does. Raises Unavailable."""

        def sign() -> list[bytes]:
            key = self._private_keys.get(object_id)
            if key is None:
                key = self._private_keys[object_id] = self._object(ObjectClass.PRIVATE_KEY, object_id)
            mechanism, prepared = _MECHANISMS[key.key_type]
            signatures = []
            for message in messages:
                signatures.append(key.sign(prepared(message), mechanism=mechanism))
                progress.made()  # a module takes its time over a batch
            return signatures

        return self._ask(sign)

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        with self._turn:
            try:
                if self._session is not None:
                    return question()
            except PKCS11Error:
                self._forget_session()
            try:
                self._session = self._open()
                return question()
            except (PKCS11Error, RuntimeError) as cause:
                self._forget_session()
                kind = type(cause).__name__
                raise Unavailable(f"The token with the signing keys does not answer ({kind}).") from cause

    def _open(self) -> Any:
        if self._pin_refused:
            raise Unavailable("The token refused the PIN of PKCS11_PIN_FILE. Mend it and start again.")
        token = pkcs11.lib(str(self._module)).get_token(token_label=self._label)
        try:
            return token.open(rw=True, user_pin=_pin(self._pin_file))
        except (PinIncorrect, PinInvalid, PinLenRange, PinLocked):
            self._pin_refused = True
            raise
        except UserAlreadyLoggedIn:  # another session of this process: this one stands under its login
            return token.open(rw=True)

    def _forget_session(self) -> None:
        self._session = None
        self._private_keys.clear()

    def _object(self, kind: ObjectClass, object_id: bytes) -> Any:
        return self._session.get_key(object_class=kind, id=object_id)

    def _public_key(self, object_id: bytes) -> PublicKey:
        key = self._object(ObjectClass.PUBLIC_KEY, object_id)
        try:
            if key.key_type is KeyType.RSA:
                numbers = (key[Attribute.MODULUS], key[Attribute.PUBLIC_EXPONENT])
                return PublicKey.rsa(*(int.from_bytes(number, "big") for number in numbers))
            point = _bare(key[Attribute.EC_POINT])
            if key.key_type is KeyType.EC_EDWARDS:
                return PublicKey.ed25519(point)
            return PublicKey.p256(bytes([2 + point[-1] % 2]) + point[1 : 1 + P256_COORDINATE_BYTES])
        except Invalid as cause:
            raise Unavailable("The token's public key is none of Ed25519, P-256 or RSA.") from cause


class TokenSigner:
    """A Signer (shared/keys.py) whose private key stays on its token."""

    __slots__ = ("_object_id", "_public_key", "_token")

    def __init__(self, token: Token, object_id: bytes, public_key: PublicKey) -> None:
        self._token = token
        self._object_id = object_id
        self._public_key = public_key

    @property
    def object_id(self) -> bytes:
        """What the token knows the key by (CKA_ID); worth nothing without the token and its PIN."""
        return self._object_id

    @property
    def public_key(self) -> PublicKey:
        """The public key, and with it the kind of the signatures."""
        return self._public_key

    def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Sign each message on the token; the signatures stand in their order. Raises Unavailable."""
        return self._token.sign(self._object_id, messages)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is never pickled or copied: its token is this process's")


def _bare(point: bytes) -> bytes:
    """An encoded point; tokens give it within a DER OCTET STRING, or as it is."""
    for length, prefix in OCTET_STRINGS.items():
        if len(point) == len(prefix) + length:
            return point.removeprefix(prefix)
    return point


def _unchanged(message: bytes) -> bytes:
    return message


def _hashed(message: bytes) -> bytes:
    return sha256(message).digest()


_CURVES: Final[Mapping[KeyKind, tuple[KeyType, bytes, Mechanism]]] = {
    KeyKind.ED25519: (KeyType.EC_EDWARDS, ED25519_PARAMETERS, Mechanism.EC_EDWARDS_KEY_PAIR_GEN),
    KeyKind.P256: (KeyType.EC, P256_PARAMETERS, Mechanism.EC_KEY_PAIR_GEN),
}
_MECHANISMS: Final[Mapping[KeyType, tuple[Mechanism, Callable[[bytes], bytes]]]] = {
    KeyType.EC_EDWARDS: (Mechanism.EDDSA, _unchanged),
    KeyType.EC: (Mechanism.ECDSA, _hashed),
    KeyType.RSA: (Mechanism.SHA256_RSA_PKCS, _unchanged),
}


def _pin(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as cause:
        raise Unavailable("PKCS11_PIN_FILE cannot be opened.") from cause
    try:
        # The opened file's rights are judged, not the path's: a swap in between gains nothing.
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or stat.S_IMODE(facts.st_mode) & 0o077:
            raise Unavailable("PKCS11_PIN_FILE must be a regular file of mode 0600.")
        return os.read(descriptor, PIN_BYTES_MAX).decode().strip()
    finally:
        os.close(descriptor)
