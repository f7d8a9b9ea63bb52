"""A status list as a credential, and the entry that points into it (Bitstring Status List 1.0).

`issuer` is a string, as the W3C's suite demands. The list says that a bit is set, never when or why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.issuer.documents.addresses import Addresses, stamp
from shared.contracts.credentials import StatusEntry
from shared.proofs.bitstring import Bitstring
from shared.proofs.contexts import CREDENTIALS_V2
from shared.proofs.strictjson import JsonObject


@dataclass(frozen=True, slots=True)
class ListFacts:
    """What decides the bytes of one version of a list. `ttl_ms`: how long a verifier may keep it."""

    list_id: str
    did: str
    bits: bytes
    valid_from: datetime
    valid_until: datetime
    ttl_ms: int


def status_entry(addresses: Addresses, status: StatusEntry) -> JsonObject:
    """A credential's `credentialStatus`.

    A single object, as the 1EdTech schema demands; its id differs from the list's, as the W3C demands.
    """
    url = addresses.status_list(status.list_id)
    return {
        "id": f"{url}#{status.index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": str(status.index),
        "statusListCredential": url,
    }


def render_status_list(addresses: Addresses, facts: ListFacts) -> JsonObject:
    """The BitstringStatusListCredential, without proofs; equal bits give an equal `encodedList`."""
    url = addresses.status_list(facts.list_id)
    return {
        "@context": [CREDENTIALS_V2],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": facts.did,
        "validFrom": stamp(facts.valid_from),
        "validUntil": stamp(facts.valid_until),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": Bitstring(facts.bits).encode(),
            "ttl": facts.ttl_ms,
        },
    }
