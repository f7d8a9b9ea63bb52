"""From intents to documents: open what is sealed, fetch what is pinned; for signing and for showing."""

from __future__ import annotations

from collections.abc import Sequence

from services.issuer import store
from services.issuer.documents.addresses import Addresses
from services.issuer.documents.credential import CredentialFacts, Holes
from shared.contracts import sealed
from shared.contracts.credentials import CredentialIssued
from shared.errors import NotFound
from shared.eventstore.log import Connection
from shared.sealing import open_sealed
from shared.vault import LearnerKeys

Intent = tuple[str, CredentialIssued]
"""(issuer_id, the intent)"""


class Rendering:
    """Gathers the facts of credentials, a batch at a time."""

    def __init__(self, addresses: Addresses, learner_keys: LearnerKeys) -> None:
        self._addresses = addresses
        self._learner_keys = learner_keys

    async def open(self, intents: Sequence[Intent]) -> list[Holes | None]:
        """Return what each intent seals; None where the learner was erased. Raises Unavailable."""
        keys = await self._learner_keys.of((issuer_id, issued.learner_id) for issuer_id, issued in intents)
        opened: list[Holes | None] = []
        for issuer_id, issued in intents:
            key = keys[(issuer_id, issued.learner_id)]
            if key is None:
                opened.append(None)
                continue
            plaintext = open_sealed(
                key,
                issued.sealed,
                issuer_id=issuer_id,
                learner_id=issued.learner_id,
                stream=issued.stream,
            )
            opened.append(sealed.decode(Holes, plaintext))
        return opened

    async def facts(
        self, connection: Connection, opened: Sequence[tuple[Intent, Holes]]
    ) -> list[CredentialFacts]:
        """Return the facts of each opened intent, in two queries. Raises NotFound if a pinned one is gone."""
        definitions = await store.definitions(
            connection,
            [
                (issuer_id, issued.achievement_id, issued.achievement_version)
                for (issuer_id, issued), _ in opened
            ],
        )
        profiles = await store.profiles(
            connection, [(issuer_id, issued.profile_version) for (issuer_id, issued), _ in opened]
        )
        facts = []
        for (issuer_id, issued), holes in opened:
            version = (issuer_id, issued.achievement_id, issued.achievement_version)
            pinned = profiles.get((issuer_id, issued.profile_version))
            if version not in definitions or pinned is None:
                raise NotFound("pinned-unknown", "A version that the intent pins is not known.")
            did, profile = pinned
            facts.append(
                CredentialFacts(self._addresses, issuer_id, did, profile, definitions[version], issued, holes)
            )
        return facts
