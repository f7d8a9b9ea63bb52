"""What is signed names addresses of the installation for ever: this follows each of them to where it leads.

From a signed document to the documents behind its addresses, and on from these. A name with a fragment has to
be the `id` of an object in the document at its address; two things are called otherwise, and held to that:
an issuer's profile has the issuer's DID as its `id`, and the entry of a credential in a status list stands in
the credential alone, for the list has a bit in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2

from services.demo.sample import SLUG
from shared.proofs import bitstring, didweb
from tests.integration.world.conftest import PeopledWorld

PAGES_MAX = 20


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, names of members too."""
    if isinstance(value, str):
        yield value
    for each in _within(value):
        yield from strings(each)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value, itself too."""
    if isinstance(value, dict):
        yield value
    for each in _within(value):
        yield from objects(each)


def _within(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def without_context(page: dict[str, Any]) -> dict[str, Any]:
    """What a page says of its thing, as it stands in other documents."""
    return {name: value for name, value in page.items() if name != "@context"}


class Walk:
    """One walk from what `issuer` signed; `pages` are the documents it came to, `faults` what misleads."""

    def __init__(self, world: PeopledWorld, public_url: str, issuer: str) -> None:
        self.pages: dict[str, Any] = {}
        self.faults: list[str] = []
        self._world = world
        self._public_url = public_url
        self._issuer = issuer

    async def follow(self, signed: Any) -> None:
        """Follow every name in `signed`; each address is asked once a walk."""
        waiting = [signed]
        while waiting:
            document = waiting.pop()
            for name in sorted(set(strings(document))):
                url = self._address(name)
                if url is None:
                    continue
                if url not in self.pages:
                    assert len(self.pages) < PAGES_MAX, f"it leads ever on: {sorted(self.pages)}"
                    self.pages[url] = await self._page(url, name.partition("#")[0])
                    waiting.append(self.pages[url])
                page = self.pages[url]
                if page is not None and "#" in name and not stands(name, page, document):
                    self.faults.append(f"{name} is the id of nothing in {url}")

    def _address(self, name: str) -> str | None:
        """Where the document is that `name` is of or in, if this installation has to have it."""
        bare = name.partition("#")[0]
        url = didweb.document_url(bare) if didweb.is_did_web(bare) else bare
        return url if url.startswith(self._public_url) else None

    async def _page(self, url: str, name: str) -> Any:
        """The document at `url`, if it is there and is the one that is called `name`."""
        local = self._world.installation.address + url.removeprefix(self._public_url)
        answer: httpx2.Response = await self._world.provider.fetch(local)
        if answer.status_code != 200:
            self.faults.append(f"{url} answers {answer.status_code}")
            return None
        page = answer.json()
        expected = self._issuer if url == f"{self._public_url}/issuers/{SLUG}" else name
        if page.get("id") != expected:
            self.faults.append(f"{url} has the id {page.get('id')} instead of {expected}")
        return page


def stands(name: str, page: dict[str, Any], document: Any) -> bool:
    """Whether `name`, found in `document`, is of an object in `page` or of a bit of its status list."""
    if any(each.get("id") == name for each in objects(page)):
        return True
    url, _, place = name.partition("#")
    entry = {"statusListCredential": url, "statusListIndex": place}
    if not any(each.get("id") == name and entry.items() <= each.items() for each in objects(document)):
        return False
    return int(place) < len(bitstring.decode(page["credentialSubject"]["encodedList"]))
