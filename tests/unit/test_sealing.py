"""Sealing: what opens, what never opens, and what is refused before any cipher runs."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import os
import pickle
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import sealing
from shared.errors import Conflict, Invalid, NotFound
from shared.sealing import (
    PURPOSES,
    KeyWrap,
    MasterKey,
    Purpose,
    credential_uuid,
    encode_parts,
    keyed_hash,
    open_sealed,
    seal,
)

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def sealed_here(plaintext: bytes) -> str:
    return seal(KEY, plaintext, issuer_id="tenant", learner_id="learner", stream="assessment-1")


def opened(sealed: str, key: bytes = KEY, issuer: str = "tenant", learner: str = "learner") -> bytes:
    return open_sealed(key, sealed, issuer_id=issuer, learner_id=learner, stream="assessment-1")


# --- sealed holes -------------------------------------------------------------------------------------


@given(st.binary(max_size=400))
def test_what_is_sealed_opens_again(plaintext: bytes) -> None:
    assert opened(sealed_here(plaintext)) == plaintext


def test_two_seals_of_one_text_share_nothing_but_the_version() -> None:
    first, second = sealed_here(b"Ada Lovelace"), sealed_here(b"Ada Lovelace")
    assert first != second
    assert first[2:] != second[2:]


def test_a_sealed_hole_is_json_safe_text_without_padding() -> None:
    assert set(sealed_here(b"Ada" * 40)) <= set(BASE64URL)


def test_a_sealed_hole_opens_under_no_other_key_tenant_learner_or_stream() -> None:
    sealed = sealed_here(b"Ada")
    for key, issuer, learner, stream in [
        (OTHER_KEY, "tenant", "learner", "assessment-1"),
        (KEY, "other", "learner", "assessment-1"),
        (KEY, "tenant", "other", "assessment-1"),
        (KEY, "tenant", "learner", "assessment-2"),
        (KEY, "tenantl", "earner", "assessment-1"),
        (KEY, "learner", "tenant", "assessment-1"),
    ]:
        with pytest.raises(Invalid) as refused:
            open_sealed(key, sealed, issuer_id=issuer, learner_id=learner, stream=stream)
        assert refused.value.code == "sealed-unreadable"


def test_no_changed_dropped_or_added_character_opens() -> None:
    sealed = sealed_here(b"Ada Lovelace")  # 41 bytes: the last character has spare bits
    variants = [sealed[:i] + sealed[i + 1 :] for i in range(len(sealed))]
    variants += [sealed[:i] + c + sealed[i + 1 :] for i in range(len(sealed)) for c in BASE64URL + "=+/ \né"]
    variants += [sealed + c for c in "A= \n="] + [f"{sealed}==", ""]
    for variant in variants:
        if variant == sealed:
            continue
        with pytest.raises(Invalid) as refused:
            opened(variant)
        assert refused.value.code == "sealed-unreadable"


def test_a_key_of_another_length_is_a_bug_and_not_a_weaker_cipher() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        seal(KEY[:16], b"Ada", issuer_id="t", learner_id="l", stream="s")


# --- wrapped keys -------------------------------------------------------------------------------------


def test_a_wrapped_key_unwraps_only_in_its_place_and_unchanged() -> None:
    wrapped = KeyWrap(KEY).wrap(b"secret", ("tenant", "learner"))
    assert KeyWrap(KEY).unwrap(wrapped, ("tenant", "learner")) == b"secret"
    flipped = [wrapped[:i] + bytes([wrapped[i] ^ 1]) + wrapped[i + 1 :] for i in range(len(wrapped))]
    attempts = [(KEY, variant, ("tenant", "learner")) for variant in [*flipped, b"", wrapped[:-1]]]
    attempts += [(KEY, wrapped, ("tenantlearner",)), (KEY, wrapped, ("tenant", "learner", ""))]
    attempts += [(OTHER_KEY, wrapped, ("tenant", "learner"))]
    for key, variant, context in attempts:
        with pytest.raises(Invalid) as refused:
            KeyWrap(key).unwrap(variant, context)
        assert refused.value.code == "wrapped-unreadable"


def test_a_sealed_hole_cannot_be_read_as_a_wrapped_key() -> None:
    wrapped = KeyWrap(KEY).wrap(b"secret", ("tenant", "learner", "assessment-1"))
    with pytest.raises(Invalid):
        opened(base64.urlsafe_b64encode(wrapped).rstrip(b"=").decode())


@given(st.lists(st.text(max_size=6), max_size=4), st.lists(st.text(max_size=6), max_size=4))
def test_different_parts_never_share_an_encoding(left: list[str], right: list[str]) -> None:
    assert (encode_parts(*left) == encode_parts(*right)) == (left == right)


# --- the master key -----------------------------------------------------------------------------------


def test_a_created_master_key_is_read_again_and_only_its_owner_may(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    created = MasterKey.create_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32
    assert MasterKey.from_file(path).derive("vault") == created.derive("vault")
    assert [entry.name for entry in tmp_path.iterdir()] == ["master.key"]


def test_an_existing_master_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    MasterKey.create_file(path)
    before = path.read_bytes()
    with pytest.raises(Conflict) as refused:
        MasterKey.create_file(path)
    assert refused.value.code == "master-key-exists"
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["master.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666])
def test_a_master_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(KEY)
    path.chmod(mode)
    with pytest.raises(Invalid) as refused:
        MasterKey.from_file(path)
    assert refused.value.code == "master-key-exposed"


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_master_key_of_another_length_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(bytes(length))
    path.chmod(0o600)
    with pytest.raises(Invalid) as refused:
        MasterKey.from_file(path)
    assert refused.value.code == "master-key-length"


def test_a_missing_file_a_folder_and_a_pipe_are_no_master_key(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        MasterKey.from_file(tmp_path / "absent")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for strange in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Invalid) as refused:
            MasterKey.from_file(strange)
        assert refused.value.code == "master-key-unreadable"


def test_each_purpose_has_a_key_of_its_own_and_no_other_purpose_has_one() -> None:
    master = MasterKey(KEY)
    purposes: list[Purpose] = ["vault", "tenant-secret", "signing-key", "webhook-secret", "learner-reference"]
    purposes += ["operator-signing", "posted-credential"]
    assert set(purposes) == PURPOSES
    derived = {master.derive(purpose) for purpose in purposes}
    assert len(derived) == len(purposes)
    assert KEY not in derived
    with pytest.raises(ValueError, match="no such purpose"):
        master.derive("vualt")  # type: ignore[arg-type]


def test_derivation_is_hkdf_as_rfc_5869_spells_it_out() -> None:
    info = b"".join(len(p).to_bytes(4, "big") + p for p in (b"microcred", b"derive", b"vault"))
    extracted = hmac.digest(bytes(32), KEY, "sha256")
    assert MasterKey(KEY).derive("vault") == hmac.digest(extracted, info + b"\x01", "sha256")


@pytest.mark.parametrize("kind", [MasterKey, KeyWrap])
def test_a_key_shows_itself_to_no_log_pickle_or_copy(kind: type[MasterKey] | type[KeyWrap]) -> None:
    key = kind(KEY)
    assert repr(key) == str(key) == f"{key}" == f"{kind.__name__}(hidden)"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(key, protocol)
    with pytest.raises(TypeError, match="never pickled"):
        copy.copy(key)


# --- keyed hashes and derived ids ---------------------------------------------------------------------


def test_a_keyed_hash_is_hmac_over_length_prefixed_parts() -> None:
    message = b"\x00\x00\x00\x01a\x00\x00\x00\x02bc"
    assert keyed_hash(KEY, "a", "bc") == hmac.new(KEY, message, hashlib.sha256).digest()
    assert keyed_hash(KEY, "ab", "c") != keyed_hash(KEY, "a", "bc")


@given(st.text(max_size=80))
def test_a_credential_id_is_a_uuid_version_8_derived_from_the_assessment(assessment_id: str) -> None:
    derived = credential_uuid(KEY, assessment_id)
    assert (derived.version, derived.variant) == (8, uuid.RFC_4122)
    assert derived == credential_uuid(KEY, assessment_id)
    assert derived != credential_uuid(OTHER_KEY, assessment_id)


def test_a_credential_id_keeps_every_bit_of_the_hash_but_version_and_variant() -> None:
    derived = credential_uuid(KEY, "assessment-1").int
    hashed = int.from_bytes(keyed_hash(KEY, "credential", "assessment-1")[:16], "big")
    assert derived ^ hashed & ~(0xF << 76 | 0x3 << 62) == derived & (0xF << 76 | 0x3 << 62)


@given(
    st.one_of(
        st.text(alphabet="AQZgw09-_+/= \n\0é", max_size=12),
        st.binary(max_size=70).map(lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()),
    )
)
def test_sealed_text_has_the_one_spelling_that_sealing_writes(text: str) -> None:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        canonical = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == text
    except ValueError:
        canonical = False
    if canonical:
        assert sealing._decode_canonical(text) == raw
    else:
        with pytest.raises(Invalid):
            sealing._decode_canonical(text)
