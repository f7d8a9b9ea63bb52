"""An issuer as the world sees it: its profile (Open Badges 3.0, class Profile) and its DID document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.issuer.documents.addresses import Addresses, stamp
from shared.contracts.issuers import IssuerProfile
from shared.proofs import didkey, didweb
from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3
from shared.proofs.public_keys import PublicKey
from shared.proofs.strictjson import JsonObject


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key of a DID document; `compromised_at` is the moment since which somebody else may have it."""

    public_key: PublicKey
    compromised_at: datetime | None = None


def profile(addresses: Addresses, slug: str, did: str, facts: IssuerProfile) -> JsonObject:
    """The Profile object, equal in credentials and at the issuer's address."""
    document: JsonObject = {"id": did, "type": ["Profile"], "name": facts.name, "url": facts.url}
    if facts.email is not None:
        document["email"] = facts.email
    if facts.description is not None:
        document["description"] = facts.description
    if facts.country is not None:
        document["address"] = {
            "id": f"{addresses.issuer(slug)}#address",
            "type": ["Address"],
            "addressCountryCode": facts.country,
        }
    return document


def profile_page(addresses: Addresses, slug: str, did: str, facts: IssuerProfile) -> JsonObject:
    """The document at the issuer's address: the same object with its contexts."""
    return {"@context": [CREDENTIALS_V2, OPEN_BADGES_V3], **profile(addresses, slug, did, facts)}


def did_document(did: str, keys: Sequence[ListedKey]) -> JsonObject:
    """What `did` resolves to, with every key that it ever had, oldest first; a did:key has one."""
    if didkey.is_did_key(did):
        return didkey.document(did)
    good = [key.public_key for key in keys if key.compromised_at is None]
    revoked = {key.public_key: stamp(key.compromised_at) for key in keys if key.compromised_at is not None}
    return didweb.document(did, good, revoked)
