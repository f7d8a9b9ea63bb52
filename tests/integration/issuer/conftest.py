"""An issuer on a real database, with learners' keys in the vault and assessments in the assessor's log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from msgspec.structs import replace

from services.issuer.handlers.api_keys import create_api_key
from services.issuer.handlers.signing_keys import SigningKeys, open_keys
from services.issuer.handlers.tenants import create_issuer
from services.issuer.projections import project
from services.issuer.service import build
from services.issuer.settings import IssuerSettings
from shared import clock, sealing
from shared.access import Scope
from shared.app import application
from shared.bus.local import LocalBus
from shared.contracts import sealed
from shared.contracts.achievements import AchievementDefinition, AchievementPublished
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.event import Event
from shared.contracts.issuers import IssuerProfile
from shared.contracts.learners import LearnerErased
from shared.contracts.sealed import SealedAssessment, SealedLearner
from shared.database import Database
from shared.eventstore import Append, Meta, Recorded
from shared.eventstore.log import load, read_after
from shared.sealing import MasterKey
from shared.service import Running, Service, migrate_service, running
from shared.vault import LearnerKeyOwner
from tests.conftest import Roles
from tests.unit.issuer.samples import ASSESSMENT, DEFINITION, EMAIL, NAME, PROFILE

META = Meta("operator:test", "c-1")
SETTLE_WAIT_S = 60.0
LOG_EVENTS_MAX = 100_000
Keys = TypeVar("Keys", bound=SigningKeys)


@dataclass(frozen=True)
class Learner:
    """A learner of the vault."""

    id: str
    name: str
    email: str


class Desk:
    """What a test does to an issuer: learners pass, callers ask, lanes run."""

    def __init__(
        self,
        settings: IssuerSettings,
        roles: Roles,
        own: Database,
        assessor: Database,
        master_key: MasterKey,
    ) -> None:
        self.settings = settings
        self.roles = roles
        self.assessor = assessor
        self._own = own
        self.owner = LearnerKeyOwner(master_key)

    async def service(self, **parts: Any) -> Service:
        """Build and migrate another issuer on the same database."""
        made = await build(parts.pop("settings", self.settings), **parts)
        await migrate_service(made)
        return made

    @asynccontextmanager
    async def house(self, **parts: Any) -> AsyncIterator[Running]:
        """The issuer at work."""
        bus = LocalBus(await Database.open(self.roles.dsn("bus_reader"), "bus_reader"))
        async with running([await self.service(**parts)], bus) as house:
            yield house

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """The issuer's own database, beside the service."""
        yield self._own

    @asynccontextmanager
    async def keys(self, kind: type[Keys]) -> AsyncIterator[Keys]:
        """Another view on the private keys."""
        async with await open_keys(self.settings) as database:
            yield kind(database, MasterKey.from_file(self.settings.master_key_file))

    async def tenant(self, slug: str = "oslo", profile: IssuerProfile = PROFILE) -> str:
        """Make a tenant."""
        async with self.database() as database:
            return (await create_issuer(database, self.settings, slug, profile)).did

    async def api_key(self, slug: str, *scopes: Scope) -> str:
        """Make an API key with all or the given scopes."""
        async with self.database() as database:
            return (await create_api_key(database, slug, "test", scopes or tuple(Scope), 1)).token

    async def achievement(
        self, slug: str = "oslo", definition: AchievementDefinition = DEFINITION, version: int = 1
    ) -> str:
        """Publish an achievement past the API, by its event alone."""
        event = AchievementPublished(
            achievement_id=str(clock.ordered_uuid()),
            version=version,
            definition=definition,
            published_at=clock.now(),
        )
        async with self.database() as database, database.session() as session:
            recorded = await session.append([Append(slug, event.stream, 0, (event,), META)])
            await project(session.connection, recorded)
        return event.achievement_id

    async def learner(self, slug: str = "oslo", name: str = NAME, email: str = EMAIL) -> Learner:
        """A learner with a key in the vault."""
        learner = Learner(str(clock.random_uuid()), name, email)
        async with self.assessor.session() as session:
            await self.owner.create(session.connection, [(slug, learner.id)])
        return learner

    async def passes(
        self,
        learner: Learner,
        achievement_id: str,
        *assessment_ids: str,
        slug: str = "oslo",
        version: int = 1,
        assessment: SealedAssessment = ASSESSMENT,
        assessed_at: datetime | None = None,
    ) -> None:
        """The learner passes assessments: what the assessor's log then holds."""
        person = SealedLearner(name=learner.name, email=learner.email)
        record = sealed.encode(replace(assessment, learner=person))
        async with self.assessor.session() as session:
            keys = await self.owner.read(session.connection, [(slug, learner.id)])
            appends = []
            for assessment_id in assessment_ids:
                hole = sealing.seal(
                    keys[(slug, learner.id)],
                    record,
                    issuer_id=slug,
                    learner_id=learner.id,
                    stream=f"assessment-{assessment_id}",
                )
                event = AssessmentPassed(
                    assessment_id=assessment_id,
                    learner_id=learner.id,
                    achievement_id=achievement_id,
                    achievement_version=version,
                    assessed_at=assessed_at or session.at,
                    sealed=hole,
                )
                appends.append(Append(slug, event.stream, 0, (event,), META))
            await session.append(appends)

    async def erase(self, learner: Learner, slug: str = "oslo", *, announced: bool = True) -> None:
        """Forget a learner: the key goes, and the fact with it."""
        async with self.assessor.session() as session:
            await self.owner.delete(session.connection, (slug, learner.id))
            if announced:
                event = LearnerErased(learner_id=learner.id, erased_at=session.at)
                await session.append([Append(slug, event.stream, 0, (event,), META)])

    async def log(self, *kinds: type[Event]) -> list[Recorded]:
        """Everything in the issuer's log, in order, of `kinds` if given."""
        async with self.database() as database, database.connection() as connection:
            types = [kind.TYPE for kind in kinds] or None
            return await read_after(connection, 0, LOG_EVENTS_MAX, types)

    async def stream(self, slug: str, stream: str) -> list[Recorded]:
        """One stream of the issuer's log."""
        async with self.database() as database, database.connection() as connection:
            return (await load(connection, [(slug, stream)]))[(slug, stream)]

    async def passed(self) -> list[Recorded]:
        """The assessor's passed assessments, in order."""
        async with self.assessor.connection() as connection:
            return await read_after(connection, 0, LOG_EVENTS_MAX, [AssessmentPassed.TYPE])

    async def append(self, slug: str, version: int, events: Sequence[Event]) -> list[Recorded]:
        """Write events into the issuer's log past its handlers, and project them."""
        async with self.database() as database, database.session() as session:
            recorded = await session.append([Append(slug, events[0].stream, version, tuple(events), META)])
            await project(session.connection, recorded)
        return recorded


@pytest.fixture
async def desk(roles: Roles, tmp_path: Path) -> AsyncIterator[Desk]:
    """An issuer under https, not yet running, with the vault beside it."""
    master_file = tmp_path / "master.key"
    master_key = MasterKey.create_file(master_file)
    settings = IssuerSettings(
        environment="production",
        public_url="https://badges.example.edu",
        master_key_file=master_file,
        bus_database_url=roles.dsn("bus_reader"),
        database_url=roles.dsn("issuer"),
        vault_database_url=roles.dsn("vault_reader"),
        signing_database_url=roles.dsn("signer"),
        canonical_processes=1,
    )
    async with (
        await Database.open(roles.dsn("issuer"), "issuer") as own,
        await Database.open(roles.dsn("assessor"), "assessor") as assessor,
    ):
        yield Desk(settings, roles, own, assessor, master_key)


async def take(service: Service, lane: str, batch: Sequence[Recorded]) -> None:
    """Run one batch through a lane as its consumer would, without the inbox."""
    subscription = next(each for each in service.subscriptions if each.name == lane)
    prepared = await subscription.prepare(batch) if subscription.prepare is not None else None
    async with service.database.session() as session:
        await subscription.handle(batch, session, prepared)


@asynccontextmanager
async def opened(service: Service) -> AsyncIterator[Service]:
    """The resources of a service whose lanes the test runs itself."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(service.database)
        for resource in service.resources:
            await stack.enter_async_context(resource)
        yield service


def client(house: Running, token: str | None = None) -> httpx2.AsyncClient:
    """A client of the process's HTTP application."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx2.ASGITransport(app=application(house), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="https://badges.example.edu", headers=headers)
