"""The cryptosuites: one file and one line each.

A suite says how a document and its proof options become the bytes that are signed (Data Integrity 1.0
section 4, EdDSA and ECDSA Cryptosuites 1.0 section 3), and how those are signed and checked. To add one,
write its file and its line in SUITES; whatever is tested for every suite then covers it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.proofs.public_keys import KeyKind, PublicKey
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites.ecdsa_rdfc_2019 import EcdsaRdfc2019
from shared.proofs.suites.eddsa_jcs_2022 import EddsaJcs2022
from shared.proofs.suites.eddsa_rdfc_2022 import EddsaRdfc2022
from shared.proofs.suites.signatures import MessageSigner


class Suite(Protocol):
    """What a cryptosuite has to offer. Instances are picklable: they travel to worker processes."""

    @property
    def cryptosuite(self) -> str:
        """The name in the proof, such as `eddsa-rdfc-2022`."""

    @property
    def key_kind(self) -> KeyKind:
        """The one kind of key whose signatures count."""

    @property
    def own_context(self) -> bool:
        """True if a proof carries the @context it was made with; else it is read with the document's."""

    @property
    def offloaded(self) -> bool:
        """True if `hash_data` is slow or can be made to run for ever, and belongs in a worker process."""

    def hash_data(self, document: JsonObject, proof_config: JsonObject) -> bytes:
        """The 64 bytes to be signed: SHA-256 of the proof options, then SHA-256 of the document.

        `document` has no `proof`, `proof_config` no `proofValue`. Raises `Invalid`.
        """

    def hash_all(self, document: JsonObject, proof_configs: Sequence[JsonObject]) -> list[bytes]:
        """What `hash_data` gives for each of several proofs of one document."""

    def sign(self, signer: MessageSigner, hashes: Sequence[bytes]) -> list[bytes]:
        """The signature (64 bytes) of each of `hashes`, in their order."""

    def check_signature(self, public_key: PublicKey, hash_data: bytes, signature: bytes) -> bool:
        """Whether `signature` is that of `public_key` over `hash_data`; never raises."""


SUITES: Mapping[str, Suite] = {
    suite.cryptosuite: suite
    for suite in (
        EddsaRdfc2022(),
        EddsaJcs2022(),
        EcdsaRdfc2019(),
    )
}
