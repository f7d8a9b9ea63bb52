"""The contract between the services: events of every age stay readable, and none says who the learner is."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pydantic
import pytest

import shared.contracts
from shared.contracts import registry
from shared.contracts.event import Event, KeptEvent, PublishedEvent, Value
from shared.contracts.learners import LearnerErased
from shared.contracts.registry import EVENTS, PUBLISHED, UPCASTS, Upcast
from shared.contracts.topics import TOPICS
from shared.errors import Invalid
from shared.provision import SERVICE_ROLES
from tests.contract.event_samples import SAMPLES
from tests.contract.golden import (
    COMMAND,
    fields_without_sample,
    golden_files,
    recorded_sums,
    sha256,
    type_of,
)

TYPE = re.compile(r"[a-z-]+\.[a-z-]+\.v[1-9][0-9]*")
PERSONAL = re.compile(
    r"name|mail|phone|birth|gender|address|photo|score|result|grade|percent|evidence|narrative|assessor"
    r"|supervis|identity|reference|comment"
)
NOT_THE_LEARNERS = {"achievement_name", "issuer_name"}
"""Names of things and institutions in events about a learner."""

by_name = pytest.mark.parametrize("file", golden_files(), ids=lambda file: file.name)
by_class = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)


def contains(whole: Any, part: Any) -> bool:
    """Tell whether `whole` has everything that `part` has; objects may have more members."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and contains(whole[name], each) for name, each in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(contains, whole, part))
    return bool(whole == part)


def with_invented_members(value: Any) -> Any:
    """Add a member that no class knows to every object of a JSON value."""
    if isinstance(value, dict):
        return {name: with_invented_members(each) for name, each in value.items()} | {"invented": [1]}
    return [with_invented_members(each) for each in value] if isinstance(value, list) else value


def defined_events() -> set[type[Event]]:
    """Every event class with a type of its own in shared.contracts, found by importing all of it."""
    for module in pkgutil.iter_modules(shared.contracts.__path__):
        importlib.import_module(f"shared.contracts.{module.name}")
    found, left = set(), [Event]
    while left:
        each = left.pop()
        left += each.__subclasses__()
        if "TYPE" in vars(each) and each.__module__.startswith("shared.contracts."):
            found.add(each)
    return found


def field_names(model: type[pydantic.BaseModel]) -> Iterator[str]:
    """Names of all fields of a model and of the models within it."""
    left: list[Any] = [model]
    while left:
        each = left.pop()
        left += get_args(each)
        if isinstance(each, type) and issubclass(each, pydantic.BaseModel):
            yield from each.model_fields
            left += [field.annotation for field in each.model_fields.values()]


def test_every_event_has_a_golden_sample_of_every_field() -> None:
    missing = {sample.TYPE: fields for sample in SAMPLES if (fields := fields_without_sample(sample))}
    assert not missing, f"add golden samples with: {COMMAND}"


@by_class
def test_every_event_has_a_complete_sample(event: type[Event]) -> None:
    [sample] = [each for each in SAMPLES if type(each) is event]
    empty = [name for name in event.model_fields if getattr(sample, name) is None]
    assert not empty, "fill them in tests/contract/event_samples.py"


def test_golden_samples_are_as_they_were_when_they_were_added() -> None:
    assert {file.name: sha256(file) for file in golden_files()} == recorded_sums()


@by_name
def test_todays_code_reads_a_golden_sample_and_loses_nothing(file: Path) -> None:
    event = registry.decode(type_of(file), file.read_bytes())
    written = json.loads(registry.encode(event))
    if type_of(file) in UPCASTS:
        assert event == registry.decode(event.TYPE, json.dumps(written).encode())
    else:
        assert contains(written, json.loads(file.read_bytes()))


@by_name
def test_members_that_a_later_version_adds_are_ignored(file: Path) -> None:
    later = json.dumps(with_invented_members(json.loads(file.read_bytes()))).encode()
    assert registry.decode(type_of(file), later) == registry.decode(type_of(file), file.read_bytes())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.TYPE)
def test_what_is_encoded_is_decoded_the_same(sample: Event) -> None:
    assert registry.decode(sample.TYPE, registry.encode(sample)) == sample


def test_every_event_class_is_in_the_closed_list_under_a_type_of_its_own() -> None:
    assert defined_events() == set(EVENTS)
    assert len({event.TYPE for event in EVENTS}) == len(EVENTS)


@by_class
def test_a_type_is_a_thing_a_past_participle_and_a_version(event: type[Event]) -> None:
    assert TYPE.fullmatch(event.TYPE)


@by_class
def test_an_event_is_frozen_and_all_its_parts_are(event: type[Event]) -> None:
    [sample] = [each for each in SAMPLES if type(each) is event]
    first = next(iter(event.model_fields))
    with pytest.raises(pydantic.ValidationError):
        setattr(sample, first, getattr(sample, first))
    parts: list[Any] = [sample]
    while parts:
        each = parts.pop()
        assert isinstance(each, Value | tuple | str | int | datetime | None)
        if isinstance(each, Value):
            parts += [getattr(each, name) for name in type(each).model_fields]
        elif isinstance(each, tuple):
            parts += each


@by_class
def test_a_kind_of_stream_is_written_by_one_service_and_is_on_one_topic_or_none(event: type[Event]) -> None:
    assert issubclass(event, PublishedEvent) != issubclass(event, KeptEvent)
    of_the_stream = [each for each in EVENTS if each.STREAM == event.STREAM]
    topics = {each.TOPIC for each in of_the_stream if issubclass(each, PublishedEvent)}
    keepers = {each.KEPT_BY for each in of_the_stream if issubclass(each, KeptEvent)}
    writers = {topic.producer for topic in topics} | keepers
    assert topics <= set(TOPICS)
    assert len(topics) <= 1
    assert len(writers) == 1
    assert writers <= set(SERVICE_ROLES)


def test_topics_have_names_of_their_own_and_something_to_carry() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    assert {event.TOPIC for event in PUBLISHED} == set(TOPICS)


def test_streams_are_named_by_kind_and_aggregate() -> None:
    for sample in SAMPLES:
        assert sample.stream == f"{sample.STREAM}-{sample.aggregate_id}"
        assert sample.aggregate_id


@by_class
def test_no_event_about_a_learner_has_a_field_for_personal_data_in_clear(event: type[Event]) -> None:
    names = set(field_names(event))
    about_a_learner = {"learner_id", "assessment_id", "credential_id", "notification_id"} & names
    if about_a_learner:
        assert not {name for name in names - NOT_THE_LEARNERS if PERSONAL.search(name)}


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("learner.born.v1", b"{}"),
        ("", b"{}"),
        ("learner.erased.v1", b""),
        ("learner.erased.v1", b"\xff"),
        ("learner.erased.v1", b"[1]"),
        ("learner.erased.v1", b'{"learner_id": "Ada Lovelace", "erased_at": "2026-01-01T00:00:00Z"}'),
        ("learner.erased.v1", b'{"erased_at": "2026-01-01T00:00:00Z"}'),
        (
            "learner.erased.v1",
            b'{"learner_id": "0b4b7a5e-5a0c-4c37-9d1f-2f6d5d1c9a11", "erased_at": "2026-01-01T00:00:00"}',
        ),
    ],
)
def test_what_does_not_fit_is_refused_without_being_quoted(event_type: str, data: bytes) -> None:
    with pytest.raises(Invalid) as refusal:
        registry.decode(event_type, data)
    assert refusal.value.code == "event-unreadable"
    assert "Ada" not in str(refusal.value)


@pytest.fixture
def _superseded(monkeypatch: pytest.MonkeyPatch) -> None:
    """learner.gone.v1 became learner.forgotten.v1, which became learner.erased.v1."""
    gone = Upcast("learner.forgotten.v1", lambda old: {"who": old["id"], "at": old["at"]})
    forgotten = Upcast("learner.erased.v1", lambda old: {"learner_id": old["who"], "erased_at": old["at"]})
    monkeypatch.setitem(UPCASTS, "learner.gone.v1", gone)  # type: ignore[arg-type]
    monkeypatch.setitem(UPCASTS, "learner.forgotten.v1", forgotten)  # type: ignore[arg-type]


@pytest.mark.usefixtures("_superseded")
def test_superseded_types_are_lifted_step_by_step_to_the_newest_class() -> None:
    [newest] = [sample for sample in SAMPLES if isinstance(sample, LearnerErased)]
    at = newest.erased_at.isoformat()
    oldest = json.dumps({"id": newest.learner_id, "at": at}).encode()
    older = json.dumps({"who": newest.learner_id, "at": at}).encode()
    assert registry.decode("learner.gone.v1", oldest) == newest
    assert registry.decode("learner.forgotten.v1", older) == newest


@pytest.mark.usefixtures("_superseded")
def test_who_asks_for_a_class_is_given_every_type_that_is_read_as_it() -> None:
    assert registry.types_read_as(LearnerErased) == (
        "learner.erased.v1",
        "learner.gone.v1",
        "learner.forgotten.v1",
    )
    assert registry.newest("learner.gone.v1") is LearnerErased
    assert registry.newest("learner.born.v1") is None


def test_every_upcast_ends_at_a_class_and_has_a_golden_sample() -> None:
    stored = {type_of(file) for file in golden_files()}
    for superseded in UPCASTS:
        assert registry.newest(superseded) is not None
        assert superseded in stored
