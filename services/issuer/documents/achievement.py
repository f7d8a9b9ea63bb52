"""An achievement as Open Badges 3.0 writes it (class Achievement), equal in credentials and at its address.

What the EU's Annex I (Council Recommendation 2022/C 243/02) asks of a micro-credential and Open Badges has no
term for (workload in hours, type of assessment, form of participation, quality assurance) stands readably in
`criteria.narrative` and searchably in `tag`; no extension context is made up for it. Everything that can have
an id has one, since nodes without are what canonicalisers disagree on.
"""

from __future__ import annotations

from services.issuer.documents.addresses import Addresses
from shared.contracts.achievements import AchievementDefinition, Alignment, RubricCriterion
from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3
from shared.proofs.strictjson import JsonObject, JsonValue


def achievement(
    addresses: Addresses, achievement_id: str, version: int, definition: AchievementDefinition
) -> JsonObject:
    """The Achievement object of one immutable version."""
    url = addresses.achievement(achievement_id, version)
    document: JsonObject = {
        "id": url,
        "type": ["Achievement"],
        "achievementType": "MicroCredential",
        "name": definition.name,
        "description": definition.description,
        "criteria": {"id": f"{url}#criteria", "narrative": _narrative(definition)},
        "inLanguage": definition.language,
        "version": str(version),
    }
    if definition.field_of_study is not None:
        document["fieldOfStudy"] = definition.field_of_study
    if definition.credits is not None:
        document["creditsAvailable"] = definition.credits
    if alignments := _alignments(url, definition):
        document["alignment"] = alignments
    document["resultDescription"] = _result_descriptions(url, definition)
    document["tag"] = _tags(definition)
    return document


def achievement_page(
    addresses: Addresses, achievement_id: str, version: int, definition: AchievementDefinition
) -> JsonObject:
    """The document at an achievement's address: the same object with its contexts."""
    return {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
        **achievement(addresses, achievement_id, version, definition),
    }


def overall_result_id(url: str) -> str:
    """The id of the description of the overall percentage; `url` is the achievement's."""
    return f"{url}#result"


def criterion_result_id(url: str, criterion_id: str) -> str:
    """The id of the description of one criterion's result."""
    return f"{url}#result/{criterion_id}"


def level_id(url: str, criterion_id: str, level: str) -> str:
    """The id of one level of a criterion. The slash keeps `a-b`/`c` and `a`/`b-c` apart."""
    return f"{url}#level/{criterion_id}/{level}"


def _narrative(definition: AchievementDefinition) -> str:
    outcomes = "\n".join(f"- {outcome}" for outcome in definition.outcomes)
    facts = [
        f"Workload: {definition.workload_hours} hours",
        f"Level: {definition.level.framework} {definition.level.value}" if definition.level else None,
        f"Type of assessment: {definition.assessment_type}",
        f"Form of participation: {definition.participation}",
        f"Quality assurance: {definition.quality_assurance}",
        f"Pass mark: {definition.rubric.pass_mark_percent} %",
    ]
    listed = "\n".join(f"- {fact}" for fact in facts if fact is not None)
    return f"{definition.criteria_narrative}\n\nLearning outcomes:\n{outcomes}\n\nAbout this award:\n{listed}"


def _alignments(url: str, definition: AchievementDefinition) -> list[JsonValue]:
    levels: list[JsonValue] = []
    if definition.level is not None:
        levels.append(
            {
                "id": f"{url}#alignment/level",
                "type": ["Alignment"],
                "targetName": f"{definition.level.framework} {definition.level.value}",
                "targetUrl": definition.level.url,
                "targetFramework": definition.level.framework,
                "targetCode": definition.level.value,
            }
        )
    skills = enumerate(definition.alignments, start=1)
    return levels + [_alignment(f"{url}#alignment/{number}", skill) for number, skill in skills]


def _alignment(identifier: str, skill: Alignment) -> JsonObject:
    optional = {
        "targetFramework": skill.target_framework,
        "targetCode": skill.target_code,
        "targetDescription": skill.target_description,
        "targetType": skill.target_type,
    }
    return {
        "id": identifier,
        "type": ["Alignment"],
        "targetName": skill.target_name,
        "targetUrl": skill.target_url,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _result_descriptions(url: str, definition: AchievementDefinition) -> list[JsonValue]:
    overall: JsonObject = {
        "id": overall_result_id(url),
        "type": ["ResultDescription"],
        "name": "Overall score",
        "resultType": "Percent",
        "valueMin": "0",
        "valueMax": "100",
        "requiredValue": str(definition.rubric.pass_mark_percent),
    }
    return [overall, *(_criterion(url, criterion) for criterion in definition.rubric.criteria)]


def _criterion(url: str, criterion: RubricCriterion) -> JsonObject:
    levels: list[JsonValue] = []
    for level in criterion.levels:
        described: JsonObject = {
            "id": level_id(url, criterion.id, level.id),
            "type": ["RubricCriterionLevel"],
            "name": level.name,
            "points": str(level.points),
        }
        if level.description is not None:
            described["description"] = level.description
        levels.append(described)
    return {
        "id": criterion_result_id(url, criterion.id),
        "type": ["ResultDescription"],
        "name": criterion.name,
        "resultType": "RubricCriterionLevel",
        "rubricCriterionLevel": levels,
    }


def _tags(definition: AchievementDefinition) -> list[JsonValue]:
    about = (
        f"workload: {definition.workload_hours} h",
        f"assessment: {definition.assessment_type}",
        f"participation: {definition.participation}",
        f"quality assurance: {definition.quality_assurance}",
    )
    return list(dict.fromkeys((*definition.tags, *about)))
