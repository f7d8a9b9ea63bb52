"""The topics, one for each kind of aggregate, with the one service that may write to it.

Several types share a topic so that one thing's facts stay in order. The key of a record is
`{issuer_id}/{stream}`. Retention is unlimited: forgetting a learner is deleting a key, not a record.
"""

from __future__ import annotations

from shared.contracts.event import Topic

ACHIEVEMENTS = Topic("achievements", "issuer", "what can be earned: immutable versions of achievements")
ASSESSMENTS = Topic("assessments", "assessor", "whether what was submitted met the bar")
CREDENTIALS = Topic("credentials", "issuer", "a credential's life: issued, signed, revoked, forgotten")
POSTED_CREDENTIALS = Topic("posted-credentials", "issuer", "the life of a credential that a caller wrote")
STATUS_LISTS = Topic("status-lists", "issuer", "every signed version of every status list")
ISSUERS = Topic("issuers", "issuer", "tenants, their public keys and the hashes of their API keys")
LEARNERS = Topic("learners", "assessor", "learners who were forgotten")

TOPICS: tuple[Topic, ...] = (
    ACHIEVEMENTS,
    ASSESSMENTS,
    CREDENTIALS,
    POSTED_CREDENTIALS,
    STATUS_LISTS,
    ISSUERS,
    LEARNERS,
)
