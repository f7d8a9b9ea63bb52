"""docs/how-to/backup-and-restore.md, run as it stands: a restore must not bring an erased learner back.

Two real servers: the one that is lost and the new one. The blocks of the page marked `run:` are taken from it
and given to a shell, so that what is documented is what is tested.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import textwrap
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import pytest

from services.assessor import projections
from services.assessor.domain import SubmitAssessment
from services.assessor.handlers.enquire import Enquire
from services.assessor.handlers.erase import Erase
from services.assessor.handlers.references import References
from services.assessor.handlers.submission import Answer, Submission
from services.assessor.handlers.submit import Submit
from services.issuer import indexes
from services.issuer.documents.addresses import Addresses
from services.issuer.handlers.posted_keys import PostedKeys
from services.issuer.handlers.posted_life import ForgetPosted
from services.issuer.handlers.tenant_secrets import TenantSecrets
from services.issuer.posted_projections import project_posted
from services.issuer.posted_store import insert_key
from services.issuer.store import insert_tenant, reserve_places
from shared.bus.consumer import LaneLag
from shared.clock import ordered_uuid
from shared.contracts.achievements import AchievementDefinition, AchievementPublished
from shared.contracts.posted import PostedCredentialIssued
from shared.contracts.sealed import SealedLearner
from shared.database import SHARED_MIGRATIONS, Database, migrate, read_migrations
from shared.embedded import Cluster, find
from shared.errors import Gone
from shared.eventstore import Append, Meta, Recorded
from shared.provision import LOGIN_ROLES, provision, provisioning_script
from shared.sealing import MasterKey
from shared.vault import LearnerKeyOwner, LearnerKeys
from tests.contract.event_samples import SAMPLES

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "how-to" / "backup-and-restore.md"
BLOCK = re.compile(r"^ *<!-- run: ([a-z-]+) -->\n *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
TENANT = "riverside-college"
ACHIEVEMENT = "019aa000-0000-7000-8000-000000000001"
AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
META = Meta("operator:cli", "test")
MASTER_KEY = MasterKey(bytes(range(32)))
PASSWORDS = dict.fromkeys(LOGIN_ROLES, "test")


@dataclass
class Server:
    """An empty PostgreSQL with a database `microcred`, and a way to run a block of the page against it."""

    admin: str
    folder: Path

    def dsn(self, role: str) -> str:
        parts = urlsplit(self.admin)
        return urlunsplit(parts._replace(netloc=f"{role}:test@{parts.hostname}:{parts.port}"))

    async def run(self, block: str) -> None:
        """Give a block of the page to a shell, as an operator at this server would."""
        await self._shell(blocks()[block])

    async def contents(self, kind: str) -> str:
        """What the newest dump of a kind holds: type and name of each thing, one a line."""
        listed = await self._shell(f'pg_restore --list "$(ls "$KINDS"/{kind}/*.dump | tail -n 1)"')
        return re.sub(r"^\d+; \d+ \d+ ", "", listed, flags=re.MULTILINE)

    async def _shell(self, script: str) -> str:
        parts = urlsplit(self.admin)
        environment = {
            "PATH": f"{find().folder}{os.pathsep}{os.environ['PATH']}",
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port),
            "PGUSER": parts.username or "",
            "PGPASSWORD": parts.password or "",
            "PGDATABASE": parts.path.lstrip("/"),
            "KINDS": str(self.folder),
            "MAIN": str(self.folder / "main"),
            "VAULT": str(self.folder / "vault"),
            "ERASURES": str(self.folder / "erasures"),
        }
        shell = await asyncio.create_subprocess_exec(
            "/bin/sh", "-eu", "-c", script, cwd=self.folder, env=environment, stdout=PIPE, stderr=PIPE
        )
        answer, complaint = await shell.communicate()
        assert shell.returncode == 0, f"this failed:\n{script}\n{complaint.decode()}"
        return answer.decode()


def blocks() -> dict[str, str]:
    """The shell blocks of the page by name."""
    found = BLOCK.findall(PAGE.read_text("utf-8"))
    return {name: textwrap.dedent(block) for name, block in found}


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    """The folder of backups, which outlives the lost server; the role SQL lies where the page says."""
    for name in ("main", "vault", "erasures", "deploy"):
        (tmp_path / name).mkdir()
    (tmp_path / "deploy" / "postgres.sql").write_text(provisioning_script(), "utf-8")
    return tmp_path


@pytest.fixture
async def servers(
    backups: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Server, Server]]:
    """The server that is lost and the new one, each with an empty database."""
    clusters = [
        await asyncio.to_thread(Cluster.open, tmp_path_factory.mktemp("server"), durable=False)
        for _ in range(2)
    ]
    for cluster in clusters:
        connection = await asyncpg.connect(cluster.dsn())
        await connection.execute("CREATE DATABASE microcred")
        await connection.close()
    lost, restored = (Server(cluster.dsn("microcred"), backups) for cluster in clusters)
    yield lost, restored
    for cluster in clusters:
        await asyncio.to_thread(cluster.stop)


class Assessor:
    """The assessor's own handlers on one server."""

    def __init__(self, database: Database, reader: Database) -> None:
        keys, references = LearnerKeyOwner(MASTER_KEY), References(MASTER_KEY)
        self.database = database
        self.submissions = Submit(database, keys, references, "https://credentials.example.edu", LaneLag())
        self.enquiries = Enquire(database, keys, references)
        self.erasures = Erase(database, keys)
        self.keys = LearnerKeys(reader, MASTER_KEY)

    async def submit(self, learner: str, assessment_id: str) -> Answer:
        """Hand in an assessment of a learner that passes."""
        (answer,) = await self.submissions.flush([_submission(learner, assessment_id)])
        assert isinstance(answer, Answer)
        return answer

    async def name_in(self, learner: str) -> str:
        """Read the learner's name out of the sealed record. Raises Gone."""
        found = await self.enquiries.assessment(TENANT, f"A-{learner}")
        return found.record.learner.name

    async def erased(self) -> list[str]:
        """The learners whom the log knows to be erased."""
        async with self.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT convert_from(data, 'UTF8')::jsonb ->> 'learner_id' AS learner_id"
                " FROM event WHERE type = 'learner.erased.v1' ORDER BY position"
            )
        return [row["learner_id"] for row in rows]


def _submission(learner: str, assessment_id: str) -> Submission:
    definition = _definition()
    best = {
        each.id: max(each.levels, key=lambda level: level.points).id for each in definition.rubric.criteria
    }
    command = SubmitAssessment(
        issuer_id=TENANT,
        assessment_id=assessment_id,
        achievement_id=ACHIEVEMENT,
        achievement_version=1,
        learner=SealedLearner(name=learner, email=f"{learner}@example.org"),
        learner_reference=learner,
        results=best,
        assessor="Dr M. Lindholm",
        supervision="supervised-onsite",
        identity_check="photo-id",
        evidence=(),
        assessed_at=AT,
        narrative=None,
        content=learner,
    )
    return Submission(command, META)


def _definition() -> AchievementDefinition:
    text = (ROOT / "examples" / "achievement.json").read_text("utf-8")
    return AchievementDefinition.model_validate(json.loads(text))


@asynccontextmanager
async def assessor_on(server: Server) -> AsyncIterator[Assessor]:
    """The assessor of a server whose roles exist, migrated."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(await Database.open(server.dsn("assessor"), "assessor", 2))
        reader = await stack.enter_async_context(await Database.open(server.dsn("vault_reader"), "vault", 2))
        own = ROOT / "services" / "assessor" / "migrations"
        await migrate(
            database, read_migrations("shared", SHARED_MIGRATIONS) + read_migrations("assessor", own)
        )
        yield Assessor(database, reader)


async def _publish_achievement(assessor: Assessor) -> None:
    event = AchievementPublished(
        achievement_id=ACHIEVEMENT, version=1, definition=_definition(), published_at=AT
    )
    recorded = Recorded(1, ordered_uuid(), TENANT, event.stream, 1, AT, event, META)
    async with assessor.database.session() as session:
        await projections.keep_achievements(session.connection, [recorded])


@dataclass
class Learners:
    """Ids as the assessor gave them."""

    early: str
    late: str
    kept: str


async def _live(server: Server) -> Learners:
    """Three learners; `early` is erased before the dump, `late` after it; `kept` stays."""
    await provision(server.admin, PASSWORDS)
    async with issuer_on(server), assessor_on(server) as assessor:
        await _publish_achievement(assessor)
        answers = {name: await assessor.submit(name, f"A-{name}") for name in ("early", "late", "kept")}
        learners = Learners(*(answers[name].learner_id for name in ("early", "late", "kept")))
        await assessor.erasures.erase(TENANT, learners.early, META)
        await server.run("backup")
        await assessor.erasures.erase(TENANT, learners.late, META)
        await server.run("erasures")
    return learners


@asynccontextmanager
async def issuer_on(server: Server) -> AsyncIterator[Database]:
    """The issuer's database of a server whose roles exist, migrated."""
    own = ROOT / "services" / "issuer" / "migrations"
    async with await Database.open(server.dsn("issuer"), "issuer", 2) as database:
        await migrate(database, read_migrations("shared", SHARED_MIGRATIONS) + read_migrations("issuer", own))
        yield database


async def _restore(server: Server) -> None:
    for name in ("roles", "restore"):
        await server.run(name)
    await provision(server.admin, PASSWORDS)


async def test_a_learner_erased_after_the_dump_stays_erased_when_it_is_restored(
    servers: tuple[Server, Server],
) -> None:
    lost, restored = servers
    learners = await _live(lost)
    await _restore(restored)
    async with assessor_on(restored) as assessor:
        for learner in (
            "early",
            "late",
            "kept",
        ):  # no key is back before those that may not come back are known
            with pytest.raises(Gone):
                await assessor.name_in(learner)

        await restored.run("restore-keys")

        with pytest.raises(Gone):
            await assessor.name_in("late")
        with pytest.raises(Gone):
            await assessor.name_in("early")
        assert await assessor.name_in("kept") == "kept"
        found = await assessor.keys.of([(TENANT, each) for each in (learners.late, learners.kept)])
        assert found[TENANT, learners.late] is None
        assert found[TENANT, learners.kept] is not None


async def test_a_vault_dump_that_cannot_be_read_restores_no_key_and_says_so(
    servers: tuple[Server, Server],
) -> None:
    lost, restored = servers
    await _live(lost)
    await _restore(restored)
    (lost.folder / "vault" / "vault-99990101T000000Z.dump").write_bytes(b"half a dump")
    with pytest.raises(AssertionError, match="cannot be read"):
        await restored.run("restore-keys")
    async with assessor_on(restored) as assessor:
        with pytest.raises(Gone):
            await assessor.name_in("kept")


async def test_asking_again_gives_a_restored_log_the_erasure_that_it_lost_and_only_once(
    servers: tuple[Server, Server],
) -> None:
    lost, restored = servers
    learners = await _live(lost)
    await _restore(restored)
    await restored.run("restore-keys")
    async with assessor_on(restored) as assessor:
        assert await assessor.erased() == [learners.early]
        for _ in range(2):
            await assessor.erasures.erase(TENANT, learners.late, META)
        assert await assessor.erased() == [learners.early, learners.late]


async def test_a_learner_who_comes_back_after_a_restore_is_somebody_new(
    servers: tuple[Server, Server],
) -> None:
    lost, restored = servers
    learners = await _live(lost)
    await _restore(restored)
    await restored.run("restore-keys")
    async with assessor_on(restored) as assessor:
        answer = await assessor.submit("late", "A-after-the-restore")
        assert answer.learner_id not in (learners.late, learners.early, learners.kept)
        with pytest.raises(Gone):
            await assessor.name_in("late")


async def test_the_main_dump_holds_the_log_and_no_learners_key(servers: tuple[Server, Server]) -> None:
    lost, _ = servers
    await _live(lost)
    contents = await lost.contents("main")
    assert "TABLE DATA assessor event" in contents
    assert "TABLE vault learner_key" in contents
    assert "TABLE DATA vault learner_key" not in contents
    assert "TABLE DATA vault learner_key" in await lost.contents("vault")
    assert "TABLE issuer posted_key" in contents
    assert "TABLE DATA issuer posted_key" not in contents
    assert "TABLE DATA issuer posted_key" in await lost.contents("vault")


async def test_a_posted_credential_that_was_forgotten_after_the_dump_stays_forgotten(
    servers: tuple[Server, Server],
) -> None:
    lost, restored = servers
    await provision(lost.admin, PASSWORDS)
    keys = PostedKeys(MASTER_KEY)
    early, late, kept = refs = [(TENANT, str(UUID(int=number))) for number in range(3)]
    async with issuer_on(lost) as database, assessor_on(lost):
        forget = ForgetPosted(database, Addresses("https://e.org"), TenantSecrets(MASTER_KEY))
        for ref in refs:
            await _post(database, keys, ref)
        await forget._forget(early, META)
        await lost.run("backup")
        await forget._forget(late, META)
        await lost.run("erasures")
    await _restore(restored)
    async with issuer_on(restored) as database:
        async with database.connection() as connection:
            assert not await keys.of(connection, refs)
        await restored.run("restore-keys")
        async with database.connection() as connection:
            assert (await keys.of(connection, refs)).keys() == {kept}


async def _post(database: Database, keys: PostedKeys, ref: tuple[str, str]) -> None:
    """Keep a posted credential: its key, and the intent."""
    issued = next(sample for sample in SAMPLES if isinstance(sample, PostedCredentialIssued))
    status = issued.status.model_copy(update={"index": UUID(ref[1]).int})
    event = issued.model_copy(update={"credential_id": ref[1], "status": status})
    async with database.session() as session:
        assert await insert_key(session.connection, ref, keys.make(ref)[1])
        recorded = await session.append([Append(TENANT, event.stream, 0, (event,), META)])
        await project_posted(session.connection, recorded)


A_LIST = """
INSERT INTO status_list (issuer_id, list_id, version, bits, published_at, valid_until, key_id)
VALUES ($1, $2, 1, '', now(), now(), '')
"""


async def test_a_restored_issuer_begins_a_list_whose_places_nobody_was_given(
    servers: tuple[Server, Server],
) -> None:
    server, _ = servers
    await provision(server.admin, PASSWORDS)
    async with issuer_on(server) as database:
        async with database.session() as session:
            await insert_tenant(session.connection, TENANT, b"wrapped")
            for ordinal in range(2):
                await session.connection.execute(A_LIST, TENANT, UUID(int=ordinal))
            assert await reserve_places(session.connection, {TENANT: 5}) == {TENANT: 0}
        await server.run("new-lists")
        async with database.session() as session:
            places = await reserve_places(session.connection, {TENANT: 1})
        assert indexes.list_and_slot(places[TENANT]) == (1, 0)
