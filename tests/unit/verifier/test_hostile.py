"""One stranger's documents, however they are made, cost a bounded amount of work and nobody else's turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi import HTTPException, Request

from services.verifier.examination.examine import Examiner, Expected
from services.verifier.examination.lists import ListReader
from services.verifier.examination.sources import FoundList
from services.verifier.offline import Given
from shared.attended import CLIENT_GONE, unless_gone
from shared.errors import Invalid, TooMany
from shared.proofs import workers as workers_module
from shared.proofs.allowance import Allowance
from shared.proofs.contexts import CREDENTIALS_V2
from shared.proofs.strictjson import JsonObject
from shared.proofs.workers import CanonicalWorkers
from tests.unit.verifier.credentials import ISSUER, JCS, RDFC, as_bytes, badge, status_list

ALIKE = {"type": ["IdentityObject"], "hashed": True}
POISON = badge(
    credentialStatus=None,
    credentialSubject=[{"type": ["AchievementSubject"], "identifier": [ALIKE] * 11} for _ in range(2)],
)
DEAR = badge(
    credentialStatus=None,
    evidence=[
        {"type": ["Evidence"], "name": f"Item {number}", "description": [str(word) for word in range(25)]}
        for number in range(50)
    ],
)
"""Takes a worker many times longer than a badge does, and nothing is wrong with it."""


class Counting(CanonicalWorkers):
    """Real workers that count what they were asked to canonicalise."""

    asked = 0

    async def hash_proofs(
        self, cryptosuite: str, document: JsonObject, configs: Sequence[JsonObject], *share: Any
    ) -> tuple[list[bytes] | Invalid, float]:
        self.asked += 1
        return await super().hash_proofs(cryptosuite, document, configs, *share)


class Dear(Counting):
    """Tells of each document that it took half a second."""

    async def hash_proofs(self, *job: Any) -> tuple[list[bytes] | Invalid, float]:
        answer, _ = await super().hash_proofs(*job)
        return answer, 0.5


def proved(document: dict[str, Any], *cryptosuites: str) -> dict[str, Any]:
    """`document` with proofs whose signatures are those of another: whoever poisons need not hash."""
    proofs = ISSUER.sign(badge(), *cryptosuites)["proof"]
    for proof in proofs:
        if "@context" in proof:
            proof["@context"] = document["@context"]
    return {**document, "proof": proofs}


async def test_a_set_of_proofs_costs_one_canonicalisation() -> None:
    async with Counting(1) as workers:
        signed = ISSUER.sign(badge(credentialStatus=None), *[RDFC, JCS] * 4)
        facts = await Examiner(workers).credential(signed, Given(None, None))
    proofs = facts.document.proofs
    assert isinstance(proofs, tuple)
    assert [proof.signature for proof in proofs] == [None] * 8
    assert workers.asked == 1


async def test_after_one_refusal_for_its_time_nothing_else_of_a_verification_is_looked_at() -> None:
    eightfold = proved(POISON, *[RDFC, JCS] * 4)
    presentation = {
        "@context": [CREDENTIALS_V2],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [eightfold] * 8,
        "proof": [
            {**proof, "proofPurpose": "authentication"} for proof in proved(POISON, *[RDFC] * 8)["proof"]
        ],
    }
    async with Counting(1) as workers:
        facts = await Examiner(workers).presentation(presentation, Given(None, None), Expected())
        assert workers.asked == 1
        for each in (facts.document, *(credential.document for credential in facts.credentials)):
            assert isinstance(each.proofs, tuple)
            assert {proof.signature and proof.signature.outcome for proof in each.proofs} == {"unknown"}


async def test_all_documents_of_a_verification_share_the_time_of_one() -> None:
    async with Dear(1) as workers:
        allowance = Allowance(workers)
        options: list[JsonObject] = [{"type": "DataIntegrityProof"}]
        answers = [await allowance.hash_proofs(RDFC, badge(), options) for _ in range(4)]
    assert [isinstance(answer, list) for answer in answers] == [True, True, False, False]
    assert workers.asked == 2


async def test_an_honest_client_is_served_while_a_stranger_has_work_for_a_long_time() -> None:
    finished: list[str] = []
    async with CanonicalWorkers(1) as workers:
        examiner = Examiner(workers)

        async def verify(caller: str, document: dict[str, Any]) -> None:
            await examiner.credential(document, Given(None, None), caller)
            finished.append(caller)

        dear, good = proved(DEAR, RDFC), ISSUER.sign(badge(credentialStatus=None))
        stranger = [asyncio.create_task(verify("stranger", dear)) for _ in range(40)]
        await asyncio.sleep(0)
        for _ in range(5):
            await verify("honest", good)
        # Before each of the five, of the stranger's forty: the one in hand, and one that had its turn first.
        assert finished.count("honest") == 5
        assert finished.count("stranger") <= 2 * 5
        for task in stranger:
            task.cancel()
        await asyncio.gather(*stranger, return_exceptions=True)


async def test_one_caller_cannot_fill_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "CALLER_DOCUMENTS_MAX", 2)
    options: list[JsonObject] = [{"type": "DataIntegrityProof"}]
    async with CanonicalWorkers(1) as workers:
        waiting = [
            asyncio.create_task(Allowance(workers, "stranger").hash_proofs(RDFC, badge(), options))
            for _ in range(2)
        ]
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await Allowance(workers, "stranger").hash_proofs(RDFC, badge(), options)
        assert isinstance(await Allowance(workers, "honest").hash_proofs(RDFC, badge(), options), list)
        assert all(isinstance(answer, list) for answer in await asyncio.gather(*waiting))
        assert isinstance(await Allowance(workers, "stranger").hash_proofs(RDFC, badge(), options), list)


async def test_a_list_that_a_spent_verification_could_not_read_is_read_by_the_next() -> None:
    async with CanonicalWorkers(1) as workers:
        reader, found = ListReader(), FoundList.of(status_list())
        spent = await reader.read(found, Allowance(workers, cpu_s=0.0))
        assert not spent.reading.is_hashed
        assert (await reader.read(found, Allowance(workers))).reading.is_hashed


async def test_who_hangs_up_takes_the_work_along() -> None:
    hung_up, cancelled = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def work() -> None:
        hung_up.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(HTTPException) as gone:
        await unless_gone(Request({"type": "http"}, receive), work())
    assert gone.value.status_code == CLIENT_GONE
    assert cancelled.is_set()


async def test_who_stays_gets_the_answer_or_the_error() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def answer() -> bytes:
        return as_bytes(badge())

    async def refuse() -> None:
        raise Invalid("x", "No.")

    assert await unless_gone(Request({"type": "http"}, receive), answer()) == as_bytes(badge())
    with pytest.raises(Invalid):
        await unless_gone(Request({"type": "http"}, receive), refuse())
