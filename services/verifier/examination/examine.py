"""Examines what was handed in: bytes in, facts out. The one way for HTTP, the command line and the demo
alike.

Everything that may wait is here and in the sources behind it; what the facts mean is decided by domain.py and
presentation_rules.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.verifier.domain.document_rules import is_signers_word
from services.verifier.domain.facts import DocumentFacts, Facts, Objection, StatusFacts
from services.verifier.domain.presentation_rules import PresentationFacts
from services.verifier.examination.lists import (
    ListReader,
    StatusEntry,
    entries,
    not_looked_up,
    status_facts,
)
from services.verifier.examination.objections import failed
from services.verifier.examination.opening import opened
from services.verifier.examination.presentation_shape import credentials_of, is_presentation
from services.verifier.examination.reading import CREDENTIAL, PRESENTATION, Reading, read
from services.verifier.examination.signed import document_facts
from services.verifier.examination.sources import Sources
from shared.errors import Invalid
from shared.proofs import vc_jwt
from shared.proofs.allowance import Allowance
from shared.proofs.contexts import PINNED, ContextSet
from shared.proofs.strictjson import JsonValue
from shared.proofs.vc_jwt import Form
from shared.proofs.workers import CanonicalWorkers

CREDENTIAL_WRAPPER = "verifiableCredential"
PRESENTATION_WRAPPER = "verifiablePresentation"


@dataclass(frozen=True, slots=True)
class Expected:
    """For whom and for which request a presentation has to have been made; None where nobody asked."""

    domain: str | None = None
    challenge: str | None = None


class Examiner:
    """Examines with one set of workers, whose contexts are `known`."""

    def __init__(self, workers: CanonicalWorkers, known: ContextSet = PINNED) -> None:
        self._workers = workers
        self._known = known
        self._lists = ListReader()

    async def examine(
        self, data: bytes, sources: Sources, expected: Expected | None = None, caller: str | None = None
    ) -> Facts | PresentationFacts:
        """Gather the facts about a credential or a presentation, as `opening` and `examine_value` take them.

        Whatever `data` holds, there are facts about it. `caller` is whose turn it takes at the workers.
        Raises Unavailable if the workers or the sources are away.
        """
        value = opened(data)
        if isinstance(value, Objection):
            return Facts(DocumentFacts(unreadable=value))
        return await self.examine_value(value, sources, expected or Expected(), caller)

    async def examine_value(
        self, value: JsonValue, sources: Sources, expected: Expected, caller: str | None = None
    ) -> Facts | PresentationFacts:
        """As `examine`, of a JSON value: bare, or wrapped as `verifiableCredential` or `…Presentation`."""
        if isinstance(value, dict) and len(value) == 1:
            if PRESENTATION_WRAPPER in value:
                return await self.presentation(value[PRESENTATION_WRAPPER], sources, expected, caller)
            value = value.get(CREDENTIAL_WRAPPER, value)
        if is_presentation(value) or _is_presented_token(value):
            return await self.presentation(value, sources, expected, caller)
        return await self.credential(value, sources, caller)

    async def credential(self, value: JsonValue, sources: Sources, caller: str | None = None) -> Facts:
        """The facts about a credential: a document, an envelope, or a token."""
        return await self._credential(value, sources, Allowance(self._workers, caller))

    async def presentation(
        self, value: JsonValue, sources: Sources, expected: Expected, caller: str | None = None
    ) -> PresentationFacts:
        """The facts about a presentation and each of its credentials.

        They share what may be fetched, and the time that the workers may take.
        """
        allowance = Allowance(self._workers, caller)
        reading = await read(value, allowance, PRESENTATION, self._known)
        return PresentationFacts(
            document=await document_facts(reading, sources),
            audience=_audience(reading, expected),
            credentials=tuple(
                [
                    await self._credential(each, sources, allowance)
                    for each in credentials_of(reading.document)
                ]
            ),
        )

    async def _credential(self, value: JsonValue, sources: Sources, allowance: Allowance) -> Facts:
        reading = await read(value, allowance, CREDENTIAL, self._known)
        document = await document_facts(reading, sources)
        found = entries(reading.document)
        return Facts(
            document=document,
            status=await self._status(found, document.issuer, sources, allowance)
            if is_signers_word(document)
            else tuple(map(not_looked_up, found)),
            registry=await sources.registry(document.issuer),
        )

    async def _status(
        self,
        found: Sequence[StatusEntry | Objection],
        issuer: str,
        sources: Sources,
        allowance: Allowance,
    ) -> tuple[StatusFacts | Objection, ...]:
        """Asked only of a credential that its issuer has signed: no stranger's word is an address to call."""
        looked_up = (status_facts(entry, issuer, sources, self._lists, allowance) for entry in found)
        return tuple(await asyncio.gather(*looked_up))


def _audience(reading: Reading, expected: Expected) -> Objection | str | None:
    """Data Integrity 1.0 §4.4: every proof has to be for this domain and this challenge."""
    if expected == Expected():
        return "Nobody said for whom and for which request it had to be made."
    if isinstance(reading.proofs, Objection):
        return reading.proofs
    for proof in reading.proofs:
        if expected.domain is not None and expected.domain not in proof.domains:
            return failed("proof-domain", "It was made for another recipient.")
        if expected.challenge is not None and expected.challenge != proof.challenge:
            return failed("proof-challenge", "It does not answer the challenge that was set.")
    return None


def _is_presented_token(value: JsonValue) -> bool:
    """Whether `value` is a token, bare or in its envelope, that calls itself a presentation."""
    try:
        token = value if isinstance(value, str) else vc_jwt.enveloped(value)
        return token is not None and vc_jwt.read(token).form is Form.PRESENTATION
    except Invalid:
        return False
