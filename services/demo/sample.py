"""The sample provider of `demo` and `serve`: an issuer, a development key, a realistic micro-credential.

The key of a served world is kept in its folder, readable by its owner only: a restart prints the same one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.issuer.settings import IssuerSettings
from shared import clock
from shared.contracts.issuers import IssuerProfile

SLUG = "riverside-college"
PROFILE = IssuerProfile(
    name="Riverside College",
    url="https://riverside.example.org",
    email="credentials@riverside.example.org",
    description="A made-up provider of continuing education.",
    country="IE",
)
ACHIEVEMENT_ID = "019aa000-0000-7000-8000-000000000001"
ACHIEVEMENT = Path(__file__).parent.parent.parent / "examples" / "achievement.json"
KEY_FILE = "development-key"
KEY_LABEL = "development"
KEY_KEPT = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class SampleIssuer:
    """The sample tenant and a key with every scope."""

    slug: str
    token: str = field(repr=False)


async def sample_issuer(settings: IssuerSettings, folder: Path) -> SampleIssuer:
    """Return the sample issuer of the world in `folder`, made with its key if it is new."""
    raise NotImplementedError


def sample_achievement() -> tuple[dict[str, Any], str]:
    """Return the definition in examples/achievement.json and its id."""
    definition: dict[str, Any] = json.loads(ACHIEVEMENT.read_text("utf-8"))
    return definition, ACHIEVEMENT_ID


def sample_assessment(achievement_id: str) -> dict[str, Any]:
    """Return an assessment that passes the sample achievement."""
    return {
        "assessment_id": f"first-steps-{clock.now():%Y%m%d-%H%M%S}",
        "achievement_id": achievement_id,
        "learner": {"reference": "S1001", "name": "Ada Example", "email": "ada@example.org"},
        "results": {
            "question": "excellent",
            "method": "secure",
            "reproducibility": "secure",
            "communication": "excellent",
        },
        "assessor": "Dr M. Lindholm",
        "supervision": "supervised-onsite",
        "identity_check": "photo-id",
        "evidence": [{"url": "https://portfolio.example.org/ada", "name": "Report"}],
        "assessed_at": clock.now().isoformat(),
    }
