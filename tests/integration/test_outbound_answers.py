"""What the outbound client makes of answers that stall, unfold, trickle and hang up."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Sequence

import pytest

from shared.errors import Oversized
from shared.outbound import OutboundClient, OutboundFailure, OutboundLimits
from tests.integration.loopback_server import OK, Answer, Names, calling, saying, serving

MIB = 1_048_576


def length_of(body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def zipped_text(text: bytes) -> bytes:
    """The same bytes at every moment: they stand in the names of tests."""
    return gzip.compress(text, mtime=0)


async def ask(
    answer: Answer, limits: OutboundLimits | None = None, keep_body: bool = True
) -> tuple[int, bytes]:
    async with serving(answer) as server, calling(limits) as client:
        url = f"http://127.0.0.1:{server.port}/"
        response = await client.request("GET", url, {}, b"", keep_body=keep_body)
        return response.status, response.body


async def test_a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_not() -> None:
    zipped = b"Content-Encoding: gzip"
    assert await ask(saying(length_of(bytes(MIB)))) == (200, bytes(MIB))
    assert await ask(saying(length_of(gzip.compress(bytes(MIB)), zipped))) == (200, bytes(MIB))
    for response in (length_of(bytes(MIB + 1)), length_of(gzip.compress(bytes(MIB + 1)), zipped)):
        with pytest.raises(Oversized) as refused:
            await ask(saying(response))
        assert refused.value.code == "response-too-large"


async def test_a_compression_bomb_is_stopped_before_it_unfolds() -> None:
    bomb = length_of(gzip.compress(bytes(128 * MIB)), b"Content-Encoding: gzip")
    tracemalloc.start()
    try:
        with pytest.raises(Oversized):
            await ask(saying(bomb))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * MIB


async def test_an_endless_body_is_cut_off_plain_or_unfolding_to_nothing() -> None:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    opening = packer.compress(b"x") + packer.flush(zlib.Z_FULL_FLUSH)
    empty_block = packer.flush(zlib.Z_FULL_FLUSH) or b"\x00\x00\x00\xff\xff"

    def endless(opening: bytes, piece: bytes, header: bytes) -> Answer:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n" + opening)
            while True:
                writer.write(piece * 4096)
                await writer.drain()

        return answer

    for answer in (endless(b"", b"a", b""), endless(opening, empty_block, b"Content-Encoding: gzip\r\n")):
        with pytest.raises(Oversized):
            await ask(answer)
        assert await ask(answer, keep_body=False) == (200, b"")


@pytest.mark.parametrize(
    "response",
    [
        length_of(zipped_text(b"hello")[:-4], b"Content-Encoding: gzip"),
        length_of(zipped_text(b"hello") + zipped_text(b"again"), b"Content-Encoding: gzip"),
        length_of(b"not gzip at all", b"Content-Encoding: gzip"),
        length_of(b"hello", b"Content-Encoding: br"),
        length_of(zipped_text(zipped_text(b"hello")), b"Content-Encoding: gzip, gzip"),
        b"I am no HTTP server\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
)
async def test_an_answer_that_is_not_what_it_says_is_a_failure(response: bytes) -> None:
    with pytest.raises(OutboundFailure) as failed:
        await ask(saying(response))
    assert failed.value.code == "response-malformed"


async def test_a_body_cut_short_fails_its_reader_but_not_the_caller_who_wants_the_status() -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    with pytest.raises(OutboundFailure) as failed:
        await ask(hang_up)
    assert failed.value.code == "response-malformed"
    assert await ask(hang_up, keep_body=False) == (200, b"")


async def test_nobody_listening_and_a_name_without_address_are_unreachable() -> None:
    async with serving(saying(OK)) as server:
        pass
    for names in (Names(["127.0.0.1"]), Names([])):
        async with calling(names=names) as client:
            with pytest.raises(OutboundFailure) as failed:
                await client.request("GET", f"http://partner.example:{server.port}/", {}, b"")
        assert failed.value.code == "unreachable"


async def test_a_resolver_that_fails_is_an_unreachable_host() -> None:
    async def failing(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    client = OutboundClient(OutboundLimits(), False, resolver=failing)
    with pytest.raises(OutboundFailure) as failed:
        await client.request("GET", "https://partner.example/", {}, b"")
    assert failed.value.code == "unreachable"


async def test_a_host_that_accepts_and_says_nothing_or_trickles_is_timed_out() -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def trickling(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)

    for answer in (silent, trickling):
        with pytest.raises(OutboundFailure) as failed:
            await ask(answer, OutboundLimits(total_wait_s=0.2))
        assert failed.value.code == "timed-out"


async def test_a_resolver_that_hangs_is_cut_off_by_the_connect_limit() -> None:
    async def hanging(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    limits = OutboundLimits(connect_wait_s=0.05, total_wait_s=60)
    client = OutboundClient(limits, False, resolver=hanging)
    with pytest.raises(OutboundFailure) as failed:
        await client.request("GET", "https://partner.example/", {}, b"")
    assert failed.value.code == "timed-out"


# --- how many at once ---------------------------------------------------------------------------------


async def test_one_host_never_gets_more_requests_at_once_than_the_limit() -> None:
    pair, inside, most = asyncio.Barrier(2), 0, 0

    async def counted(writer: asyncio.StreamWriter) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await pair.wait()
        inside -= 1
        writer.write(OK)

    async with serving(counted) as server, calling(OutboundLimits(host_requests_max=2)) as client:
        url = f"http://partner.example:{server.port}/"
        await asyncio.gather(*(client.request("GET", url, {}, b"") for _ in range(8)))
    assert most == 2
    assert len(server.requests) == 8


async def test_a_busy_host_says_so_and_does_not_hold_up_another() -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def held(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await release.wait()
        writer.write(OK)

    limits = OutboundLimits(host_requests_max=1, host_wait_s=0.05)
    async with serving(held) as slow, serving(saying(OK)) as quick, calling(limits) as client:
        first = asyncio.create_task(client.request("GET", f"http://slow.example:{slow.port}/", {}, b""))
        await arrived.wait()
        with pytest.raises(OutboundFailure) as failed:
            await client.request("GET", f"http://slow.example:{slow.port}/", {}, b"")
        assert failed.value.code == "host-busy"
        response = await client.request("GET", f"http://quick.example:{quick.port}/", {}, b"")
        assert response.status == 200
        release.set()
        assert (await first).status == 200
        again = await client.request("GET", f"http://slow.example:{slow.port}/", {}, b"")
        assert again.status == 200


async def test_a_request_given_up_by_its_caller_frees_its_place() -> None:
    arrived = asyncio.Event()

    async def held(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await asyncio.Event().wait()

    limits = OutboundLimits(host_requests_max=1, connections_max=1, host_wait_s=5)
    async with serving(held) as slow, serving(saying(OK)) as quick, calling(limits) as client:
        given_up = asyncio.create_task(client.request("GET", f"http://one.example:{slow.port}/", {}, b""))
        await arrived.wait()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        response = await client.request("GET", f"http://one.example:{quick.port}/", {}, b"")
    assert response.status == 200
