"""What the OpenAPI pages of both ways to verify share: sentences, limits, the example."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

EXPECTED_CHARS_MAX = 512
DOMAIN = "For whom a presentation has to have been made."
CHALLENGE = "The challenge that a presentation has to answer."
TOO_OFTEN = "This client address asks too often; Retry-After says when to ask again."
EXAMPLE: dict[str, Any] = json.loads(
    resources.files("services.verifier").joinpath("example_credential.json").read_bytes()
)
