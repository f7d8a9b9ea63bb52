"""Verifies a file without a database and without a network: what `microcred verify` does.

The same examination and the same judgement as behind HTTP. What is not at hand stays unknown: a credential
with a status needs its status list, one by a did:web its DID document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.verifier.domain.facts import Objection
from services.verifier.domain.presentation_rules import PresentationVerdict, judge_either
from services.verifier.domain.verdict import Result, Verdict
from services.verifier.examination.did_document import read_did_document
from services.verifier.examination.examine import Examiner, Expected
from services.verifier.examination.objections import unknown
from services.verifier.examination.sources import FoundList, Method
from shared.proofs.workers import CanonicalWorkers

EXIT_CODES: Mapping[str, int] = {Result.VALID: 0, Result.INVALID: 1, Result.UNKNOWN: 2}
"""What the command answers to the shell, by the word of the verdict."""


class Given:
    """The sources of the command line: at most one status list and one DID document, as given."""

    def __init__(self, status_list: bytes | None, did_document: bytes | None) -> None:
        self._list = None if status_list is None else FoundList.of(status_list)
        self._document = None if did_document is None else read_did_document(did_document)

    async def methods(self, did: str, _wanted: str) -> Sequence[Method] | Objection:
        if self._document is None or self._document[0] != did:
            return unknown("key-not-retrieved", "The signer's keys are not known here and are not fetched.")
        return self._document[1]

    async def status_list(self, _url: str) -> FoundList | Objection:
        """The one at hand, whatever was asked for; whether it is the right one is judged later."""
        if self._list is None:
            return unknown("status-list-unreachable", "Its status list is not known here and is not fetched.")
        return self._list

    async def registry(self, _did: str) -> None:
        return None


async def verify_file(
    content: bytes,
    *,
    status_list: bytes | None,
    did_document: bytes | None,
    at: datetime,
    expected: Expected | None = None,
) -> Verdict | PresentationVerdict:
    """Return the verdict on the bytes of a file at the moment `at`; see Examiner.examine.

    Raises Invalid('did-document-malformed') for a DID document that is none, and Unavailable if no worker
    process can be started.
    """
    sources = Given(status_list, did_document)
    async with CanonicalWorkers(1) as workers:
        return judge_either(await Examiner(workers).examine(content, sources, expected), at)
