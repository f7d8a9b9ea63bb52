"""Status lists in memory: allocated at random, set at will, signed anew for whoever asks."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, timedelta

from shared import clock
from shared.errors import Invalid, NotFound
from shared.proofs import bitstring
from shared.proofs.bitstring import Bitstring
from shared.proofs.contexts import CREDENTIALS_V2
from shared.proofs.strictjson import JsonObject, JsonValue

PURPOSES = ("revocation", "suspension")
VALID_FOR = timedelta(hours=1)


class StatusLists:
    """One list a purpose; `address` makes the URL of a list of its purpose."""

    def __init__(self, issuer: str, address: Callable[[str], str]) -> None:
        self._issuer = issuer
        self._address = address
        self._bits = {purpose: Bitstring.zeros() for purpose in PURPOSES}
        self._taken: dict[str, int] = {}

    def with_entries(self, credential: JsonObject) -> JsonObject:
        """The credential with an entry in each list, under one random index that nothing else has."""
        index = secrets.randbelow(bitstring.LENGTH_MIN)
        while index in self._taken.values():
            index = secrets.randbelow(bitstring.LENGTH_MIN)
        identifier = credential.get("id")
        if not isinstance(identifier, str):
            identifier = clock.random_uuid().urn
        self._taken[identifier] = index
        entries: list[JsonValue] = [
            {
                "id": f"{self._address(purpose)}#{index}",
                "type": "BitstringStatusListEntry",
                "statusPurpose": purpose,
                "statusListIndex": str(index),
                "statusListCredential": self._address(purpose),
            }
            for purpose in PURPOSES
        ]
        return {**credential, "id": identifier, "credentialStatus": entries}

    def update(self, identifier: str, purpose: str, value: bool) -> None:
        """Set or clear the bit of a credential. Raises NotFound, and Invalid for an unknown purpose."""
        if identifier not in self._taken:
            raise NotFound("credential-unknown", "There is no such credential.")
        if purpose not in self._bits:
            raise Invalid("status-purpose-unknown", "There is no list of this purpose.")
        self._bits[purpose] = self._bits[purpose].with_bits([self._taken[identifier]], value)

    def document(self, purpose: str) -> JsonObject:
        """The list of a purpose as it is to be signed. Raises NotFound."""
        if purpose not in self._bits:
            raise NotFound("status-list-unknown", "There is no status list at this address.")
        now = clock.now().astimezone(UTC)
        url = self._address(purpose)
        return {
            "@context": [CREDENTIALS_V2],
            "id": url,
            "type": ["VerifiableCredential", "BitstringStatusListCredential"],
            "issuer": self._issuer,
            "validFrom": f"{now - VALID_FOR:%Y-%m-%dT%H:%M:%SZ}",
            "validUntil": f"{now + VALID_FOR:%Y-%m-%dT%H:%M:%SZ}",
            "credentialSubject": {
                "id": f"{url}#list",
                "type": "BitstringStatusList",
                "statusPurpose": purpose,
                "encodedList": self._bits[purpose].encode(),
            },
        }
