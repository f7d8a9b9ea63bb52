"""How a caller's word for a learner becomes something that can be looked up but not read.

The hash is keyed by a purpose of the master key and bound to the tenant: the database alone confirms no
guessed name, and two tenants' hashes of one reference have nothing in common. A learner without a reference
is known by e-mail, in lower case; references and e-mails never meet, even where they are equal.
"""

from __future__ import annotations

from services.assessor.store import Reference
from shared.sealing import MasterKey, keyed_hash


class References:
    """Turns references and e-mails into keyed hashes."""

    def __init__(self, master_key: MasterKey) -> None:
        self._key = master_key.derive("learner-reference")

    def of(self, issuer_id: str, reference: str | None, email: str) -> Reference:
        """Return what a learner is known by: the caller's own reference, or else the e-mail."""
        if reference is not None:
            return self.of_reference(issuer_id, reference)
        return self.of_email(issuer_id, email)

    def of_reference(self, issuer_id: str, reference: str) -> Reference:
        """Return the key of a learner whom the caller named by a reference."""
        return issuer_id, keyed_hash(self._key, issuer_id, "reference", reference)

    def of_email(self, issuer_id: str, email: str) -> Reference:
        """Return the key of a learner who was submitted with an e-mail alone."""
        return issuer_id, keyed_hash(self._key, issuer_id, "email", email.lower())
