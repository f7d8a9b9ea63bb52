"""What other servers say: keys of a did:web, and status lists, fetched by the guarded client.

Nothing that comes from here is believed for where it came from: a DID document counts for the DID that was
asked for alone, a list is judged like every list (domain.py). Never asks our own installation over the
network: what is not kept here is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from services.verifier.domain.facts import Objection
from services.verifier.examination.did_document import read_did_document
from services.verifier.examination.objections import objection, unknown
from services.verifier.examination.sources import FoundList, Method
from services.verifier.fetching.fetcher import Errand, Wanted
from shared.errors import Invalid
from shared.proofs import datetimes, didweb, strictjson

DID_DOCUMENT_KEPT_S: Final = 300.0
DID_DOCUMENT_AGAIN_S: Final = 10.0
"""A copy older than this is fetched again for a key that it does not know: the issuer may have a new one."""
LIST_KEPT_S_DEFAULT: Final = 300.0
LIST_KEPT_S_MIN: Final = 5.0
LIST_KEPT_S_MAX: Final = 86_400.0

_DID_DOCUMENT = Wanted(
    "application/did+json, application/json;q=0.9, application/did+ld+json;q=0.8",
    "key-not-retrieved",
    "The document with the issuer's keys",
    lambda _: DID_DOCUMENT_KEPT_S,
)


class Web:
    """The network as a source, for one verification. What begins with `own` is ours alone to answer."""

    def __init__(self, errand: Errand, own: str, now: Callable[[], datetime]) -> None:
        self._errand = errand
        self._own = own
        self._list = Wanted(
            "application/vc, application/json;q=0.9, application/ld+json;q=0.8",
            "status-list-unreachable",
            "Its status list",
            lambda data: list_kept_s(data, now()),
        )

    async def methods(self, did: str, wanted: str) -> Sequence[Method] | Objection:
        """The methods in the document of a did:web; see Sources."""
        if not didweb.is_did_web(did):
            return unknown("key-not-retrieved", "The issuer's identifier is of a kind that is not looked up.")
        url = didweb.document_url(did)
        if self._is_own(url):
            return unknown("key-not-retrieved", "There is no such issuer here.")
        found = await self._methods_at(did, url)
        if isinstance(found, Objection) or any(method.id == wanted for method in found):
            return found
        return await self._methods_at(did, url, DID_DOCUMENT_AGAIN_S)

    async def status_list(self, url: str) -> FoundList | Objection:
        """The list at `url`; see Sources."""
        if self._is_own(url):
            return unknown("status-list-unreachable", "Its status list is not known here.")
        found = await self._errand.get(url, self._list)
        return found if isinstance(found, Objection) else FoundList.of(found, url)

    async def _methods_at(
        self, did: str, url: str, age_s_max: float = float("inf")
    ) -> Sequence[Method] | Objection:
        data = await self._errand.get(url, _DID_DOCUMENT, age_s_max)
        if isinstance(data, Objection):
            return data
        try:
            described, methods = read_did_document(data)
        except Invalid as refusal:
            return unknown("key-not-retrieved", objection(refusal).sentence)
        if described != did:
            return unknown("key-not-retrieved", "At the issuer's address stands the document of another.")
        return methods

    def _is_own(self, url: str) -> bool:
        return url == self._own or url.startswith(f"{self._own}/")


def list_kept_s(data: bytes, now: datetime) -> float:
    """Seconds for which a copy of a status list may be kept: its `ttl`, but never beyond its validity.

    Bitstring Status List 1.0 §2.2: `ttl` is in milliseconds, without a default.
    """
    try:
        document = strictjson.loads(data)
    except Invalid:
        return LIST_KEPT_S_MIN
    subject = document.get("credentialSubject") if isinstance(document, dict) else None
    ttl = subject.get("ttl") if isinstance(subject, dict) else None
    kept_s = ttl / 1000 if isinstance(ttl, int | float) else LIST_KEPT_S_DEFAULT
    until = document.get("validUntil") if isinstance(document, dict) else None
    end = datetimes.parse(until) if isinstance(until, str) else None
    if end is not None:
        kept_s = min(kept_s, (end - now).total_seconds())
    return min(max(kept_s, LIST_KEPT_S_MIN), LIST_KEPT_S_MAX)
