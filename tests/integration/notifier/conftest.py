"""A notifier at work on a real PostgreSQL, with a real mailbox and real partners, and whoever feeds it.

The issuer and the assessor are played by their logs: the test appends their events under their own roles.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from services.notifier.service import build
from services.notifier.settings import NotifierSettings
from services.receivers import Mailbox, PartnerEndpoint
from shared import access, clock
from shared.app import application
from shared.bus.local import LocalBus
from shared.contracts import sealed
from shared.contracts.credentials import CredentialRevoked, CredentialSigned, MadeProof, StatusEntry
from shared.contracts.event import Event
from shared.contracts.issuers import ApiKeyCreated
from shared.contracts.learners import LearnerErased
from shared.contracts.sealed import SealedLearner
from shared.database import Database
from shared.eventstore import Append, Meta, Recorded
from shared.sealing import MasterKey, seal
from shared.service import Running, running
from shared.vault import LearnerKeyOwner

WAIT_S = 60.0
PUBLIC_URL = "http://localhost:8080"
ALPHA, BETA = "alpha-academy", "beta-college"


@dataclass
class Learner:
    issuer_id: str
    learner_id: str
    name: str
    email: str
    key: bytes


@dataclass
class Feed:
    """Plays the issuer, the assessor and the operator."""

    issuer: Database
    assessor: Database
    admin: asyncpg.Connection
    master_key: MasterKey
    versions: dict[tuple[str, str], int] = field(default_factory=dict)

    async def append(self, database: Database, issuer_id: str, event: Event) -> Recorded:
        place = (issuer_id, event.stream)
        version = self.versions.get(place, 0)
        meta = Meta("operator:cli", "correlation-of-the-test")
        async with database.session() as session:
            recorded = await session.append([Append(issuer_id, event.stream, version, (event,), meta)])
        self.versions[place] = version + 1
        return recorded[0]

    async def learner(self, issuer_id: str = ALPHA, name: str = "Åsa Müller", email: str = "") -> Learner:
        learner_id = str(uuid.uuid4())
        owner = LearnerKeyOwner(self.master_key)
        async with self.assessor.session() as session:
            keys = await owner.create(session.connection, [(issuer_id, learner_id)])
        address = email or f"learner-{learner_id[:8]}@example.org"
        return Learner(issuer_id, learner_id, name, address, keys[(issuer_id, learner_id)])

    def signed(self, learner: Learner, credential_id: str | None = None) -> CredentialSigned:
        credential = credential_id or str(uuid.uuid4())
        contact = seal(
            learner.key,
            sealed.encode(SealedLearner(name=learner.name, email=learner.email)),
            issuer_id=learner.issuer_id,
            learner_id=learner.learner_id,
            stream=f"credential-{credential}",
        )
        return CredentialSigned(
            credential_id=credential,
            learner_id=learner.learner_id,
            achievement_id=str(uuid.UUID(int=7)),
            achievement_version=2,
            achievement_name="Data & Ethics",
            issuer_name="Alpha Academy",
            key_id="did:key:z6Mk#z6Mk",
            proofs=(MadeProof(id="urn:uuid:1", cryptosuite="eddsa-rdfc-2022", proof_value="z1"),),
            document_sha256="0" * 64,
            signed_at=clock.now(),
            contact=contact,
        )

    async def sign(self, learner: Learner) -> CredentialSigned:
        event = self.signed(learner)
        await self.append(self.issuer, learner.issuer_id, event)
        return event

    async def revoke(self, learner: Learner, credential_id: str) -> CredentialRevoked:
        event = CredentialRevoked(
            credential_id=credential_id,
            learner_id=learner.learner_id,
            reason="issued-in-error",
            status=StatusEntry(list_id=str(uuid.UUID(int=9)), index=3),
            revoked_at=clock.now(),
        )
        await self.append(self.issuer, learner.issuer_id, event)
        return event

    async def erase(self, learner: Learner) -> None:
        async with self.assessor.session() as session:
            await LearnerKeyOwner(self.master_key).delete(
                session.connection, (learner.issuer_id, learner.learner_id)
            )
        event = LearnerErased(learner_id=learner.learner_id, erased_at=clock.now())
        await self.append(self.assessor, learner.issuer_id, event)

    async def api_key(self, issuer_id: str, *scopes: access.Scope) -> str:
        key = access.new_key()
        event = ApiKeyCreated(
            prefix=key.prefix,
            sha256=key.sha256,
            label="test",
            scopes=tuple(scopes or access.Scope),
            created_at=clock.now(),
            expires_at=clock.now() + timedelta(days=1),
        )
        await self.append(self.issuer, issuer_id, event)
        return key.token

    async def make_all_due(self) -> None:
        """Let the schedule's next moment, or the end of every lease, be now."""
        await self.admin.execute("UPDATE notifier.delivery SET due_at = now() WHERE state IN ('due', 'held')")

    async def rows(self, columns: str = "*") -> list[dict[str, Any]]:
        found = await self.admin.fetch(f"SELECT {columns} FROM notifier.delivery ORDER BY requested_at, lane")
        return [dict(row) for row in found]

    async def told(self) -> list[str]:
        """Types of the notifier's events, in order."""
        rows = await self.admin.fetch("SELECT type FROM notifier.event ORDER BY position")
        return [row["type"].split(".")[1] for row in rows]


@dataclass
class Town:
    """The running notifier and everyone around it."""

    feed: Feed
    house: Running
    mailbox: Mailbox
    http: httpx2.AsyncClient
    settings: NotifierSettings

    async def settled(self) -> None:
        await self.house.settled(WAIT_S)

    async def caller(self, issuer_id: str = ALPHA, *scopes: access.Scope) -> dict[str, str]:
        """Return the header of a fresh API key that the notifier already knows."""
        headers = {"Authorization": f"Bearer {await self.feed.api_key(issuer_id, *scopes)}"}
        await _until(lambda: self._knows(headers))
        return headers

    async def _knows(self, headers: dict[str, str]) -> bool:
        prefix = headers["Authorization"].split("_")[1]
        return bool(
            await self.feed.admin.fetchval("SELECT 1 FROM notifier.api_key WHERE prefix = $1", prefix)
        )

    async def subscribe(
        self, partner: PartnerEndpoint, issuer_id: str = ALPHA, *events: str
    ) -> dict[str, Any]:
        """Subscribe a partner to the given kinds of events (all without any); it trusts the secret."""
        wanted = {
            "url": partner.url,
            "events": list(events or ("credential.signed", "credential.revoked")),
        }
        answer = await self.http.post(
            "/notifier/subscriptions", json=wanted, headers=await self.caller(issuer_id)
        )
        assert answer.status_code == 201, answer.text
        partner.trust(answer.json()["secret"])
        return dict(answer.json())


async def _until(true: Callable[[], Any], wait_s: float = WAIT_S) -> None:
    """Wait until `true()`, which may be a coroutine function, says so."""
    async with asyncio.timeout(wait_s):
        while True:
            answer = true()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.01)


@pytest.fixture
def until() -> Callable[..., Any]:
    """Waits for a condition instead of sleeping for a time: `await until(lambda: …)`."""
    return _until


@pytest.fixture
def master_key_file(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    MasterKey.create_file(path)
    return path


@pytest.fixture
async def feed(roles: Any, master_key_file: Path) -> AsyncIterator[Feed]:
    async with AsyncExitStack() as stack:
        issuer = await stack.enter_async_context(await Database.open(roles.dsn("issuer"), "issuer", 4))
        assessor = await stack.enter_async_context(await Database.open(roles.dsn("assessor"), "assessor", 4))
        admin = await asyncpg.connect(roles.admin_dsn)
        stack.push_async_callback(admin.close)
        yield Feed(issuer, assessor, admin, MasterKey.from_file(master_key_file))


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with Mailbox(tmp_path / "mail") as box:
        yield box


@pytest.fixture
async def partner() -> AsyncIterator[PartnerEndpoint]:
    async with PartnerEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def other_partner() -> AsyncIterator[PartnerEndpoint]:
    async with PartnerEndpoint() as endpoint:
        yield endpoint


OpenTown = Callable[..., Any]


@pytest.fixture
def notifier_settings(roles: Any, mailbox: Mailbox, master_key_file: Path) -> Callable[..., NotifierSettings]:
    def settings(**overrides: Any) -> NotifierSettings:
        values = {
            "environment": "development",
            "public_url": PUBLIC_URL,
            "master_key_file": master_key_file,
            "bus_database_url": roles.dsn("bus_reader"),
            "database_url": roles.dsn("notifier"),
            "vault_database_url": roles.dsn("vault_reader"),
            "outbound_allow_loopback": True,
        }
        relay = {name.lower(): value for name, value in mailbox.settings().items()}
        return NotifierSettings(**(values | relay | overrides))

    return settings


@pytest.fixture
def open_town(
    roles: Any, feed: Feed, mailbox: Mailbox, notifier_settings: Callable[..., NotifierSettings]
) -> OpenTown:
    @asynccontextmanager
    async def town(**overrides: Any) -> AsyncIterator[Town]:
        settings = notifier_settings(**overrides)
        bus = LocalBus(await Database.open(roles.dsn("bus_reader"), "bus_reader", 4))
        async with (
            running([await build(settings)], bus) as house,
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=application(house)), base_url="http://testserver"
            ) as http,
        ):
            yield Town(feed, house, mailbox, http, settings)

    return town


@pytest.fixture
async def town(open_town: OpenTown) -> AsyncIterator[Town]:
    async with open_town() as opened:
        yield opened
