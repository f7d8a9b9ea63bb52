"""What the verifier does: keep lists, keep issuers, verify, and look up a list to serve.

Steps 13 of ISSUANCE-CYCLE.md. Keeping never judges: a list's proof, issuer, purpose, window and length are
looked at when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import Counter

from services.verifier import projections, store
from services.verifier.domain.facts import KeyFacts, Objection, Recognition, Registry
from services.verifier.domain.judging import judge
from services.verifier.domain.presentation_rules import PresentationVerdict, judge_either, judge_presentation
from services.verifier.domain.verdict import Verdict
from services.verifier.examination.examine import Examiner, Expected
from services.verifier.examination.objections import unknown
from services.verifier.examination.sources import FoundList, Method, Sources
from services.verifier.fetching.fetcher import Errand, Fetcher
from services.verifier.fetching.web import Web
from services.verifier.recognition import recognised_store
from services.verifier.store import ListRow
from shared import clock
from shared.contracts.status_lists import StatusListPublished
from shared.database import Database
from shared.errors import NotFound
from shared.eventstore import Recorded, Session
from shared.proofs import multikey
from shared.proofs.strictjson import JsonValue
from shared.telemetry import END_TO_END_SECONDS

LIST_PATH = "/status/"
OURSELVES = "this installation"

VERIFICATIONS = Counter("microcred_verifications_total", "Verifications by verdict", ["verdict"])
PUBLISHED_TO_KEPT = END_TO_END_SECONDS.labels("published-to-kept")


async def keep_lists(batch: Sequence[Recorded], session: Session, _: Any) -> None:
    """Keep published status lists, and measure how long a revocation is on its way to verifiers."""
    await projections.project_lists(batch, session.connection)
    for recorded in batch:
        if isinstance(recorded.event, StatusListPublished):
            PUBLISHED_TO_KEPT.observe(max(0.0, (session.at - recorded.at).total_seconds()))


async def keep_issuers(batch: Sequence[Recorded], session: Session, _: Any) -> None:
    """Keep tenants' names, and their public keys with their ends."""
    await projections.project_issuers(batch, session.connection)


class Kept:
    """The sources of the running service: what it has kept from events, and then what other servers say."""

    def __init__(self, database: Database, public_url: str, fetcher: Fetcher) -> None:
        self._database = database
        self._lists_at = f"{public_url}{LIST_PATH}"
        self._web = Web(Errand(fetcher), public_url, clock.now)

    async def methods(self, did: str, wanted: str) -> Sequence[Method] | Objection:
        async with self._database.connection() as connection:
            rows = await store.keys_of(connection, did)
        if not rows:
            return await self._web.methods(did, wanted)
        return [
            Method(
                row.key_id,
                multikey.key_of_text(row.public_key_multibase),
                KeyFacts(
                    row.did,
                    valid_from=row.valid_from,
                    signs_until=row.ends_at,
                    compromised=row.compromised,
                ),
            )
            for row in rows
        ]

    async def status_list(self, url: str) -> FoundList | Objection:
        if not url.startswith(self._lists_at):
            return await self._web.status_list(url)
        async with self._database.connection() as connection:
            row = await store.find_list(connection, url.removeprefix(self._lists_at))
        if row is None:
            return unknown("status-list-unreachable", "Its status list is not known here.")
        return FoundList(row.credential.encode(), bytes.fromhex(row.sha256), url)

    async def registry(self, did: str) -> Registry:
        async with self._database.connection() as connection:
            tenant = await store.tenant_of(connection, did)
            kept = await recognised_store.recognising(connection, did, clock.now())
        ours = () if tenant is None else (Recognition(*tenant, OURSELVES),)
        theirs = (Recognition(each.issuer.name, each.issuer.since, each.operator_name) for each in kept)
        return Registry((*ours, *theirs))


class Verify:
    """Verifies credentials for whoever asks; `sources` opens those of one verification."""

    def __init__(self, examiner: Examiner, sources: Callable[[], Sources]) -> None:
        self._examiner = examiner
        self._sources = sources

    async def __call__(
        self, data: bytes, at: datetime, caller: str, expected: Expected | None = None
    ) -> Verdict | PresentationVerdict:
        """Return the verdict on what is in `data` at the moment `at`; see Examiner.examine."""
        verdict = judge_either(await self._examiner.examine(data, self._sources(), expected, caller), at)
        VERIFICATIONS.labels(verdict.result.value).inc()
        return verdict

    async def credential(self, value: JsonValue, at: datetime, caller: str) -> Verdict:
        """Return the verdict on a credential, whatever `value` calls itself."""
        verdict = judge(await self._examiner.credential(value, self._sources(), caller), at)
        VERIFICATIONS.labels(verdict.result.value).inc()
        return verdict

    async def presentation(
        self, value: JsonValue, at: datetime, caller: str, expected: Expected
    ) -> PresentationVerdict:
        """Return the verdict on a presentation, whatever `value` calls itself."""
        facts = await self._examiner.presentation(value, self._sources(), expected, caller)
        verdict = judge_presentation(facts, at)
        VERIFICATIONS.labels(verdict.result.value).inc()
        return verdict


async def list_to_serve(database: Database, list_id: str) -> ListRow:
    """Return the kept list. Raises NotFound."""
    async with database.connection() as connection:
        row = await store.find_list(connection, list_id)
    if row is None:
        raise NotFound("status-list-unknown", "There is no status list at this address.")
    return row
