"""What the profile's verifier looks up: its own status lists. Keys are did:key, nothing is fetched."""

from __future__ import annotations

import json
from collections.abc import Sequence

from services.conformance.issuing import Issuing
from services.conformance.status import StatusLists
from services.verifier.domain.facts import Objection
from services.verifier.examination.objections import unknown
from services.verifier.examination.sources import FoundList, Method
from shared.errors import NotFound
from shared.proofs.suites.eddsa_rdfc_2022 import EddsaRdfc2022


class OwnLists:
    """The lists at `address`."""

    def __init__(self, issuing: Issuing, lists: StatusLists, address: str) -> None:
        self._issuing = issuing
        self._lists = lists
        self._at = f"{address}/status/"

    async def methods(self, _did: str, _wanted: str) -> Sequence[Method] | Objection:
        return unknown("key-not-retrieved", "Only did:key is resolved here.")

    async def status_list(self, url: str) -> FoundList | Objection:
        try:
            document = self._lists.document(url.removeprefix(self._at))
        except NotFound:
            return unknown("status-list-unreachable", "Only this profile's own lists are looked up here.")
        signed = await self._issuing.secured(document, EddsaRdfc2022.cryptosuite)
        return FoundList.of(json.dumps(signed).encode(), url)

    async def registry(self, _did: str) -> None:
        return None
