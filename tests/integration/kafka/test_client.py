"""Where the client breaks: it is asked and closed in bounds, and writes nothing to a wire that is gone."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import aiokafka.conn
import pytest
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from shared.bus.kafka import client, topics
from shared.bus.kafka.client import answered, dismissed
from shared.bus.kafka.connection import Cluster
from shared.contracts.topics import ASSESSMENTS
from tests.contract.bus.buses import ONE_BROKER
from tests.contract.bus.rig import until

LOOPS = {"asyncio": asyncio.run, "uvloop": uvloop.run}
UNEXPECTED = "handler is closed"


async def gone_wire(address: str) -> asyncio.StreamWriter:
    """Return a writer whose connection has just been lost."""
    _, writer = await asyncio.open_connection(*address.split(":"))
    writer.transport.abort()
    await asyncio.sleep(0.01)
    return writer


async def until_coordinated(member: AIOKafkaConsumer) -> None:
    """Wait until a member knows who coordinates its group. Raises what it died of."""

    async def coordinated() -> bool:
        member._coordinator.check_errors()
        return member._coordinator.coordinator_id is not None

    await until(coordinated)


@pytest.mark.kafka
@pytest.mark.parametrize("run", LOOPS.values(), ids=LOOPS)
def test_a_write_to_a_wire_that_is_gone_is_an_error_that_the_client_knows(
    kafka: str, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    async def write() -> None:
        host, port = kafka.split(":")
        connection = await aiokafka.conn.create_conn(host, int(port))
        whole, connection._writer = connection._writer, await gone_wire(kafka)
        with pytest.raises(KafkaConnectionError):
            connection.send(MetadataRequest([]))
        assert not connection.connected()
        whole.close()

    run(write())


@pytest.mark.kafka
def test_a_member_that_writes_to_a_wire_that_is_gone_goes_on(kafka: str) -> None:
    """Its coordinator is looked for over the wire that broke; by itself the client's member dies of that."""

    async def rejoin() -> None:
        cluster = Cluster(kafka, prefix=f"{uuid.uuid4().hex}.")
        await topics.create(cluster, [ASSESSMENTS], ONE_BROKER)
        name, settings = cluster.topic(ASSESSMENTS.name), cluster.client_settings("test")
        member = AIOKafkaConsumer(name, **settings, group_id=name)
        await member.start()
        await until_coordinated(member)
        broken, connections = await gone_wire(kafka), list(member._client._conns.values())
        whole = [connection._writer for connection in connections]
        for connection in connections:
            connection._writer = broken
        member._coordinator.coordinator_dead()
        await until_coordinated(member)
        for writer in whole:
            writer.close()
        await dismissed(member.stop())
        await topics.delete(cluster, [ASSESSMENTS])

    uvloop.run(rejoin())


def test_uvloop_still_needs_this() -> None:
    """When this fails, shared/bus/kafka/client.py may lose its Connection."""

    async def write() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            writer = await gone_wire(f"{host}:{port}")
            with pytest.raises(RuntimeError, match=UNEXPECTED):
                writer.write(b"-")

    uvloop.run(write())


async def test_an_answer_that_the_client_gives_up_is_one_that_did_not_come() -> None:
    async def cancelled_from_within() -> None:
        raise asyncio.CancelledError

    with pytest.raises(TimeoutError):
        await answered(cancelled_from_within(), 1.0)


async def test_an_answer_that_takes_too_long_is_waited_for_no_longer() -> None:
    """Also where the client does not let itself be cancelled."""
    ended = asyncio.Event()

    async def stubborn() -> None:
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue

    with pytest.raises(TimeoutError):
        await answered(stubborn(), 0.01)
    ended.set()


async def test_an_error_of_the_client_and_its_answer_arrive() -> None:
    async def fails() -> None:
        raise KafkaConnectionError

    with pytest.raises(KafkaConnectionError):
        await answered(fails(), 1.0)

    async def answers() -> int:
        return 3

    assert await answered(answers(), 1.0) == 3


async def test_whoever_asks_can_be_cancelled_and_the_question_with_it() -> None:
    asked, given_up = asyncio.Event(), asyncio.Event()

    async def never() -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    asking = asyncio.create_task(answered(never(), 60.0))
    await asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(1.0):
        await given_up.wait()


@pytest.mark.parametrize("failure", [RuntimeError(), asyncio.CancelledError(), None], ids=type)
async def test_a_client_that_closes_badly_or_never_is_done_with(
    failure: BaseException | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CLOSE_WAIT_S", 0.01)
    never = asyncio.Event()

    async def close() -> None:
        if failure is not None:
            raise failure
        await never.wait()

    async with asyncio.timeout(1.0):
        await dismissed(close())
