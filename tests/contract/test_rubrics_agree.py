"""What the issuer publishes, the assessor can score: the two judge rubrics by rules of their own."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from services.assessor.scoring import bar_of, judge
from services.demo.sample import ACHIEVEMENT_ID, sample_achievement
from services.issuer.domain import decide_publish_achievement
from shared.contracts.achievements import AchievementDefinition, Rubric, RubricCriterion, RubricLevel
from shared.errors import Invalid

AT = datetime(2026, 6, 15, 9, tzinfo=UTC)
DEFINITION = AchievementDefinition.model_validate(sample_achievement()[0])
IDS = st.sampled_from(["a", "b", "c"])
LEVELS = st.builds(RubricLevel, id=IDS, name=st.just("A level"), points=st.integers(0, 2))
CRITERIA = st.builds(
    RubricCriterion,
    id=IDS,
    name=st.just("A criterion"),
    weight=st.integers(1, 3),
    levels=st.lists(LEVELS, min_size=2, max_size=3).map(tuple),
    description=st.none(),
)
RUBRICS = st.builds(
    Rubric,
    criteria=st.lists(CRITERIA, min_size=1, max_size=3).map(tuple),
    pass_mark_percent=st.integers(1, 100),
)


# How many of the rubrics are refused is not what is tested.
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(RUBRICS)
def test_every_result_by_a_rubric_that_is_published_can_be_scored(rubric: Rubric) -> None:
    definition = DEFINITION.model_copy(update={"rubric": rubric})
    try:
        decide_publish_achievement([], ACHIEVEMENT_ID, definition, first=True, at=AT)
    except Invalid:
        reject()
    assert scorable(definition)


def scorable(definition: AchievementDefinition) -> bool:
    """Tell whether the best results score 100 and naming any level counts that level's points."""
    bar = bar_of(ACHIEVEMENT_ID, 1, definition)
    criteria = definition.rubric.criteria
    best = {each.id: max(each.levels, key=lambda level: level.points).id for each in criteria}
    try:
        if judge(bar, best).score_percent != "100.00":
            return False
        for criterion in criteria:
            for level in criterion.levels:
                reached = judge(bar, best | {criterion.id: level.id}).results
                (counted,) = [each for each in reached if each.criterion_id == criterion.id]
                if (counted.points, counted.weight) != (level.points, criterion.weight):
                    return False
    except (Invalid, ValueError):
        return False
    return True
