"""`--hypothesis-profile=fuzz` knocks at every door twenty thousand times: what `make fuzz` does."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fuzz", max_examples=20_000)
