"""A requeue replays a key in order and opens it again; what arrives meanwhile waits its turn."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import pytest

from shared.bus import dead_letters
from shared.bus.consumer import STALE_TRIES_MAX
from shared.bus.seam import Record, Source
from shared.errors import Conflict, NotFound, StaleStream, Unavailable
from shared.eventstore import Recorded
from tests.contract.bus.member import Watched
from tests.contract.bus.rig import CONSUMER, Rig, number, until


class Fault:
    """What the handler raises at the first event of a key, until it is mended."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = set(numbers)
        self.raised = 0

    def __call__(self, recorded: Recorded) -> None:
        if number(recorded) in self.numbers:
            self.raised += 1
            raise ValueError

    def mend(self) -> None:
        self.numbers.clear()


class Deaf(Watched):
    """A source that hands out nothing: its member does nothing but replay."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, lambda _: None)

    async def poll(self, records_max: int, wait_s: float) -> Sequence[Record]:
        await asyncio.sleep(wait_s)
        return ()


async def test_a_requeue_replays_a_key_in_order_and_opens_it_again(rig: Rig) -> None:
    await rig.tell("bad", "a", "bad", "bad")
    fault = Fault(1)
    async with rig.running(rig.member(spoil=fault)):
        await rig.has_letters(3)
        fault.mend()
        assert await rig.ask_requeue("bad") == 3
        await rig.has_letters(0)
        await rig.tell("bad")
        await rig.has_effects(5)
    assert await rig.effects() == [("bad", 1), ("a", 2), ("bad", 3), ("bad", 4), ("bad", 5)]


async def test_a_requeue_of_one_key_leaves_the_others_parked(rig: Rig) -> None:
    await rig.tell("bad", "worse", "worse")
    fault = Fault(1, 2)
    async with rig.running(rig.member(spoil=fault)):
        await rig.has_letters(3)
        fault.mend()
        await rig.ask_requeue("bad")
        await rig.has_letters(2)
    assert await rig.effects() == [("bad", 1)]
    assert await rig.letters() == [("worse", "buried"), ("worse", "parked")]


async def test_a_requeue_that_fails_again_changes_nothing_but_the_reason(rig: Rig) -> None:
    await rig.tell("bad", "bad")
    fault = Fault(1)
    async with rig.running(rig.member(spoil=fault)):
        await rig.has_letters(2)
        raised = fault.raised
        await rig.ask_requeue("bad")

        async def answered() -> bool:
            async with rig.own.connection() as connection:
                return not await dead_letters.asked_keys(connection, CONSUMER)

        await until(answered)
        assert fault.raised > raised
    assert await rig.effects() == []
    async with rig.own.connection() as connection:
        buried, parked = sorted(
            await dead_letters.open_letters(connection, CONSUMER), key=lambda letter: letter.offset
        )
    assert "ValueError" in buried.error
    assert "waits behind" in parked.error


async def test_a_requeue_meets_stale_streams_as_patiently_as_a_batch(rig: Rig) -> None:
    await rig.tell("bad")
    fault, tries = Fault(1), []

    def spoil(recorded: Recorded) -> None:
        fault(recorded)
        tries.append(1)
        if len(tries) <= STALE_TRIES_MAX:
            raise StaleStream("Somebody was first.")

    async with rig.running(rig.member(spoil=spoil)):
        await rig.has_letters(1)
        fault.mend()
        await rig.ask_requeue("bad")
        await rig.has_effects(1)
    assert await rig.letters() == []


async def test_a_requeue_waits_while_what_it_needs_is_away(rig: Rig) -> None:
    await rig.tell("bad")
    fault, tries = Fault(1), []

    def spoil(recorded: Recorded) -> None:
        fault(recorded)
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("The vault is away.")

    async with rig.running(rig.member(spoil=spoil)):
        await rig.has_letters(1)
        fault.mend()
        await rig.ask_requeue("bad")
        await rig.has_effects(1)
    assert await rig.letters() == []


async def test_what_arrives_during_a_replay_waits_and_comes_after_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second member replays; the first, which alone is handed records, gets one of the key meanwhile."""
    await rig.tell("bad", "bad")
    fault = Fault(1)
    first = rig.member("first", spoil=fault)
    monkeypatch.setattr(first, "_requeue_checked_at", math.inf)
    replaying, go_on = asyncio.Event(), asyncio.Event()

    async def hold(batch: Sequence[Recorded]) -> None:
        replaying.set()
        await go_on.wait()

    async with rig.running(first):
        await rig.has_letters(2)
        fault.mend()
        async with rig.running(rig.member("second", prepare=hold, source_of=Deaf)):
            await rig.ask_requeue("bad")
            await replaying.wait()
            await rig.tell("bad", "other")
            await rig.has_effects(1)
            await rig.has_letters(3)
            go_on.set()
            await rig.has_letters(0)
        await rig.tell("bad")
        await rig.has_effects(5)
    assert await rig.effects() == [("bad", 1), ("bad", 2), ("bad", 3), ("other", 4), ("bad", 5)]
    assert await rig.members() == {"first", "second"}


async def test_a_replay_in_progress_keeps_a_new_record_of_its_key_from_overtaking(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replay's transaction is open and holds the key; the member that holds the bus must wait for it."""
    await rig.tell("bad", "bad")
    fault = Fault(1)
    first = rig.member("first", spoil=fault)
    monkeypatch.setattr(first, "_requeue_checked_at", math.inf)
    second = rig.member("second", source_of=Deaf)
    in_hand, go_on = asyncio.Event(), asyncio.Event()
    resolve = dead_letters.resolve

    async def resolve_later(*arguments: object) -> None:
        in_hand.set()
        await go_on.wait()
        await resolve(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(dead_letters, "resolve", resolve_later)
    async with rig.running(first):
        await rig.has_letters(2)
        fault.mend()
        async with rig.running(second):
            await rig.ask_requeue("bad")
            await in_hand.wait()
            await rig.tell("bad")

            async def first_waits_for_the_key() -> bool:
                async with rig.own.connection() as connection:
                    return bool(
                        await connection.fetchval(
                            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
                            " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
                        )
                    )

            await until(first_waits_for_the_key)
            go_on.set()
            await rig.has_effects(3)
    assert await rig.effects() == [("bad", 1), ("bad", 2), ("bad", 3)]
    assert await rig.letters() == []


async def test_asking_for_what_does_not_wait_or_twice_is_refused(rig: Rig) -> None:
    with pytest.raises(NotFound):
        await rig.ask_requeue("bad")
    await rig.tell("bad")
    async with rig.running(rig.member(spoil=Fault(1))):
        await rig.has_letters(1)
    assert await rig.ask_requeue("bad") == 1
    with pytest.raises(Conflict):
        await rig.ask_requeue("bad")


async def test_an_undecodable_letter_fails_its_requeue_and_stays(rig: Rig) -> None:
    await rig.tell_bytes("bad", b"{}")
    async with rig.running(rig.member()):
        await rig.has_letters(1)
        await rig.ask_requeue("bad")

        async def answered() -> bool:
            async with rig.own.connection() as connection:
                return not await dead_letters.asked_keys(connection, CONSUMER)

        await until(answered)
    assert await rig.letters() == [("bad", "buried")]


async def test_what_is_to_be_parked_is_not_prepared(rig: Rig) -> None:
    """Else what fails in preparing would be buried, one by one, where it only had to wait."""
    prepared: list[int] = []

    async def prepare(batch: Sequence[Recorded]) -> None:
        prepared.extend(number(recorded) for recorded in batch)

    await rig.tell("bad")
    async with rig.running(rig.member(spoil=Fault(1), prepare=prepare)):
        await rig.has_letters(1)
        seen = len(prepared)
        await rig.tell("bad", "a")
        await rig.has_letters(2)
        await rig.has_effects(1)
    assert prepared[seen:] == [3]
    assert await rig.letters() == [("bad", "buried"), ("bad", "parked")]
