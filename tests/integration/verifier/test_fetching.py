"""Copies of strangers' documents: how long they are good, and when they are fetched anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.verifier.domain.facts import Objection
from services.verifier.examination.sources import FoundList
from services.verifier.fetching import fetcher as fetching
from services.verifier.fetching.fetcher import FAILURE_KEPT_S, Errand, Fetcher, Wanted
from services.verifier.fetching.web import (
    DID_DOCUMENT_AGAIN_S,
    DID_DOCUMENT_KEPT_S,
    LIST_KEPT_S_DEFAULT,
    LIST_KEPT_S_MAX,
    LIST_KEPT_S_MIN,
    Web,
    list_kept_s,
)
from shared.embedded import free_port
from shared.outbound import OutboundClient, OutboundLimits
from tests.integration.authority import Authority
from tests.integration.loopback_server import calling, serving
from tests.integration.verifier.strangers import DID_PATH, HOST, LIST_PATH, Strangers
from tests.unit.verifier.credentials import AT, did_document, status_list

WANTED = Wanted("application/json", "key-not-retrieved", "It", lambda _: 60.0)


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def outbound(authority: Authority) -> AsyncIterator[OutboundClient]:
    async with calling(OutboundLimits(), ssl_context=authority.trusted()) as client:
        yield client


@pytest.fixture
def fetcher(outbound: OutboundClient, watch: Watch) -> Fetcher:
    return Fetcher(outbound, watch)


def web(fetcher: Fetcher) -> Web:
    """The network for one more verification."""
    return Web(Errand(fetcher), "https://credentials.example", lambda: AT)


async def test_a_new_key_is_found_though_an_older_document_is_kept(
    strangers: Strangers, fetcher: Fetcher, watch: Watch
) -> None:
    old, new = strangers.signer(7), strangers.signer(8)
    strangers.documents[DID_PATH] = did_document(old)
    await web(fetcher).methods(strangers.did, old.method)
    strangers.documents[DID_PATH] = did_document(new)
    watch.seconds = DID_DOCUMENT_AGAIN_S / 2
    at_once = await web(fetcher).methods(strangers.did, new.method)
    assert not isinstance(at_once, Objection)
    assert [method.id for method in at_once] == [old.method]
    watch.seconds = DID_DOCUMENT_AGAIN_S + 1
    soon = await web(fetcher).methods(strangers.did, new.method)
    assert not isinstance(soon, Objection)
    assert [method.id for method in soon] == [new.method]
    assert len(strangers.requests) == 2


async def test_a_withdrawn_key_is_believed_no_longer_than_its_document_is_kept(
    strangers: Strangers, fetcher: Fetcher, watch: Watch
) -> None:
    signer = strangers.signer()
    strangers.documents[DID_PATH] = did_document(signer)
    await web(fetcher).methods(strangers.did, signer.method)
    strangers.documents[DID_PATH] = did_document(signer, verificationMethod=[], assertionMethod=[])
    watch.seconds = DID_DOCUMENT_KEPT_S
    assert await web(fetcher).methods(strangers.did, signer.method) == []


async def test_a_list_is_fetched_again_once_its_ttl_is_over(
    strangers: Strangers, fetcher: Fetcher, watch: Watch
) -> None:
    strangers.documents[LIST_PATH] = status_list(subject={"ttl": 60_000})
    for seconds, requests in ((0, 1), (59, 1), (60, 2)):
        watch.seconds = seconds
        assert isinstance(await web(fetcher).status_list(strangers.url + LIST_PATH), FoundList)
        assert len(strangers.requests) == requests


async def test_a_failure_is_not_tried_again_at_once(
    strangers: Strangers, fetcher: Fetcher, watch: Watch
) -> None:
    url = strangers.url + LIST_PATH
    for _ in range(3):
        assert isinstance(await web(fetcher).status_list(url), Objection)
    assert len(strangers.requests) == 1
    strangers.documents[LIST_PATH] = status_list()
    watch.seconds = FAILURE_KEPT_S
    assert isinstance(await web(fetcher).status_list(url), FoundList)


async def test_security_is_spoken_of_only_where_it_is_what_failed(
    strangers: Strangers, fetcher: Fetcher, authority: Authority
) -> None:
    port = free_port()
    async with serving(strangers.answer, tls=authority.server("other.example")) as other:
        for url, told in (
            (f"http://{HOST}:{port}/", "could not be reached"),
            (f"https://{HOST}:{port}/", "could not be reached"),
            (f"https://{HOST}:{other.port}/", "could not be reached securely"),
        ):
            missing = await fetcher.fetch(url, WANTED)
            assert isinstance(missing, Objection)
            assert missing.sentence.endswith(f"its server {told}."), url


async def test_copies_are_bounded_in_number_and_in_bytes(
    strangers: Strangers, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "COPIES_MAX", 2)
    monkeypatch.setattr(fetching, "COPIES_BYTES_MAX", 100)
    strangers.documents |= {f"/{number}": b"x" * 40 for number in range(3)} | {"/large": b"x" * 90}
    urls = [f"{strangers.url}/{name}" for name in (0, 1, 2, "large")]
    for url in urls[:3]:
        await fetcher.fetch(url, WANTED)
    assert [fetcher.copy(url) is None for url in urls[:3]] == [True, False, False]
    await fetcher.fetch(urls[3], WANTED)
    assert [fetcher.copy(url) is None for url in urls] == [True, True, True, False]


@pytest.mark.parametrize(
    ("ttl", "valid_until", "kept_s"),
    [
        (60_000, None, 60.0),
        (600_000, AT + timedelta(seconds=90), 90.0),
        (60_000, AT - timedelta(days=1), LIST_KEPT_S_MIN),
        (0, None, LIST_KEPT_S_MIN),
        (10**15, None, LIST_KEPT_S_MAX),
        ("soon", None, LIST_KEPT_S_DEFAULT),
    ],
)
def test_a_copy_of_a_list_is_good_for_its_ttl_and_never_beyond_its_validity(
    ttl: object, valid_until: object, kept_s: float
) -> None:
    until = None if valid_until is None else str(valid_until).replace(" ", "T")
    assert list_kept_s(status_list(subject={"ttl": ttl}, validUntil=until), AT) == kept_s
    assert list_kept_s(b"{", AT) == LIST_KEPT_S_MIN
