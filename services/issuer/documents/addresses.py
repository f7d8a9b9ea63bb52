"""Addresses that stand in signed documents: made of PUBLIC_URL and ids, never of ports or mounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

STAMPS_KEPT_MAX = 1_024
"""Moments whose spelling is remembered: the credentials of a batch are all of one."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The public addresses below `public_url`, which has no slash at its end."""

    public_url: str

    def issuer(self, slug: str) -> str:
        """The profile of an issuer."""
        return f"{self.public_url}/issuers/{slug}"

    def achievement(self, achievement_id: str, version: int) -> str:
        """An immutable version of an achievement."""
        return f"{self.public_url}/achievements/{achievement_id}/{version}"

    def credential(self, credential_id: str) -> str:
        """A credential; whoever has this address may read it."""
        return f"{self.public_url}/credentials/{credential_id}"

    def status_list(self, list_id: str) -> str:
        """The newest version of a status list."""
        return f"{self.public_url}/status/{list_id}"


@lru_cache(STAMPS_KEPT_MAX)
def stamp(moment: datetime) -> str:
    """A moment as documents write it: dateTimeStamp in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
