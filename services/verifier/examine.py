"""Examines a credential: bytes in, facts out. The one way for HTTP, the command line and the demo alike.

Everything that may wait is here and in the sources behind it; what the facts mean is decided by domain.py.
"""

from __future__ import annotations

import asyncio

from services.verifier.facts import DocumentFacts, Facts, Objection
from services.verifier.lists import ListReader, entries, status_facts
from services.verifier.reading import parse, read
from services.verifier.signed import document_facts
from services.verifier.sources import Sources
from shared.proofs.strictjson import JsonValue
from shared.proofs.workers import CanonicalWorkers

WRAPPER = "verifiableCredential"


class Examiner:
    """Examines with one set of workers."""

    def __init__(self, workers: CanonicalWorkers) -> None:
        self._workers = workers
        self._lists = ListReader(workers)

    async def examine(self, data: bytes, sources: Sources) -> Facts:
        """Gather the facts about a credential, given bare or as `{"verifiableCredential": …}`.

        Whatever `data` holds, there are facts about it. Raises Unavailable if the workers or the sources are
        away.
        """
        value = parse(data)
        if isinstance(value, Objection):
            return Facts(DocumentFacts(unreadable=value))
        reading = await read(_unwrapped(value), self._workers)
        document = await document_facts(reading, sources)
        found = entries(reading.document)
        return Facts(
            document=document,
            status=tuple(
                await asyncio.gather(*(status_facts(entry, sources, self._lists) for entry in found))
            ),
            registry=await sources.registry(document.issuer),
        )


def _unwrapped(value: JsonValue) -> JsonValue:
    if isinstance(value, dict) and value.keys() == {WRAPPER}:
        return value[WRAPPER]
    return value
