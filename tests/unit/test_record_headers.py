"""The headers of a record, written as text or not yet: the same record either way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus import codec
from shared.bus.codec import Attributes
from shared.bus.seam import Record
from shared.contracts import registry
from shared.contracts.learners import LearnerErased
from shared.errors import Invalid
from shared.eventstore import Meta

EVENT = LearnerErased(
    learner_id="0b4b7a5e-5a0c-4c37-9d1f-2f6d5d1c9a11", erased_at=datetime(2026, 3, 1, tzinfo=UTC)
)
TEXT = st.text(min_size=1, max_size=20)
METAS = st.builds(Meta, TEXT, TEXT, st.none() | st.uuids(), st.none() | TEXT)
MOMENTS = st.integers(0, 4_000_000_000_000).map(
    lambda milliseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
)


def attributes(meta: Meta, event_id: UUID, at: datetime, version: int) -> Attributes:
    return Attributes(EVENT.TYPE, event_id, at, "acme", EVENT.stream, version, "assessor", meta)


def record(headers: Attributes | dict[str, str]) -> Record:
    return Record("learners", 0, 7, f"acme/{EVENT.stream}", headers, registry.encode(EVENT))


@given(METAS, st.uuids(), MOMENTS, st.integers(1, 2**31 - 1))
def test_a_record_is_read_the_same_before_and_after_its_headers_were_written(
    meta: Meta, event_id: UUID, at: datetime, version: int
) -> None:
    unwritten = attributes(meta, event_id, at, version)
    written = codec.headers_of(unwritten)
    assert unwritten == written
    assert dict(unwritten) == written
    assert len(unwritten) == len(written)
    assert all(type(value) is str for value in written.values())
    assert codec.decode(record(unwritten)) == codec.decode(record(written))
    assert codec.event_type(record(unwritten)) == codec.event_type(record(written)) == EVENT.TYPE


def test_the_time_is_written_in_utc() -> None:
    at = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert attributes(Meta("a", "c"), UUID(int=1), at, 1)["ce_time"] == "2026-03-01T12:00:00.000Z"


@pytest.mark.parametrize("tenant", ["oslo", "acme/learner"])
def test_attributes_that_do_not_belong_to_the_records_key_are_refused(tenant: str) -> None:
    meta = Meta("a", "c")
    foreign = Attributes(EVENT.TYPE, UUID(int=1), EVENT.erased_at, tenant, EVENT.stream, 1, "a", meta)
    for headers in (foreign, codec.headers_of(foreign)):
        with pytest.raises(Invalid, match="tenant"):
            codec.decode(record(headers))
