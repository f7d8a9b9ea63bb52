"""Signing keys on a PKCS#11 token (OASIS PKCS #11 3.0): made there, used there, and never anywhere else.

A token is a hardware module, or a program that behaves like one. Its keys are Ed25519 (CKM_EDDSA, pure),
which is deterministic like every signature of this house. The library is loaded and the session opened at
the first use; a session that broke is opened anew, once, before what is asked is refused.

Whatever is amiss is Unavailable, since it is no record's fault: a token that is away, a PIN file that others
may read, a key of another kind than was asked for. Never tried twice: a PIN that the token refused, for after
a few tries it would lock itself.
"""

from __future__ import annotations

import os
import secrets
import stat
import threading
from collections.abc import Callable, Sequence
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

from shared.errors import Unavailable

ED25519_PARAMETERS: Final = bytes.fromhex("06032b6570")
"""id-Ed25519 (RFC 8410 §3), in DER."""
OCTET_STRING_OF_32: Final = bytes.fromhex("0420")
PUBLIC_KEY_BYTES: Final = 32
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

    def make_key(self, label: str) -> TokenSigner:
        """Make a key pair that the token never gives away. Raises Unavailable."""
        object_id = secrets.token_bytes(OBJECT_ID_BYTES)

        def make() -> None:
            parameters = self._session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: ED25519_PARAMETERS}, local=True
            )
            parameters.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                store=True,
                id=object_id,
                label=label,
                capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )

        self._ask(make)
        return self.signer(object_id)

    def signer(self, object_id: bytes) -> TokenSigner:
        """The signer of a key that was made here. Raises Unavailable where the token does not have it."""
        return TokenSigner(self, object_id, self._ask(lambda: self._public_key(object_id)))

    def sign(self, object_id: bytes, messages: Sequence[bytes]) -> list[bytes]:
        """Sign each message with the key `object_id`; 64 bytes each. Raises Unavailable."""

        def sign() -> list[bytes]:
            key = self._private_keys.get(object_id)
            if key is None:
                key = self._private_keys[object_id] = self._object(ObjectClass.PRIVATE_KEY, object_id)
            return [key.sign(message, mechanism=Mechanism.EDDSA) for message in messages]

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
        return self._session.get_key(object_class=kind, key_type=KeyType.EC_EDWARDS, id=object_id)

    def _public_key(self, object_id: bytes) -> bytes:
        point: bytes = self._object(ObjectClass.PUBLIC_KEY, object_id)[Attribute.EC_POINT]
        key = point.removeprefix(OCTET_STRING_OF_32) if len(point) > PUBLIC_KEY_BYTES else point
        if len(key) != PUBLIC_KEY_BYTES:
            raise Unavailable("The token's public key is not one of Ed25519.")
        return key


class TokenSigner:
    """A Signer (shared/keys.py) whose private key stays on its token."""

    __slots__ = ("_object_id", "_public_key", "_token")

    def __init__(self, token: Token, object_id: bytes, public_key: bytes) -> None:
        self._token = token
        self._object_id = object_id
        self._public_key = public_key

    @property
    def object_id(self) -> bytes:
        """What the token knows the key by (CKA_ID); worth nothing without the token and its PIN."""
        return self._object_id

    @property
    def public_key(self) -> bytes:
        """The raw 32-byte Ed25519 public key."""
        return self._public_key

    def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Sign each message on the token; the 64-byte signatures stand in their order. Raises Unavailable."""
        return self._token.sign(self._object_id, messages)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is never pickled or copied: its token is this process's")


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
