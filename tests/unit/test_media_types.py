"""The media type of an answer is negotiated from what its reader accepts."""

from __future__ import annotations

import pytest

from services.verifier.api import LIST_TYPES
from shared.media_types import preferred


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html, */*;q=0.8", "application/json"),
        ("application/ld+json, application/json", "application/json"),
        ("application/*", "application/json"),
        ("application/vc", "application/vc"),
        ("Application/VC", "application/vc"),
        ("application/vc, */*;q=0.1", "application/vc"),
        ("application/vc;q=0.5, application/json;q=0.4", "application/vc"),
        ("application/vc;q=0.4, application/json;q=0.5", "application/json"),
        ('application/ld+json;profile="https://w3id.org/did-resolution"', "application/ld+json"),
        ("application/json;q=0, application/vc+ld+json", "application/vc+ld+json"),
        ("image/png", "application/json"),
        ("application/vc;q=much", "application/json"),
        (", ;q, ;;=", "application/json"),
    ],
)
def test_a_status_list_is_plain_json_unless_another_type_is_asked_for(
    accept: str | None, media_type: str
) -> None:
    assert preferred(accept, LIST_TYPES) == media_type
