"""did:web: a DID that is an https address, and the document that is served there.

`https://example.org:8443/badges` and `/issuers/oslo` make `did:web:example.org%3A8443:badges:issuers:oslo`,
whose document is at `https://example.org:8443/badges/issuers/oslo/did.json`; a bare host's is at
`/.well-known/did.json`. Only names and addresses are made here: fetching is the verifier's guarded client.

Refuses http, IP addresses, credentials, queries and fragments in the address, and any spelling that would
not lead back to itself.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import quote, unquote, urlsplit

from shared.errors import Invalid
from shared.proofs import jwk, multikey
from shared.proofs.public_keys import KeyKind, PublicKey
from shared.proofs.strictjson import JsonObject, JsonValue

_PREFIX = "did:web:"
_DID_CHARS_MAX = 2_048
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._-]|%[0-9A-F]{2})+")
_PORT_MAX = 65_535
NONE_REVOKED: Mapping[PublicKey, str] = MappingProxyType({})


def did(public_url: str, path: str = "") -> str:
    """The DID of the place `path` below the https address `public_url`.

    Raises `Invalid` with code `did-malformed` for an address that has none.
    """
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    if parts.scheme != "https" or parts.username is not None or parts.query or parts.fragment:
        raise _malformed("the public address must be https, without credentials, query or fragment")
    _check_host(host)
    port = f"%3A{parts.port}" if parts.port not in (None, 443) else ""
    segments = [quote(unquote(step), safe="") for step in f"{parts.path}/{path}".split("/") if step]
    identifier = _PREFIX + ":".join([host + port, *segments])
    document_url(identifier)
    return identifier


def is_did_web(identifier: str) -> bool:
    """Whether `identifier` claims to be a did:web, good or not."""
    return identifier.startswith(_PREFIX)


def document_url(identifier: str) -> str:
    """The https address of the document of the did:web `identifier`; `Invalid` with code `did-malformed`."""
    if not is_did_web(identifier) or len(identifier) > _DID_CHARS_MAX:
        raise _malformed("it does not start with did:web: or is too long")
    authority, *segments = identifier.removeprefix(_PREFIX).split(":")
    host, percent, port = authority.partition("%3A")
    _check_host(host)
    if percent and not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) <= _PORT_MAX):
        raise _malformed("its port is not a number of a port")
    for segment in segments:
        if not _SEGMENT.fullmatch(segment) or unquote(segment) in (".", ".."):
            raise _malformed("a part of its path is empty or holds a character that must be escaped")
    path = "/".join(segments) if segments else ".well-known"
    return f"https://{host}{':' + port if percent else ''}/{path}/did.json"


def document(
    identifier: str, public_keys: Sequence[PublicKey], revoked: Mapping[PublicKey, str] = NONE_REVOKED
) -> JsonObject:
    """The DID document of `identifier` with its keys, in the order given.

    Keys stay listed after they are retired: a credential signed with one must verify for ever. Not so what
    was compromised: `revoked` keys are told with their moment, a dateTimeStamp (Controlled Identifiers 1.0
    §2.2), and asserted with no more. `assertionMethod` is a list of full DID URLs, the only form that every
    verifier reads. RSA keys, which have no Multikey, are told as JSON Web Keys.
    """
    document_url(identifier)
    methods = [_method(identifier, key) for key in public_keys]
    method_ids: list[JsonValue] = [method["id"] for method in methods]
    methods += [_method(identifier, key) | {"revoked": moment} for key, moment in revoked.items()]
    with_jwk = any("publicKeyJwk" in method for method in methods)
    return {
        "@context": [
            "https://www.w3.org/ns/did/v1",
            "https://w3id.org/security/multikey/v1",
            *(["https://w3id.org/security/jwk/v1"] if with_jwk else []),
        ],
        "id": identifier,
        "verificationMethod": list[JsonValue](methods),
        "assertionMethod": method_ids,
    }


def _method(identifier: str, public_key: PublicKey) -> JsonObject:
    if public_key.kind is KeyKind.RSA:
        return jwk.verification_method(identifier, public_key)
    return multikey.verification_method(identifier, public_key)


def _check_host(host: str) -> None:
    if not _HOST.fullmatch(host):
        raise _malformed("its host is not a lower-case domain name")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    raise _malformed("its host is an IP address")


def _malformed(reason: str) -> Invalid:
    return Invalid("did-malformed", "The identifier is not a did:web.", (reason,))
