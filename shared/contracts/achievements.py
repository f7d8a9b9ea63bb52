"""achievement.published: an immutable version of what can be earned, and of the bar it sets.

Holds what the field's own definitions ask of a micro-credential (EU Council Recommendation 2022/C 243/02,
Annex I): outcomes, workload, level, assessment type, participation, quality assurance; aligned to skill
frameworks such as ESCO; with the rubric that decides.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from shared.contracts.event import Instant, PublishedEvent, Topic, Uuid, Value
from shared.contracts.topics import ACHIEVEMENTS

Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=5_000, strip_whitespace=True)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"{}|\\^`]+$", max_length=2_000)]
PartId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Alignment(Value):
    """Points to a node of a skill framework (Open Badges 3.0, class Alignment)."""

    target_name: Text
    target_url: Url
    target_type: (
        Literal[
            "ceasn:Competency",
            "ceterms:Credential",
            "CFItem",
            "CFRubric",
            "CFRubricCriterion",
            "CFRubricCriterionLevel",
            "CTDL",
        ]
        | None
    ) = None
    target_framework: Text | None = None
    target_code: Text | None = None
    target_description: LongText | None = None


class Level(Value):
    """Where the achievement stands in a qualifications framework, such as EQF 5."""

    framework: Text
    value: Text
    url: Url


class RubricLevel(Value):
    """One step of a criterion: `points` out of the criterion's best level."""

    id: PartId
    name: Text
    points: int = Field(ge=0, le=1_000)
    description: LongText | None = None


class RubricCriterion(Value):
    """What is judged, how heavily (`weight`), and the levels it is judged in."""

    id: PartId
    name: Text
    weight: int = Field(ge=1, le=1_000)
    levels: tuple[RubricLevel, ...] = Field(min_length=2, max_length=20)
    description: LongText | None = None


class Rubric(Value):
    """Criteria and the weighted percentage (0 to 100) that passes."""

    criteria: tuple[RubricCriterion, ...] = Field(min_length=1, max_length=50)
    pass_mark_percent: int = Field(ge=1, le=100)


class SecondPass(StrEnum):
    """What a second passed assessment of the same achievement does for the same learner."""

    IGNORE = "ignore"
    SUPERSEDE = "supersede"
    ISSUE_AGAIN = "issue-again"


class AchievementDefinition(Value):
    """Everything an author decides about a version of an achievement."""

    name: Text
    description: LongText
    criteria_narrative: LongText
    outcomes: tuple[Text, ...] = Field(min_length=1, max_length=50)
    workload_hours: int = Field(ge=1, le=10_000)
    credits: int | None = Field(default=None, ge=1, le=1_000)
    level: Level | None = None
    alignments: tuple[Alignment, ...] = Field(default=(), max_length=50)
    tags: tuple[Text, ...] = Field(default=(), max_length=30)
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")] = "en"
    field_of_study: Text | None = None
    assessment_type: Text
    participation: Literal["online", "onsite", "blended"]
    quality_assurance: Text
    rubric: Rubric
    attempts_max: int = Field(default=3, ge=1, le=100)
    on_second_pass: SecondPass = SecondPass.IGNORE
    validity_days: int | None = Field(default=None, ge=1, le=36_500)


class AchievementPublished(PublishedEvent):
    """A version that will never change. Assessments and credentials pin the version they used."""

    TYPE: ClassVar[str] = "achievement.published.v1"
    TOPIC: ClassVar[Topic] = ACHIEVEMENTS
    STREAM: ClassVar[str] = "achievement"

    achievement_id: Uuid
    version: int = Field(ge=1)
    definition: AchievementDefinition
    published_at: Instant

    @property
    def aggregate_id(self) -> str:
        return self.achievement_id
