"""`--hypothesis-profile=fuzz` knocks at every door a hundred thousand times: what `make fuzz` does."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fuzz", max_examples=100_000)
