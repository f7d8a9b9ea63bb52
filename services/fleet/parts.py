"""The processes of an installation: which service each runs, and the settings that it is given.

A process is given what its service reads and nothing else: the desk cannot reach a private key, the verifier
has no master key, and nobody reads another's log. Refuses nothing itself; the settings' own rules do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from services.configuration import settings_class, variable_names

SYSTEM_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
"""What a process is given besides settings."""


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of process. `half` is of the issuer; `public` are its paths beside `/{service}`."""

    name: str
    service: str
    half: str | None = None
    public: tuple[str, ...] = ()
    withheld: frozenset[str] = frozenset({"BUS_DATABASE_URL"})

    @property
    def answers(self) -> bool:
        """Whether requests go to it."""
        return self.half != "signer"


DESK = Part(
    "desk",
    "issuer",
    "desk",
    ("/issuers", "/achievements", "/credentials", "/docs", "/openapi.json", "/static-offline-docs"),
    frozenset({"BUS_DATABASE_URL", "SIGNING_DATABASE_URL"}),
)
SIGNER = Part("signer", "issuer", "signer")
PARTS: tuple[Part, ...] = (
    Part("assessor", "assessor"),
    DESK,
    SIGNER,
    Part("verifier", "verifier", public=("/status",)),
    Part("notifier", "notifier"),
)


def settings_of(part: Part, environment: Mapping[str, str]) -> dict[str, str]:
    """Return those variables of `environment` that the process reads, and which half of a service it is."""
    known = set(variable_names(settings_class(part.service)).values()) - part.withheld
    own = {name: environment[name] for name in known if name in environment}
    return own if part.half is None else own | {"ISSUER_ONLY": part.half}


def process_environment(part: Part, environment: Mapping[str, str], port: int) -> dict[str, str]:
    """Return everything that stands in the environment of the process, which listens on `port`."""
    system = {name: os.environ[name] for name in SYSTEM_VARIABLES if name in os.environ}
    return system | settings_of(part, environment) | {"HTTP_PORT": str(port)}


def command_of(part: Part) -> list[str]:
    """Return the command of a process."""
    half = ["--only", part.half] if part.half is not None else []
    return [sys.executable, "-m", f"services.{part.service}", *half]
