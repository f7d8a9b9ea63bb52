"""TLS, users and rights on a real broker: each service does its work with its own rights and no other.

What is refused is one sentence that says what to mend, never with a password in it, and once it is mended
everything goes on without a new process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from services.demo.provider import Provider
from services.demo.sample import issuer_settings, sample_achievement, sample_assessment, sample_issuer
from services.fleet.parts import Part, command_of
from services.fleet.world import open_fleet
from services.receivers import Mailbox
from shared.bus.kafka import Cluster, KafkaBus
from shared.bus.kafka.producer import KafkaProducer
from shared.bus.relay import Relay
from shared.bus.seam import Record, Source
from shared.contracts.assessments import AssessmentPassed
from shared.contracts.topics import ASSESSMENTS, CREDENTIALS, TOPICS
from shared.database import Database
from shared.embedded import free_port
from shared.errors import Unavailable
from tests.integration.authority import Authority
from tests.integration.kafka.secured import Secured, secured_broker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

ONE = ("--replication-factor", "1", "--min-insync-replicas", "1")
SETTLE_WAIT_S = 60
POLL_WAIT_S = 20.0
WANTED = {"ce_type": AssessmentPassed.TYPE}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    async with secured_broker(tmp_path_factory.mktemp("secured")) as secured:
        made = secured.topics(*ONE)
        assert made.stdout.count(": made\n") == len(TOPICS), made.stderr
        yield secured


def listed(secured: Secured, *needed: str) -> list[str]:
    """Return the lines of --acls that have every word of `needed` in them; all without any."""
    return [line for line in secured.acls if all(word in line for word in needed)]


def record(topic: str) -> Record:
    return Record(topic, 0, 1, "acme/odd-1", WANTED, b"{}")


async def refusal_of(cluster: Cluster, topic: str = ASSESSMENTS.name) -> str:
    """Return the sentence with which sending a record to `topic` is refused."""
    producer = KafkaProducer(cluster, "test")
    with pytest.raises(Unavailable) as refused:
        await producer.send([record(topic)])
    await producer.close()
    assert cluster.password is not None
    assert cluster.password not in refused.value.message
    return refused.value.message


async def persisted(source: Source) -> Sequence[Record]:
    """Poll as a consumer does: again after each refusal."""
    async with asyncio.timeout(POLL_WAIT_S):
        while True:
            with contextlib.suppress(Unavailable):
                return await source.poll(10, POLL_WAIT_S)


def test_topics_that_the_operator_made_are_as_the_contracts_want_them(secured: Secured) -> None:
    checked = secured.topics("--check", *ONE)
    assert checked.returncode == 0, checked.stderr


async def test_a_wrong_password_an_unknown_user_and_a_strange_authority_are_a_sentence_each(
    secured: Secured, tmp_path: Path
) -> None:
    right = secured.cluster("assessor")
    wrong = "Kafka refuses the user {}: KAFKA_USER or KAFKA_PASSWORD is wrong."
    assert await refusal_of(replace(right, password="not-it")) == wrong.format("assessor")
    assert await refusal_of(replace(right, user="nobody")) == wrong.format("nobody")
    assert await refusal_of(replace(right, mechanism="SCRAM-SHA-256")) == (
        "Kafka does not let users prove themselves by SCRAM-SHA-256 (KAFKA_SASL_MECHANISM)."
    )
    (tmp_path / "other.pem").write_bytes(Authority.made(tmp_path).pem())
    for trusted in (tmp_path / "other.pem", None):
        said = await refusal_of(replace(right, ca_file=trusted))
        assert said.startswith("The broker localhost does not prove its name (KAFKA_CA_FILE): ")
    named_otherwise = right.bootstrap_servers.replace("localhost", "127.0.0.1")
    said = await refusal_of(replace(right, bootstrap_servers=named_otherwise))
    assert said.startswith("The broker 127.0.0.1 does not prove its name (KAFKA_CA_FILE): ")


async def test_a_user_without_a_right_is_told_which_and_goes_on_once_it_is_granted(
    secured: Secured, issuer: Database
) -> None:
    """A service may not write what is another's, and reads nothing that the list does not name for it."""
    listing = "deploy/topics.py --acls lists what each service needs."
    await secured.grant(listed(secured, "User:assessor", "Write"))
    assert await refusal_of(secured.cluster("assessor"), CREDENTIALS.name) == (
        f"Kafka's user has not the right Write on the topic unit.credentials (sending); {listing}"
    )
    bus = KafkaBus(secured.cluster("issuer"))
    source = bus.source("issuer.rehearse", (AssessmentPassed,), issuer)
    with pytest.raises(Unavailable, match=r"may not read them: unit\.assessments"):
        await source.poll(10, POLL_WAIT_S)
    await secured.grant(listed(secured, "User:issuer", "unit.assessments"))
    with pytest.raises(Unavailable) as refused:
        await source.poll(10, POLL_WAIT_S)
    assert refused.value.message == (
        f"Kafka's user has not the right Read on the group unit.issuer.rehearse (reading); {listing}"
    )
    await secured.grant(listed(secured, "User:issuer", "--group"))
    producer = KafkaProducer(secured.cluster("assessor"), "test")
    for future in await producer.send([record(ASSESSMENTS.name)]):
        await future
    await producer.close()
    assert [each.key for each in await persisted(source)] == ["acme/odd-1"]
    await source.close()
    await bus.close()


async def test_a_relay_that_may_not_read_its_topics_does_not_take_them_for_empty(
    secured: Secured, issuer: Database
) -> None:
    """Else it would say that the broker lost them, and have an operator republish everything."""
    await secured.withdraw(listed(secured, "User:issuer"))
    relay = Relay("issuer.relay", issuer, KafkaProducer(secured.cluster("issuer"), "issuer.relay"))
    with pytest.raises(Unavailable, match=r"has not the right Read on the topic unit\.achievements, "):
        await relay.agree()


@pytest.fixture
def command(secured: Secured) -> Callable[[Part], list[str]]:
    """How a process is started as its own user."""

    def as_its_own_user(part: Part) -> list[str]:
        cluster = secured.cluster(part.service)
        words = [f"KAFKA_USER={cluster.user}", f"KAFKA_PASSWORD={cluster.password}"]
        return ["/usr/bin/env", *words, f"KAFKA_SASL_MECHANISM={cluster.mechanism}", *command_of(part)]

    return as_its_own_user


async def test_an_assessment_becomes_a_credential_with_the_listed_rights_and_no_other(
    secured: Secured, command: Callable[[Part], list[str]], tmp_path: Path
) -> None:
    """From the door to the letter and the verdict, every process as the user of its service."""
    await secured.withdraw(listed(secured))
    await secured.grant(listed(secured))
    definition, achievement_id = sample_achievement()
    async with Mailbox(tmp_path / "mail") as mailbox:
        overrides = {**mailbox.settings(), **secured.settings(), "CRYPTOSUITES": '["eddsa-jcs-2022"]'}
        async with open_fleet(tmp_path, free_port(), overrides, command=command) as world:
            issuer = await sample_issuer(issuer_settings(world.folder), world.folder)
            async with Provider(world.address, issuer.token) as provider:
                await provider.until_known()
                await provider.publish_achievement(definition, achievement_id)
                answer = await provider.submit(sample_assessment(achievement_id))
                assert answer["outcome"] == "passed"
                facts = await provider.credential_of(answer["assessment_id"])
                await world.settled(SETTLE_WAIT_S)
                document = await provider.fetch(f"/credentials/{facts['credential_id']}")
                assert (await provider.verify(document.content))["verdict"] == "valid"
            assert len(mailbox.messages) == 1
            logs = "".join(path.read_text("utf-8") for path in (tmp_path / "log").iterdir())
    assert not [user for user, password in secured.passwords.items() if password in logs]
    assert "has not the right" not in logs
