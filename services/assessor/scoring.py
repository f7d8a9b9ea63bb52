"""Scoring: what results are worth against a rubric, in exact integers.

The score is the weighted percentage 100 · Σ(weight · points / best points) / Σ weight. It is held as one
integer over one integer (`Bar.whole`), so that no rounding ever decides: 79.99 never passes 80. Only what
people read is rounded, down to hundredths of a percent; since a pass mark is a whole percent, rounding down
never shows a mark that was not reached.

Refuses: results that leave a criterion out, name an unknown one, or name a level or points it does not have.
Floats: none, here or in what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm
from typing import NamedTuple

from msgspec.structs import replace

from shared.contracts.achievements import AchievementDefinition, RubricCriterion
from shared.contracts.sealed import SealedResult
from shared.errors import Invalid

HUNDREDTHS = 100


@dataclass(frozen=True, slots=True)
class Scale:
    """One criterion made ready: each level's result, from the least points to the most.

    `share` is what one point adds to the score's numerator.
    """

    criterion_id: str
    levels: Mapping[str, SealedResult]
    ascending: tuple[SealedResult, ...]
    share: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A version of an achievement as far as deciding needs it.

    `whole` is the numerator of a full score; 0 says that some criterion has no points to earn.
    """

    achievement_id: str
    version: int
    attempts_max: int
    pass_mark_percent: int
    scales: tuple[Scale, ...]
    whole: int


class Judgement(NamedTuple):
    """What results came to: one result a criterion in the rubric's order, the score, and the verdict."""

    results: tuple[SealedResult, ...]
    hundredths: int
    passed: bool

    @property
    def score_percent(self) -> str:
        """The score with two decimals, such as "87.50"."""
        return f"{self.hundredths // HUNDREDTHS}.{self.hundredths % HUNDREDTHS:02d}"


def bar_of(achievement_id: str, version: int, definition: AchievementDefinition) -> Bar:
    """Make a version of an achievement ready for judging any number of results."""
    criteria = definition.rubric.criteria
    best = {each.id: max(level.points for level in each.levels) for each in criteria}
    common = lcm(*best.values())
    return Bar(
        achievement_id,
        version,
        definition.attempts_max,
        definition.rubric.pass_mark_percent,
        tuple(
            _scale(each, best[each.id], each.weight * common // max(1, best[each.id])) for each in criteria
        ),
        common * sum(each.weight for each in criteria),
    )


def _scale(criterion: RubricCriterion, points_max: int, share: int) -> Scale:
    levels = [
        SealedResult(
            criterion_id=criterion.id,
            criterion_name=criterion.name,
            level_id=level.id,
            level_name=level.name,
            points=level.points,
            points_max=points_max,
            weight=criterion.weight,
        )
        for level in criterion.levels
    ]
    ascending = tuple(sorted(levels, key=lambda result: result.points))
    return Scale(criterion.id, {result.level_id: result for result in levels}, ascending, share)


def judge(bar: Bar, results: Mapping[str, str | int]) -> Judgement:
    """Hold results against a bar. `results` maps each criterion's id to a level's id or to points.

    Raises Invalid('results-invalid') with a reason for each criterion that is amiss, and
    Invalid('rubric-unscorable') where the rubric itself allows no score.
    """
    if bar.whole == 0:
        raise Invalid("rubric-unscorable", "The achievement's rubric has a criterion without points.")
    reasons: list[str] = []
    reached: list[SealedResult] = []
    score = 0
    for scale in bar.scales:
        result = _reached(scale, results.get(scale.criterion_id))
        if result is None:
            reasons.append(_expected(scale, scale.criterion_id in results))
        else:
            reached.append(result)
            score += result.points * scale.share
    if len(results) > len(bar.scales) or reasons:
        known = {scale.criterion_id for scale in bar.scales}
        reasons += [f"{criterion}: the rubric has no such criterion" for criterion in results.keys() - known]
    if reasons:
        raise Invalid("results-invalid", "The results do not fit the rubric.", tuple(sorted(reasons)))
    return Judgement(
        tuple(reached),
        100 * HUNDREDTHS * score // bar.whole,
        100 * score >= bar.pass_mark_percent * bar.whole,
    )


def _reached(scale: Scale, given: str | int | None) -> SealedResult | None:
    """Return the level that was given by its id, or the highest one that the points reach."""
    if isinstance(given, str):
        if given in scale.levels:
            return scale.levels[given]
        if not (given.isascii() and given.isdecimal()):
            return None
        given = int(given)
    if given is None or not scale.ascending[0].points <= given <= scale.ascending[-1].points:
        return None
    level = next(result for result in reversed(scale.ascending) if result.points <= given)
    return level if level.points == given else replace(level, points=given)


def _expected(scale: Scale, was_given: bool) -> str:
    fault = "no such level or points" if was_given else "missing"
    least, most = scale.ascending[0].points, scale.ascending[-1].points
    return f"{scale.criterion_id}: {fault}; give {', '.join(scale.levels)} or {least} to {most} points"
