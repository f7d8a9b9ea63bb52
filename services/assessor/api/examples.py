"""Worked examples for the API pages. They name the achievement that `make demo` and `make serve` publish."""

from __future__ import annotations

from typing import Any

ACHIEVEMENT_ID = "019aa000-0000-7000-8000-000000000001"

LEVELS: dict[str, Any] = {
    "assessment_id": "DAPS-2026-R-0001",
    "achievement_id": ACHIEVEMENT_ID,
    "learner": {"reference": "S202609001", "name": "Ida Berg", "email": "ida.berg@example.org"},
    "results": {
        "question": "excellent",
        "method": "secure",
        "reproducibility": "secure",
        "communication": "excellent",
    },
    "assessor": "Dr M. Lindholm",
    "supervision": "supervised-onsite",
    "identity_check": "photo-id",
    "evidence": [{"url": "https://portfolio.example.org/daps/9001", "name": "Report"}],
    "assessed_at": "2026-06-15T09:00:00+02:00",
    "narrative": "A clear question and a careful answer.",
}
POINTS: dict[str, Any] = {
    "assessment_id": "DAPS-2026-R-0002",
    "achievement_id": ACHIEVEMENT_ID,
    "learner": {"name": "Tom Roos", "email": "tom.roos@example.org"},
    "results": {"question": 2, "method": 1, "reproducibility": 2, "communication": 3},
    "assessor": "J. van Dijk",
    "supervision": "proctored-online",
    "identity_check": "photo-id",
    "assessed_at": "2026-06-16T14:30:00Z",
}
SINGLE: dict[str, Any] = {
    "levels": {"summary": "Levels of the rubric, with evidence", "value": LEVELS},
    "points": {"summary": "Points, and a learner known by e-mail", "value": POINTS},
}
NDJSON = (
    '{"assessment_id":"DAPS-2026-B-0001","achievement_id":"019aa000-0000-7000-8000-000000000001",'
    '"learner":{"reference":"S202609003","name":"Mia Sand","email":"mia.sand@example.org"},'
    '"results":{"question":"secure","method":"secure","reproducibility":"secure","communication":"secure"},'
    '"assessor":"Dr M. Lindholm","supervision":"supervised-onsite","identity_check":"photo-id",'
    '"assessed_at":"2026-06-15T09:00:00Z"}\n'
)
CSV = (
    "assessment_id,achievement_id,learner_reference,learner_name,learner_email,assessor,supervision,"
    "identity_check,assessed_at,evidence_url,"
    "result:question,result:method,result:reproducibility,result:communication\n"
    "DAPS-2026-C-0001,019aa000-0000-7000-8000-000000000001,S202609004,Åsa Lind,asa.lind@example.org,"
    "J. van Dijk,supervised-onsite,photo-id,2026-06-15T09:00:00Z,https://portfolio.example.org/daps/9004,"
    "secure,developing,excellent,secure\n"
)
