"""From linted documents to tokens of them, for credentials that are planned with any.

As with proofs, the bytes of all are made before any is signed, and a signature is verified with the published
key before it gets out.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.issuer.documents.credential import CredentialFacts
from services.issuer.documents.tokens import made_token, token_to_sign
from services.issuer.handlers.proving import Draft, SelfVerificationError
from services.issuer.store import KeyRef
from shared.contracts.credentials import MadeToken, TokenForm
from shared.keys import Signer


class UnsignedToken(NamedTuple):
    """The bytes of a token that `key` is to sign."""

    form: TokenForm
    key: KeyRef
    signed: bytes


def unsigned_tokens(fact: CredentialFacts, draft: Draft) -> list[UnsignedToken]:
    """The planned tokens of a credential. Raises Invalid for what no token can hold."""
    found = []
    for planned in fact.issued.tokens:
        key = (fact.issuer_id, planned.key_id or fact.issued.key_id)
        signed = token_to_sign(draft.document, fact.issued, planned, draft.public_keys[key])
        found.append(UnsignedToken(planned.form, key, signed))
    return found


async def sign_tokens(
    signers: Mapping[KeyRef, Signer], drafts: Sequence[Draft], tokens: Sequence[Sequence[UnsignedToken]]
) -> list[tuple[MadeToken, ...]]:
    """Return the made tokens of each draft, in their order. Raises Unavailable or SelfVerificationError."""
    of_key: dict[KeyRef, list[tuple[int, int]]] = defaultdict(list)
    for number, of_draft in enumerate(tokens):
        for position, token in enumerate(of_draft):
            of_key[token.key].append((number, position))
    made: dict[tuple[int, int], MadeToken] = {}
    for key, places in of_key.items():
        messages = [tokens[number][position].signed for number, position in places]
        signatures = await asyncio.to_thread(signers[key].sign, messages)
        for (number, position), message, signature in zip(places, messages, signatures, strict=True):
            if not drafts[number].public_keys[key].verify(message, signature):
                raise SelfVerificationError("a new token does not verify with the published key")
            form = tokens[number][position].form
            made[number, position] = made_token(form, key[1], message, signature)
    return [
        tuple(made[number, position] for position in range(len(of_draft)))
        for number, of_draft in enumerate(tokens)
    ]
