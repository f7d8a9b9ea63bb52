"""What leaves the house or stands beside the database names no learner, above all where something fails."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from services.demo.provider import Provider
from services.demo.sample import issuer_settings, sample_achievement, sample_assessment, sample_issuer
from services.receivers import Mailbox, PartnerEndpoint
from services.world import DATABASE, world_environment
from shared.clock import ordered_uuid
from shared.embedded import Cluster, free_port
from tests.integration.world.dumps import every_byte

ROOT = Path(__file__).parent.parent.parent.parent
READY_WAIT_S = 60
HAPPENED_WAIT_S = 60
STOP_WAIT_S = 60
POLL_EVERY_S = 0.05
NAME = "Zephyrine Quillfeather"
EMAIL = "zephyrine.quillfeather@example.org"
LEARNER = {"reference": "register-of-students-1", "name": NAME, "email": EMAIL}
NAMES = ("Quillfeather", "QUILLFEATHER", "quillfeather", "Zephyrine", "zephyrine")
TRACES = (NAME, *NAMES, LEARNER["reference"])
PERSONAL_NAME = f"urn:example:{EMAIL}"
"""What a caller may call a posted credential, unwise as it is."""
HEADER = (
    "assessment_id,achievement_id,learner_name,learner_email,assessor,supervision,identity_check,assessed_at,"
    "result:question"
)


@dataclass
class Installation:
    """The services as they run in production, in a process that logs everything, and those outside of it."""

    folder: Path
    cluster: Cluster
    provider: Provider
    http: httpx2.AsyncClient
    mailbox: Mailbox
    partner: PartnerEndpoint
    achievement_id: str

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    def assessment(self, assessment_id: str, **changes: Any) -> dict[str, Any]:
        return sample_assessment(self.achievement_id) | {
            "assessment_id": assessment_id,
            "learner": LEARNER,
            **changes,
        }

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something outside has happened."""
        async with asyncio.timeout(HAPPENED_WAIT_S):
            while not happened():  # noqa: ASYNC110 - another process works
                await asyncio.sleep(POLL_EVERY_S)

    async def execute(self, *statements: str) -> None:
        """Interfere with the database."""
        connection = await asyncpg.connect(self.cluster.dsn(DATABASE))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def services_process(folder: Path, variables: dict[str, str], port: int) -> AsyncIterator[None]:
    """Run `python -m services` until the block ends; what it says goes to the file `log`."""
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services",
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={
                **os.environ,
                **variables,
                "HTTP_PORT": str(port),
                "LOG_LEVEL": "DEBUG",
                "DRAIN_WAIT_S": "0",
            },
        )
    try:
        async with asyncio.timeout(READY_WAIT_S):
            while '"ready"' not in (folder / "log").read_text("utf-8"):
                assert process.returncode is None, (folder / "log").read_text("utf-8")
                await asyncio.sleep(POLL_EVERY_S)
        yield
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), STOP_WAIT_S)


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    port, achievement_id = free_port(), str(ordered_uuid())
    definition, _ = sample_achievement()
    async with (
        Mailbox(tmp_path / "mail") as mailbox,
        PartnerEndpoint() as partner,
        world_environment(
            tmp_path, port, mailbox.settings() | {"CANONICAL_PROCESSES": "1"}, durable=False
        ) as (variables, cluster),
        services_process(tmp_path, variables, port),
    ):
        assert cluster is not None
        issuer = await sample_issuer(issuer_settings(tmp_path), tmp_path)
        address = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {issuer.token}"}
        async with (
            Provider(address, issuer.token) as provider,
            httpx2.AsyncClient(base_url=address, headers=headers, trust_env=False) as http,
        ):
            await provider.until_known()
            await provider.publish_achievement(definition, achievement_id)
            partner.trust(await provider.subscribe(partner.url))
            yield Installation(tmp_path, cluster, provider, http, mailbox, partner, achievement_id)


def posted(credential_id: str, **changes: Any) -> dict[str, Any]:
    """A credential that somebody wrote about the learner, for VCALM."""
    subject = {"id": "did:example:learner", "name": NAME, "description": f"{EMAIL} {LEARNER['reference']}"}
    return {
        "credential": {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "id": credential_id,
            "type": ["VerifiableCredential"],
            "credentialSubject": subject,
            **changes,
        }
    }


async def refused_requests(installation: Installation) -> list[str]:
    """Send what cannot be taken, each time with the learner in it; returns the answers."""
    http, passed = installation.http, installation.assessment("good")
    answers = [
        await http.post("/assessor/assessments", json=passed | {NAME: EMAIL}),
        await http.post("/assessor/assessments", json=passed | {"assessed_at": NAME}),
        await http.post("/assessor/assessments", json=passed | {"results": {"question": NAME}}),
        await http.post("/assessor/assessments", json=passed | {"learner": LEARNER | {"email": NAME}}),
        await http.post("/assessor/assessments", json=passed | {"assessor": "Another One"}),
        await http.post("/assessor/assessments", content=json.dumps(passed)[:-9]),
        await http.post("/verifier/verify", json={"credentialSubject": {"name": NAME}}),
        await http.post("/issuer/credentials/issue", json=posted("urn:x:1", undefined=NAME)),
        await http.post("/issuer/credentials/issue", json=posted("urn:x:2", issuer=f"urn:x:{EMAIL}")),
        await http.post("/issuer/credentials/issue", json=posted("urn:x:3") | {NAME: EMAIL}),
        await http.post("/issuer/credentials/issue", json=posted(PERSONAL_NAME, name=NAME)),
        await http.post("/issuer/credentials/status", json={"credentialId": NAME, "status": EMAIL}),
        await http.delete(f"/issuer/credentials/{EMAIL}"),
    ]
    row = f"{{}},{installation.achievement_id},{NAME},{EMAIL},A,B,C,{{}},{{}}"
    rows = [
        HEADER,
        row.format("row-1", "yesterday", "secure"),
        row.format("row-2", "2026-06-15T09:00:00Z", NAME),
        row.format(NAME, "2026-06-15T09:00:00Z", "secure"),
        f"{NAME},{EMAIL}",
    ]
    bulk = "/assessor/assessments/bulk"
    answers.append(await http.post(bulk, content="\n".join(rows), headers={"Content-Type": "text/csv"}))
    ndjson = {"Content-Type": "application/x-ndjson"}
    answers.append(await http.post(bulk, content=f'{{"learner": "{NAME}", "email"\n', headers=ndjson))
    return [answer.text for answer in answers]


async def test_logs_metrics_answers_and_webhooks_name_no_learner_whatever_fails(
    installation: Installation,
) -> None:
    refusal = f"550 5.1.1 <{EMAIL}>: {NAME} is unknown here"
    installation.mailbox.refuse(1, refusal)
    installation.partner.fail(1, 500)
    await installation.provider.submit(installation.assessment("good"))
    await installation.until(lambda: len(installation.partner.received) > 0)
    await installation.until(lambda: installation.log.count("attempt without success") >= 2)
    issued = await installation.http.post("/issuer/credentials/issue", json=posted(PERSONAL_NAME))
    assert issued.status_code == 201
    assert NAME in issued.text
    answers = await refused_requests(installation)

    await installation.execute("ALTER TABLE assessor.attempt RENAME TO elsewhere")
    broken = await installation.http.post("/assessor/assessments", json=installation.assessment("broken"))
    assert broken.status_code >= 500
    await installation.execute(
        "ALTER TABLE assessor.elsewhere RENAME TO attempt", "ALTER TABLE issuer.holding RENAME TO elsewhere"
    )
    await installation.provider.submit(installation.assessment("buried"))
    await installation.until(lambda: "record buried" in installation.log)

    metrics = (await installation.http.get("/metrics")).text
    assert 'microcred_http_requests_total{method="POST"' in metrics
    database_log = (installation.folder / "postgres" / "postgres.log").read_text("utf-8", "replace")
    webhooks = "\n".join(each.body.decode() for each in installation.partner.received)
    dump = (await every_byte(installation.cluster)).decode("utf-8", "replace")
    assert "row-1" in answers[-2], "the search itself must find what is there"
    sources = {
        "log": installation.log,
        "metrics": metrics,
        "database log": database_log,
        "webhooks": webhooks,
        "answers": "\n".join([*answers, broken.text]),
        "tables": dump,
    }
    for source, text in sources.items():
        for trace in TRACES:
            assert trace not in text, f"{trace} stands in the {source}:\n{_around(text, trace)}"


def _around(text: str, trace: str) -> str:
    at = text.index(trace)
    return text[max(0, at - 400) : at + 200]
