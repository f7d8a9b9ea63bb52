"""What a batch of submissions has to know, fetched for all of it in a constant number of statements.

The order is the order of locks: streams and bars are read, the learners' rows are held (sorted), and only
then are their keys and attempts read. A command that is refused before that point maps no learner, so that
nobody is recorded for a submission that never was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.assessor import domain, scoring, store
from services.assessor.domain import Assessment, SubmitAssessment
from services.assessor.handlers.publications import Publications
from services.assessor.handlers.references import References
from services.assessor.scoring import Bar, Judgement
from services.assessor.store import AchievementKey, AttemptKey, KnownAchievement, Reference
from shared import clock
from shared.contracts.achievements import AchievementDefinition
from shared.errors import Rejected, Unavailable
from shared.eventstore import Session
from shared.eventstore.log import StreamKey
from shared.vault import LearnerKeyOwner, LearnerRef


class Judged(NamedTuple):
    """A new command, held against its bar, and the learner whom it names."""

    bar: Bar
    judgement: Judgement
    reference: Reference


Prospect = Judged | Rejected | Unavailable
"""What becomes of a new command as far as its content tells."""


@dataclass(slots=True)
class Known:
    """The batch's facts; `states` and `attempts` are kept up while its commands are decided in order.

    `prospects` goes by the place of a command in the batch and leaves out those whose id is recorded.
    """

    states: dict[StreamKey, Assessment]
    prospects: dict[int, Prospect]
    learners: dict[Reference, str] = field(default_factory=dict)
    keys: dict[LearnerRef, bytes] = field(default_factory=dict)
    attempts: dict[AttemptKey, int] = field(default_factory=dict)


def stream_of(command: SubmitAssessment) -> StreamKey:
    """Return the stream that a command is about."""
    return command.issuer_id, f"assessment-{command.assessment_id}"


async def fetch(
    commands: Sequence[SubmitAssessment],
    session: Session,
    keys: LearnerKeyOwner,
    references: References,
    public_url: str,
    publications: Publications,
) -> Known:
    """Fetch what `commands` need and map their learners. Raises StaleStream to be called again.

    `publications` is asked only about an unknown achievement.
    """
    history = await session.load(stream_of(command) for command in commands)
    states = {key: domain.replay(item.event for item in past) for key, past in history.items()}
    prospects = await _prospects(commands, states, session, references, public_url, publications)
    known = Known(states, prospects)
    met_before = await _map_learners(commands, known, session, keys)
    await _count_attempts(commands, known, met_before, session)
    return known


async def _prospects(
    commands: Sequence[SubmitAssessment],
    states: Mapping[StreamKey, Assessment],
    session: Session,
    references: References,
    public_url: str,
    publications: Publications,
) -> dict[int, Prospect]:
    new = {
        place: command
        for place, command in enumerate(commands)
        if states[stream_of(command)].recorded is None
    }
    wanted = dict.fromkeys(_achievement_of(command) for command in new.values())
    found = await store.achievements(session.connection, wanted) if wanted else {}
    publications_wait = False
    if any(achievement.definition is None for achievement in found.values()):
        publications_wait = await publications.wait()
        if not publications_wait:
            # The lane may have kept it between the look and the question: only now is unknown final.
            found = await store.achievements(session.connection, wanted)
    bars = {key: _bar_or_newest(key, achievement) for key, achievement in found.items()}
    may_come = {
        key: publications_wait or publications.may_come(key, session.at)
        for key, bar in bars.items()
        if not isinstance(bar, Bar)
    }
    return {
        place: _prospect(command, bars[key], may_come.get(key, False), session.at, references, public_url)
        for place, command in new.items()
        if (key := _achievement_of(command))
    }


def _achievement_of(command: SubmitAssessment) -> AchievementKey:
    return command.issuer_id, command.achievement_id, command.achievement_version


def _bar_or_newest(key: AchievementKey, known: KnownAchievement) -> Bar | int | None:
    if known.version is None or known.definition is None:
        return known.newest
    return scoring.bar_of(key[1], known.version, AchievementDefinition.model_validate_json(known.definition))


def _prospect(
    command: SubmitAssessment,
    bar: Bar | int | None,
    may_come: bool,
    at: datetime,
    references: References,
    public_url: str,
) -> Prospect:
    if not isinstance(bar, Bar):
        made_at = clock.uuid7_instant(UUID(command.achievement_id))
        return domain.unknown_achievement(bar, made_at, may_come, at)
    try:
        domain.check_time(command.assessed_at, at)
        domain.check_evidence(command.evidence, public_url)
        judgement = scoring.judge(bar, command.results)
    except Rejected as refusal:
        return refusal
    named = references.of(command.issuer_id, command.learner_reference, command.learner.email)
    return Judged(bar, judgement, named)


async def _map_learners(
    commands: Sequence[SubmitAssessment], known: Known, session: Session, keys: LearnerKeyOwner
) -> set[Reference]:
    """Hold or make the row and the key of each learner whom a new id names first.

    Returns the references that were known before.
    """
    first: dict[StreamKey, Reference] = {}
    for place, prospect in known.prospects.items():
        if isinstance(prospect, Judged):
            first.setdefault(stream_of(commands[place]), prospect.reference)
    named = dict.fromkeys(first.values())
    learners = await store.lock_learners(session.connection, named) if named else {}
    known.keys = await _read_keys(learners, known.states, session, keys)
    forgotten = [ref for ref, learner_id in learners.items() if (ref[0], learner_id) not in known.keys]
    if forgotten:
        # Only a restored backup brings back the row of an erased learner: who comes back is somebody new.
        await store.delete_references(session.connection, forgotten)
    fresh = {ref: str(clock.random_uuid()) for ref in named if ref not in learners or ref in forgotten}
    if fresh:
        await store.add_learners(session.connection, fresh, session.at)
        new_refs = [(ref[0], learner_id) for ref, learner_id in fresh.items()]
        known.keys |= await keys.create(session.connection, new_refs)
    known.learners = learners | fresh
    return known.learners.keys() - fresh.keys()


async def _read_keys(
    learners: Mapping[Reference, str],
    states: Mapping[StreamKey, Assessment],
    session: Session,
    keys: LearnerKeyOwner,
) -> dict[LearnerRef, bytes]:
    """Read the keys of known learners, and of those whose assessments may be repeated."""
    wanted = {(ref[0], learner_id) for ref, learner_id in learners.items()}
    wanted |= {(key[0], state.submitted.learner_id) for key, state in states.items() if state.submitted}
    return await keys.read(session.connection, wanted) if wanted else {}


async def _count_attempts(
    commands: Sequence[SubmitAssessment], known: Known, met_before: set[Reference], session: Session
) -> None:
    """Read the attempts taken; the learners' rows are held, so that nobody else is taking one."""
    wanted = {
        (prospect.reference[0], known.learners[prospect.reference], commands[place].achievement_id)
        for place, prospect in known.prospects.items()
        if isinstance(prospect, Judged) and prospect.reference in met_before
    }
    known.attempts = await store.attempts_taken(session.connection, wanted) if wanted else {}
