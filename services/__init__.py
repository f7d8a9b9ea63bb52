"""The services, and the only list of them: name → where its settings and its `build` stand.

Given as text so that looking at one service never loads another.
"""

from __future__ import annotations

from collections.abc import Mapping

SERVICES: Mapping[str, str] = {
    "assessor": "services.assessor",
    "issuer": "services.issuer",
    "verifier": "services.verifier",
    "notifier": "services.notifier",
}
"""Each package `x` holds `settings.XSettings` and `service.build(settings) -> Service`."""
