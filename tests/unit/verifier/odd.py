"""What the tests of odd credentials share: how one is made, and the verdict and check that it has to get."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.verifier.domain.judging import judge
from services.verifier.domain.verdict import CHECKS
from services.verifier.examination.examine import Examiner
from services.verifier.offline import Given
from shared.proofs.workers import CanonicalWorkers
from tests.unit.verifier.credentials import AT, ISSUER, JCS, Signer, as_bytes, badge, status_list

PROOF = {"verdict": "invalid", "check": "proof", "code": "PROOF_VERIFICATION_ERROR"}


@dataclass(frozen=True)
class Odd:
    """`check` is the first that does not pass, with its `code`; both None for a valid credential."""

    credential: bytes
    verdict: str
    check: str | None = None
    code: str | None = None
    status_list: bytes | None = status_list()
    did_document: bytes | None = None


def signed(*cryptosuites: str, signer: Signer = ISSUER, **members: Any) -> dict[str, Any]:
    return signer.sign(badge(signer, **members), *cryptosuites)


GOOD = signed()
GOOD_JCS = signed(JCS)


def altered(change: Callable[[dict[str, Any]], object], document: dict[str, Any] = GOOD) -> bytes:
    """`document` after it was signed, changed."""
    copied = copy.deepcopy(document)
    change(copied)
    return as_bytes(copied)


async def assert_verdict(odd: Odd, workers: CanonicalWorkers) -> None:
    """Judge it at AT: the result, the check that decides and its code have to be as `odd` says."""
    sources = Given(odd.status_list, odd.did_document)
    verdict = judge(await Examiner(workers).examine(odd.credential, sources), AT)
    decisive = {"invalid": "failed", "unknown": "unknown", "valid": None}[odd.verdict]
    first = next(((c.name, c.code) for c in verdict.checks if c.outcome == decisive), (None, None))
    assert (verdict.result, *first) == (odd.verdict, odd.check, odd.code)
    assert tuple(check.name for check in verdict.checks) == CHECKS
    assert all(check.sentence.endswith(".") for check in verdict.checks)
