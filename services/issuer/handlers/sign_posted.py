"""The lane from posted-credential.issued to posted-credential.signed: `issuer.sign` for what callers wrote.

The same order: what the intent seals → lint → hash → sign → verify with the published key, before the
transaction; then the stream is read again. What was forgotten or withdrawn meanwhile is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.issuer import posted_rules
from services.issuer.documents.posted import Made
from services.issuer.documents.signed import (
    digest,
    document_bytes,
    made_proofs,
    proof_configs,
    with_signatures,
)
from services.issuer.handlers.linting import check_contexts
from services.issuer.handlers.meta import caused_by
from services.issuer.handlers.posted import content_of, lint, stream_of
from services.issuer.handlers.posted_keys import PostedKeys, sealed_for
from services.issuer.handlers.proving import Draft, Prover, keys_to_sign_with, prove
from services.issuer.handlers.signing_keys import SigningKeys
from services.issuer.handlers.skips import skipped
from services.issuer.posted_store import PostedRef
from services.issuer.projections import project
from services.issuer.store import KeyRef
from shared.contracts.posted import PostedCredentialIssued
from shared.database import Database
from shared.errors import NotFound
from shared.eventstore import Append, Recorded, Session
from shared.proofs.public_keys import PublicKey

LANE = "issuer.sign_posted"

Prepared = Mapping[UUID, str]
"""What the signed event seals, by id of the posted-credential.issued; a forgotten one's is absent."""
_Intent = tuple[Recorded, PostedRef, PostedCredentialIssued]


class SignPosted:
    """Holds what signing depends on; `prepare` and `handle` are the two halves of the lane."""

    def __init__(
        self, database: Database, posted_keys: PostedKeys, signing_keys: SigningKeys, prover: Prover
    ) -> None:
        self._database = database
        self._posted_keys = posted_keys
        self._signing_keys = signing_keys
        self._prover = prover

    async def prepare(self, batch: Sequence[Recorded]) -> Prepared:
        """Make every signature of the batch. Raises Invalid for what may not be signed, Unavailable."""
        intents = [
            (each, (each.issuer_id, each.event.credential_id), each.event)
            for each in batch
            if isinstance(each.event, PostedCredentialIssued)
        ]
        async with self._database.connection() as connection:
            kept = await self._posted_keys.of(connection, [ref for _, ref, _ in intents])
            known = [intent for intent in intents if intent[1] in kept]
            wanted = [
                ((ref[0], key_id), issued.created) for _, ref, issued in known for key_id in issued.key_ids
            ]
            public_keys = await keys_to_sign_with(connection, wanted)
        drafts = [_draft(kept[intent[1]], intent, public_keys) for intent in known]
        signers = await self._signing_keys.of(public_keys)
        signatures = await prove(self._prover, signers, drafts)
        return {
            recorded.id: sealed_for(kept[ref], ref, issued.stream, _made(draft, made))
            for (recorded, ref, issued), draft, made in zip(known, drafts, signatures, strict=True)
        }

    async def handle(self, batch: Sequence[Recorded], session: Session, prepared: Prepared) -> None:
        """Append what was signed."""
        ready = [each for each in batch if each.id in prepared]
        skipped(LANE, "forgotten", len(batch) - len(ready))
        histories = await session.load_from(ready)
        appends = []
        for each in ready:
            history = histories[(each.issuer_id, each.stream)]
            state = posted_rules.posted_of(recorded.event for recorded in history)
            if state is None:
                raise NotFound("credential-unknown", "A credential to be signed is not in the log.")
            events = tuple(posted_rules.decide_sign_posted(state, prepared[each.id], session.at))
            if events:
                key = stream_of((each.issuer_id, state.issued.credential_id))
                appends.append(Append(*key, history[-1].version, events, caused_by(each, LANE)))
        skipped(LANE, "ended-before-signing", len(ready) - len(appends))
        await project(session.connection, await session.append(appends))


def _draft(key: bytes, intent: _Intent, public_keys: Mapping[KeyRef, PublicKey]) -> Draft:
    _, ref, issued = intent
    document = content_of(key, ref, issued).document
    check_contexts(document, issued.contexts)
    configs = proof_configs(document, issued.proofs, issued.key_id, issued.created)
    lint(document, configs)
    return Draft(document, configs, ref[0], public_keys)


def _made(draft: Draft, signatures: Sequence[bytes]) -> bytes:
    document = with_signatures(draft.document, draft.configs, signatures)
    made = Made(proofs=made_proofs(document), document_sha256=digest(document_bytes(document)))
    return made.model_dump_json().encode()
