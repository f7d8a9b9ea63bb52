"""Scores are exact: checked against fractions, and against the decimals that floats get wrong."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessor.scoring import Bar, bar_of, judge
from shared.contracts.achievements import AchievementDefinition, Rubric, RubricCriterion, RubricLevel
from shared.errors import Invalid

ACHIEVEMENT_ID = "019aa000-0000-7000-8000-000000000001"


def bar(criteria: dict[str, tuple[int, list[int]]], pass_mark: int = 80) -> Bar:
    """Make a bar from {criterion: (weight, points of levels l0, l1, …)}."""
    rubric = Rubric(
        criteria=tuple(
            RubricCriterion(
                id=name,
                name=name.title(),
                weight=weight,
                levels=tuple(
                    RubricLevel(id=f"l{place}", name=f"Level {place}", points=points)
                    for place, points in enumerate(levels)
                ),
            )
            for name, (weight, levels) in criteria.items()
        ),
        pass_mark_percent=pass_mark,
    )
    definition = AchievementDefinition(
        name="A",
        description="A",
        criteria_narrative="A",
        outcomes=("A",),
        workload_hours=1,
        assessment_type="A",
        participation="online",
        quality_assurance="A",
        rubric=rubric,
    )
    return bar_of(ACHIEVEMENT_ID, 1, definition)


def test_a_score_is_the_weighted_percentage() -> None:
    judgement = judge(bar({"a": (2, [0, 2, 4]), "b": (3, [0, 5])}), {"a": "l1", "b": "l1"})
    assert judgement.score_percent == "80.00"
    assert judgement.passed
    assert [(r.criterion_id, r.level_id, r.points, r.points_max, r.weight) for r in judgement.results] == [
        ("a", "l1", 2, 4, 2),
        ("b", "l1", 5, 5, 3),
    ]


def test_79_99_never_passes_80() -> None:
    steps = bar({"a": (1, [0, 1000]), "b": (1, [0, 999]), "c": (1, [0, 1000])})
    just_below = judge(steps, {"a": 1000, "b": 399, "c": 1000})
    assert just_below.score_percent == "79.97"
    assert not just_below.passed
    a_hair_below = judge(bar({"a": (999, [0, 5]), "b": (1, [0, 1000])}), {"a": 4, "b": 799})
    assert a_hair_below.score_percent == "79.99"
    assert not a_hair_below.passed
    exactly = judge(bar({"a": (999, [0, 5]), "b": (1, [0, 1000])}), {"a": 4, "b": 800})
    assert exactly.score_percent == "80.00"
    assert exactly.passed


def test_a_mark_that_floats_miss_by_a_hair_is_met() -> None:
    sevenths = bar({"a": (3, [0, 3]), "b": (3, [0, 5, 7]), "c": (2, [0, 3, 7])}, pass_mark=75)
    assert 100 * (3 / 3 * 3 + 5 / 7 * 3 + 3 / 7 * 2) / 8 < 75
    judgement = judge(sevenths, {"a": "l1", "b": "l1", "c": "l1"})
    assert (judgement.score_percent, judgement.passed) == ("75.00", True)


CRITERIA = st.dictionaries(
    st.from_regex(r"[a-z]{1,3}", fullmatch=True),
    st.tuples(
        st.integers(1, 1_000),
        st.lists(st.integers(0, 1_000), min_size=2, max_size=5).filter(any),
    ),
    min_size=1,
    max_size=8,
)


@given(CRITERIA, st.integers(1, 100), st.data())
def test_every_score_is_the_exact_fraction_rounded_down(
    criteria: dict[str, tuple[int, list[int]]], pass_mark: int, data: st.DataObject
) -> None:
    chosen = {name: data.draw(st.integers(0, len(levels) - 1)) for name, (_, levels) in criteria.items()}
    judgement = judge(bar(criteria, pass_mark), {name: f"l{place}" for name, place in chosen.items()})
    whole = sum(weight for weight, _ in criteria.values())
    exact = sum(
        Fraction(100 * weight * levels[chosen[name]], max(levels) * whole)
        for name, (weight, levels) in criteria.items()
    )
    assert judgement.hundredths == exact * 100 // 1
    assert judgement.passed == (exact >= pass_mark)
    assert judgement.passed == (Fraction(judgement.score_percent) >= pass_mark)


@given(CRITERIA, st.data())
def test_a_levels_points_score_like_the_level(
    criteria: dict[str, tuple[int, list[int]]], data: st.DataObject
) -> None:
    chosen = {name: data.draw(st.integers(0, len(levels) - 1)) for name, (_, levels) in criteria.items()}
    ready = bar(criteria)
    by_level = judge(ready, {name: f"l{place}" for name, place in chosen.items()})
    by_points = judge(ready, {name: criteria[name][1][place] for name, place in chosen.items()})
    as_text = judge(ready, {name: str(criteria[name][1][place]) for name, place in chosen.items()})
    assert by_level.hundredths == by_points.hundredths == as_text.hundredths


def test_points_between_levels_count_and_show_the_lower_level() -> None:
    judgement = judge(bar({"a": (1, [0, 10, 20])}), {"a": 19})
    assert (judgement.results[0].level_id, judgement.results[0].points) == ("l1", 19)
    assert judgement.score_percent == "95.00"


def test_a_level_whose_id_is_a_number_wins_over_points() -> None:
    from dataclasses import replace

    ready = bar({"a": (1, [0, 5])})
    scale = ready.scales[0]
    renamed = replace(scale, levels={"5": scale.levels["l0"], "0": scale.levels["l1"]})
    judgement = judge(replace(ready, scales=(renamed,)), {"a": "5"})
    assert judgement.score_percent == "0.00"


@pytest.mark.parametrize(
    ("results", "reasons"),
    [
        ({}, ["a: missing; give l0, l1 or 2 to 4 points"]),
        ({"a": "l7"}, ["a: no such level or points; give l0, l1 or 2 to 4 points"]),
        ({"a": 5}, ["a: no such level or points; give l0, l1 or 2 to 4 points"]),
        ({"a": 1}, ["a: no such level or points; give l0, l1 or 2 to 4 points"]),
        ({"a": "٣"}, ["a: no such level or points; give l0, l1 or 2 to 4 points"]),
        ({"a": "l1", "b": 1}, ["b: the rubric has no such criterion"]),
        (
            {"b": 1},
            ["a: missing; give l0, l1 or 2 to 4 points", "b: the rubric has no such criterion"],
        ),
    ],
)
def test_results_that_do_not_fit_are_refused_with_every_reason(
    results: dict[str, Any], reasons: list[str]
) -> None:
    with pytest.raises(Invalid) as refused:
        judge(bar({"a": (1, [2, 4])}), results)
    assert refused.value.code == "results-invalid"
    assert list(refused.value.reasons) == reasons


def test_a_criterion_without_points_allows_no_score() -> None:
    with pytest.raises(Invalid) as refused:
        judge(bar({"a": (1, [0, 0]), "b": (1, [0, 1])}), {"a": "l0", "b": "l0"})
    assert refused.value.code == "rubric-unscorable"
