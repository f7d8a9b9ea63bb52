"""The sample provider of `demo` and `serve`: an issuer, a development key, a realistic micro-credential.

The key of a served world is kept in its folder, readable by its owner only: a restart prints the same one.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.configuration import settings_from
from services.issuer.handlers.api_keys import create_api_key
from services.issuer.handlers.tenants import create_issuer
from services.issuer.settings import IssuerSettings
from services.world_folder import read_environment
from shared import clock
from shared.access import Scope
from shared.contracts.issuers import IssuerProfile
from shared.database import Database

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
HEADER_FILE = "development-key.header"
KEY_LABEL = "development"
KEY_DAYS = 365


@dataclass(frozen=True, slots=True)
class SampleIssuer:
    """The sample tenant and a key with every scope."""

    slug: str
    token: str = field(repr=False)
    header: Path
    """A file with the header that carries the key: a command line that names it shows the key to nobody."""


def issuer_settings(folder: Path) -> IssuerSettings:
    """Return the issuer's settings as the world of `folder` wrote them down."""
    settings = settings_from("issuer", read_environment(folder))
    if not isinstance(settings, IssuerSettings):
        raise TypeError("the issuer has settings of another kind")
    return settings


async def sample_issuer(settings: IssuerSettings, folder: Path) -> SampleIssuer:
    """Return the sample issuer of the world in `folder`, made with its key if it is new."""
    kept = folder / KEY_FILE
    async with await Database.open(settings.database_url.get_secret_value(), "issuer", 2) as database:
        await create_issuer(database, settings, SLUG, PROFILE)
        if not kept.exists():
            key = await create_api_key(database, SLUG, KEY_LABEL, list(Scope), KEY_DAYS)
            _write_private(kept, f"{key.token}\n")
    token = kept.read_text("ascii").strip()
    header = folder / HEADER_FILE
    _write_private(header, f"Authorization: Bearer {token}\n")
    return SampleIssuer(SLUG, token, header)


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)


def sample_achievement() -> tuple[dict[str, Any], str]:
    """Return the definition in examples/achievement.json and its id."""
    definition: dict[str, Any] = json.loads(ACHIEVEMENT.read_text("utf-8"))
    return definition, ACHIEVEMENT_ID


def sample_assessment(achievement_id: str) -> dict[str, Any]:
    """Return an assessment that passes the sample achievement."""
    at = clock.now()
    return {
        "assessment_id": f"first-steps-{at:%Y%m%d-%H%M%S}",
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
        "assessed_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
    }
