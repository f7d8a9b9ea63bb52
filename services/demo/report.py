"""What the main job did, in numbers and documents."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Report:
    """The numbers of `microcred demo --json`, in this order.

    `submitted` counts rows that were taken as assessments, duplicates and refused rows not included.
    `announced` counts credentials of which both the learner's mailbox and the partner's endpoint know.
    """

    submitted: int = 0
    rejected_rows: int = 0
    duplicates: int = 0
    passed: int = 0
    failed: int = 0
    issued: int = 0
    signed: int = 0
    announced: int = 0
    verified_before: str = ""
    verified_after: str = ""
    revocation_lag_ms: int = 0
    bus: str = ""
    seconds: float = 0.0

    def as_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))


@dataclass(slots=True)
class Documents:
    """What the job leaves of one learner's story. Bytes are exactly what was sent or served."""

    credential: bytes = b""
    status_list_before: bytes = b""
    status_list_after: bytes = b""
    did: bytes = b""
    webhook: dict[str, Any] = field(default_factory=dict)
    webhook_revoked: dict[str, Any] = field(default_factory=dict)
    mail: bytes = b""

    def write(self, folder: Path) -> None:
        """Write each document into `folder`, made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "credential.json": self.credential,
            "status-list-before.json": self.status_list_before,
            "status-list-after.json": self.status_list_after,
            "did.json": self.did,
            "webhook.json": _indented(self.webhook),
            "webhook-revoked.json": _indented(self.webhook_revoked),
            "mail.eml": self.mail,
        }
        for name, content in files.items():
            (folder / name).write_bytes(content)


def _indented(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"
