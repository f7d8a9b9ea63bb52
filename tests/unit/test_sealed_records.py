"""What is sealed is read as it was written, by earlier and later versions too, and refused unquoted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.contracts.sealed import SealedAssessment, SealedLearner, decode, encode
from shared.errors import Invalid
from tests.unit.issuer.samples import ASSESSMENT

STORED: dict[str, Any] = {
    "learner": {"name": "Ada Lovelace", "email": "ada@example.org"},
    "results": [
        {
            "criterion_id": "method",
            "criterion_name": "Method",
            "level_id": "sound",
            "level_name": "Sound",
            "points": 3,
            "points_max": 4,
            "weight": 60,
        }
    ],
    "score_percent": "75.00",
    "assessor": "Charles Babbage",
    "supervision": "proctored-online",
    "identity_check": "photo-id",
    "evidence": [{"url": "https://work.example.org/engine"}],
}
"""A record as it lies in the log: fields that were added since are not in it."""


def changed(path: tuple[str | int, ...], value: object) -> bytes:
    """STORED with one member set, or left out where `value` is None."""
    record = json.loads(json.dumps(STORED))
    place = record
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(record).encode()


def test_a_stored_record_is_read_and_written_the_same() -> None:
    record = decode(SealedAssessment, json.dumps(STORED).encode())
    assert (record.learner.name, record.results[0].points, record.narrative) == ("Ada Lovelace", 3, None)
    assert json.loads(encode(record)) == STORED


def test_everything_that_is_written_is_read_back() -> None:
    assert decode(SealedAssessment, encode(ASSESSMENT)) == ASSESSMENT


def test_what_a_later_version_adds_is_dropped() -> None:
    assert decode(SealedAssessment, changed(("learner", "born"), 1815)) == decode(
        SealedAssessment, json.dumps(STORED).encode()
    )


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("learner", "name"), "", "learner.name"),
        (("learner", "email"), None, "learner"),
        (("results",), [], "results"),
        (("results", 0, "points"), -1, "results[0].points"),
        (("results", 0, "points"), 3.0625, "results[0].points"),
        (("results", 0, "weight"), 0, "results[0].weight"),
        (("evidence",), [{"url": "https://work.example.org/engine"}] * 21, "evidence"),
        (("assessor",), ["Charles Babbage"], "assessor"),
        (("score_percent",), None, "$"),
    ],
)
def test_what_is_no_record_is_refused_by_the_name_of_the_field(
    path: tuple[str | int, ...], value: object, named: str
) -> None:
    with pytest.raises(Invalid) as refused:
        decode(SealedAssessment, changed(path, value))
    assert refused.value.code == "sealed-unreadable"
    assert named in str(refused.value)
    assert not [word for word in ("Ada", "ada@", "Babbage", "engine", "3.06") if word in str(refused.value)]


@pytest.mark.parametrize("plaintext", [b"", b"[", b'"Ada"', b"\xff", b'{"name":"Ada","name":'])
def test_what_is_no_json_object_is_refused_without_being_quoted(plaintext: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        decode(SealedLearner, plaintext)
    assert refused.value.code == "sealed-unreadable"
    assert "Ada" not in str(refused.value)
