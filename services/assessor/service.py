"""Builds the assessor."""

from __future__ import annotations

from pathlib import Path

from services.assessor.api import BULK_BODY_BYTES_MAX, public_routes, routes
from services.assessor.api.bulk import BulkLimits, Intake
from services.assessor.handlers.enquire import Enquire
from services.assessor.handlers.erase import Erase
from services.assessor.handlers.keep import keep_achievements
from services.assessor.handlers.publications import Publications
from services.assessor.handlers.references import References
from services.assessor.handlers.submission import Answer, Submission
from services.assessor.handlers.submit import Submit
from services.assessor.settings import AssessorSettings
from shared.access import Access, api_key_subscription
from shared.batching import Batcher
from shared.bus.consumer import LaneLag, Subscription
from shared.contracts.achievements import AchievementPublished
from shared.database import Database
from shared.guarded_route import Guard
from shared.limits import RateLimit
from shared.sealing import MasterKey
from shared.service import Service
from shared.vault import LearnerKeyOwner

NAME = "assessor"
MIGRATIONS = Path(__file__).parent / "migrations"


async def build(settings: AssessorSettings) -> Service:
    """Connect to the assessor's database and put its parts together; nothing runs yet."""
    master_key = MasterKey.from_file(settings.master_key_file)
    database = await Database.open(
        settings.database_url.get_secret_value(), NAME, settings.database_connections_max
    )
    keys, references, publications = LearnerKeyOwner(master_key), References(master_key), LaneLag()
    submit = Submit(database, keys, references, settings.public_url, Publications(publications))
    submissions: Batcher[Submission, Answer] = Batcher(submit.flush)
    rate = RateLimit(settings.requests_per_second_max, settings.requests_burst_max)
    return Service(
        name=NAME,
        database=database,
        migrations=MIGRATIONS,
        api=routes(
            Guard(Access(database), rate),
            submissions,
            Intake(submissions.ask, rate, BulkLimits()),
            Enquire(database, keys, references),
            Erase(database, keys),
        ),
        public=public_routes(),
        subscriptions=(
            Subscription(
                "assessor.keep_achievements", (AchievementPublished,), keep_achievements, lag=publications
            ),
            api_key_subscription(NAME),
        ),
        resources=(submissions,),
        body_bytes_max=BULK_BODY_BYTES_MAX,
    )
