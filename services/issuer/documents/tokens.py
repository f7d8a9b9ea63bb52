"""A credential as a token: the bytes that are signed, and the token of these and a signature.

A token holds the document that stands at the credential's address, without its proofs, and is planned in the
same intent. Of a token too only what was made is recorded: its signature, and the SHA-256 of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.issuer.documents.credential import RENDERER, RENDERER_WITH_SUBJECT
from services.issuer.documents.signed import digest
from shared.contracts.credentials import CredentialIssued, MadeToken, PlannedToken, TokenForm
from shared.proofs import base64url, jws, vc_jwt
from shared.proofs.public_keys import PublicKey
from shared.proofs.strictjson import JsonObject
from shared.proofs.vc_jwt import Form

FORMS: Mapping[TokenForm, Form] = {"vc+jwt": Form.CREDENTIAL, "ob-jwt": Form.OPEN_BADGE}


def renderer_for(planned: Sequence[PlannedToken]) -> int:
    """The layout of a new credential with these tokens: that of Open Badges needs a subject with an id."""
    return RENDERER_WITH_SUBJECT if any(token.form == "ob-jwt" for token in planned) else RENDERER


def token_to_sign(
    document: JsonObject, issued: CredentialIssued, planned: PlannedToken, public_key: PublicKey
) -> bytes:
    """The bytes to be signed for a planned token of `document`. Raises Invalid for what no token can hold."""
    key_id = planned.key_id or issued.key_id
    return vc_jwt.to_sign(document, FORMS[planned.form], public_key, key_id, issued.created)


def made_token(form: TokenForm, key_id: str, signed: bytes, signature: bytes) -> MadeToken:
    """What credential.signed records of a token."""
    return MadeToken(
        form=form,
        key_id=key_id,
        signature=base64url.encode(signature),
        sha256=digest(jws.compact(signed, signature).encode()),
    )


def token_bytes(signed: bytes, made: MadeToken) -> bytes:
    """The token that was recorded."""
    return jws.compact(signed, base64url.decode(made.signature)).encode()
