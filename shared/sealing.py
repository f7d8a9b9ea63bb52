"""The cryptography of secrets at rest: the master key, wrapped keys, sealed holes, keyed hashes.

Personal data stands in an event only sealed under its learner's own key, and that key stands in the
vault only wrapped under a key derived from the master key. Forgetting a learner is then the deletion of
one row, and the log stays whole. This file holds the algorithms alone; who may read which key, and for
how long, is the vault's business.

Every ciphertext is bound to its place: the additional data of AES-256-GCM (NIST SP 800-38D) encodes tenant,
learner and stream, so that a hole copied into another stream, or a key copied to another learner, does not
open. Refused: keys of another length than 256 bits, a master key file that others may read, text that is
not the one canonical base64url form, and any purpose that is not named here.

The random 96-bit nonce allows 2^32 encryptions under one key; a learner's key sees a few hundred.
"""

from __future__ import annotations

import base64
import binascii
import errno
import hmac
import os
import secrets
import stat
import struct
from pathlib import Path
from typing import Final, Literal, NoReturn, get_args
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import Conflict, Invalid, NotFound
from shared.uuids import derived_uuid

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
VERSION: Final = b"\x01"

Purpose = Literal[
    "vault",
    "tenant-secret",
    "signing-key",
    "webhook-secret",
    "learner-reference",
    "operator-signing",
    "posted-credential",
]
"""What the master key may be stretched into. One purpose, one key: none can stand in for another."""

PURPOSES: Final[frozenset[str]] = frozenset(get_args(Purpose))

_LENGTH: Final = struct.Struct(">I").pack

_FROM_BASE64URL: Final = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
"""To the alphabet that the decoder reads; what base64url does not have becomes what no alphabet has."""

_LAST_LETTERS: Final[tuple[frozenset[int], ...]] = (
    frozenset(),
    frozenset(b"AQgw"),
    frozenset(b"AEIMQUYcgkosw048"),
)
"""By the bytes left over from threes: the letters that end a text with no bit to spare. Threes need none."""

_UNREADABLE: Final = "the sealed data does not open with this key in this place"


def encode_parts(*parts: str) -> bytes:
    """Encode strings so that no two different sequences share an encoding: each behind its 4-byte length.

    Joining with a separator would let ("ab", "c") and ("a", "bc") meet; lengths cannot.
    """
    encoded = b""
    for part in parts:  # a few short ones: joining a list of them takes three times as long
        data = part.encode()
        encoded += _LENGTH(len(data)) + data
    return encoded


class MasterKey:
    """The one secret that the installation keeps outside its database; every other key hangs from it."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        """`secret`: 32 random bytes. Raises Invalid("master-key-length") for any other length."""
        if len(secret) != KEY_BYTES:
            raise Invalid("master-key-length", "a master key is exactly 32 bytes")
        self._secret = bytes(secret)

    @classmethod
    def from_file(cls, path: Path) -> MasterKey:
        """Read the key from a regular file that only its owner can read.

        Raises NotFound("master-key-missing"), Invalid("master-key-exposed") when group or others have any
        right to it, Invalid("master-key-unreadable") and Invalid("master-key-length").
        """
        try:
            # Non-blocking, or a named pipe at this path would hold the start for ever.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError as missing:
            raise NotFound("master-key-missing", "there is no master key file at the given path") from missing
        except OSError as cause:
            raise Invalid("master-key-unreadable", "the master key file cannot be opened") from cause
        try:
            # The opened file's rights are judged, not the path's: a swap in between gains nothing.
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise Invalid("master-key-unreadable", "the master key must be a regular file")
            if stat.S_IMODE(facts.st_mode) & 0o077:
                raise Invalid("master-key-exposed", "the master key file must have mode 0600")
            return cls(os.read(descriptor, KEY_BYTES + 1))
        finally:
            os.close(descriptor)

    @classmethod
    def create_file(cls, path: Path) -> MasterKey:
        """Make a new key and the file that keeps it, mode 0600, whole or not at all.

        Raises Conflict("master-key-exists") and leaves the file alone where there is one already: an
        overwritten master key is the loss of everything sealed under it. OSError means that the folder
        does not take the file; nothing of it is left then.
        """
        secret = secrets.token_bytes(KEY_BYTES)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secret)
                file.flush()
                os.fsync(file.fileno())
            # link() is the one atomic step that refuses an existing name; rename() would replace it.
            os.link(draft, path)
        except FileExistsError as exists:
            raise Conflict("master-key-exists", "there is a master key at the given path already") from exists
        finally:
            draft.unlink()
        _sync_folder(path.parent)
        return cls(secret)

    def derive(self, purpose: Purpose) -> bytes:
        """Give the 32-byte key for one purpose (HKDF-SHA-256, RFC 5869, the purpose as info).

        Raises ValueError for a purpose that is not in PURPOSES: a misspelt one would silently be a new key.
        """
        if purpose not in PURPOSES:
            raise ValueError(f"no such purpose: {purpose!r}")
        info = encode_parts("microcred", "derive", purpose)
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._secret)

    def key_wrap(self, purpose: Purpose) -> KeyWrap:
        """Give the key-encryption key for one purpose, ready to wrap. Raises ValueError as `derive`."""
        return KeyWrap(self.derive(purpose))

    def __repr__(self) -> str:
        return "MasterKey(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a master key is never pickled or copied")


def _sync_folder(folder: Path) -> None:
    """Make a new name in `folder` survive a power failure, where the file system offers that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as refused:
        if refused.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


class KeyWrap:
    """A key-encryption key at work: it wraps other keys and secrets, for as long as its owner lives."""

    __slots__ = ("_cipher",)

    def __init__(self, kek: bytes) -> None:
        """`kek` is 32 bytes."""
        self._cipher = _cipher(kek)

    def wrap(self, plaintext: bytes, context: tuple[str, ...]) -> bytes:
        """Encrypt a secret for one place: version ‖ nonce ‖ ciphertext ‖ tag.

        `context` names the place, and only the same parts in the same order unwrap it.
        """
        return _encrypt(self._cipher, plaintext, encode_parts("wrap", *context))

    def unwrap(self, wrapped: bytes, context: tuple[str, ...]) -> bytes:
        """Undo `wrap`. Raises Invalid("wrapped-unreadable") for a wrong key or context, or a changed byte."""
        try:
            return _decrypt(self._cipher, wrapped, encode_parts("wrap", *context))
        except InvalidTag as cause:
            raise Invalid("wrapped-unreadable", "the wrapped key does not open with this key here") from cause

    def __repr__(self) -> str:
        return "KeyWrap(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key-encryption key is never pickled or copied")


def seal(learner_key: bytes, plaintext: bytes, *, issuer_id: str, learner_id: str, stream: str) -> str:
    """Seal a hole of an event under its learner's 32-byte key, as unpadded base64url for JSON.

    Two calls never give the same text. The length of the plaintext is not hidden.
    """
    sealed = _encrypt(_cipher(learner_key), plaintext, encode_parts("seal", issuer_id, learner_id, stream))
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def open_sealed(learner_key: bytes, sealed: str, *, issuer_id: str, learner_id: str, stream: str) -> bytes:
    """Undo `seal`. Raises Invalid("sealed-unreadable") for a wrong key or place, or a changed character."""
    raw = _decode_canonical(sealed)
    try:
        return _decrypt(_cipher(learner_key), raw, encode_parts("seal", issuer_id, learner_id, stream))
    except InvalidTag as cause:
        raise Invalid("sealed-unreadable", _UNREADABLE) from cause


def _decode_canonical(text: str) -> bytes:
    """Only the one spelling: no foreign characters, no padding, no spare bits in the last character."""
    try:
        letters = text.encode("ascii")
        raw = binascii.a2b_base64(
            letters.translate(_FROM_BASE64URL) + b"=" * (-len(letters) % 4), strict_mode=True
        )
    except ValueError as cause:
        raise Invalid("sealed-unreadable", _UNREADABLE) from cause
    left_over = len(raw) % 3
    if left_over and letters[-1] not in _LAST_LETTERS[left_over]:
        raise Invalid("sealed-unreadable", _UNREADABLE)
    return raw


def _encrypt(cipher: AESGCM, plaintext: bytes, place: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return VERSION + nonce + cipher.encrypt(nonce, plaintext, VERSION + place)


def _decrypt(cipher: AESGCM, sealed: bytes, place: bytes) -> bytes:
    if len(sealed) < 1 + NONCE_BYTES + TAG_BYTES or sealed[:1] != VERSION:
        raise InvalidTag
    return cipher.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], VERSION + place)


def _cipher(key: bytes) -> AESGCM:
    # A learner's is made for each call (under a microsecond): it must not outlive the key that erasure takes.
    if len(key) != KEY_BYTES:
        raise ValueError("every sealing key is 32 bytes; a shorter one would quietly select AES-128")
    return AESGCM(key)


def keyed_hash(key: bytes, *parts: str) -> bytes:
    """Hash strings with HMAC-SHA-256 (RFC 2104) under `key`: 32 bytes, the same for the same parts.

    For references that must be looked up but not guessed: without the key no hash can be computed.
    """
    return hmac.digest(key, encode_parts(*parts), "sha256")


def credential_uuid(tenant_secret: bytes, assessment_id: str) -> UUID:
    """Derive a credential's id from its assessment: UUIDv8 (RFC 9562 §5.8) from HMAC-SHA-256.

    Derived, so that issuing one assessment twice is a version conflict and not a second credential; keyed,
    so that whoever knows assessment ids cannot find the public pages of credentials.
    """
    return derived_uuid(keyed_hash(tenant_secret, "credential", assessment_id))
