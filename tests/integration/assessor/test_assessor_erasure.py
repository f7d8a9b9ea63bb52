"""Forgetting a learner: what goes, what stays, and that nothing personal ever stood in clear."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import asyncpg

from shared.contracts.learners import LearnerErased

ALPHA, BETA = "alpha-academy", "beta-college"
# Long ones: three letters stand in any few kilobytes of sealed text by chance.
PERSONAL = (
    "Zoë Ångström-1",
    "zoe.angstrom-1@example.org",
    "register-of-students-1",
    "Quirin Xylander",
    "portfolio.example.org",
    "A word about the work",
)
EVERY_TABLE = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


async def dump(admin: asyncpg.Connection) -> bytes:
    """Return every value of every table, text as UTF-8 and bytea as it is, numbers left out."""
    parts: list[bytes] = []
    for record in await admin.fetch(EVERY_TABLE):
        for row in await admin.fetch(f"SELECT * FROM {record[0]}"):
            parts += [
                value if isinstance(value, bytes) else str(value).encode()
                for value in row.values()
                if isinstance(value, bytes | str | list)
            ]
    return b"\n".join(parts)


def spellings(word: str) -> set[bytes]:
    """Return a word as it might stand in a dump: plain, lower case, JSON-escaped, base64 at any offset."""
    plain = word.encode()
    found = {plain, word.lower().encode(), json.dumps(word)[1:-1].encode(), plain.hex().encode()}
    if len(plain) > 8:
        for shift in range(3):
            inner = base64.b64encode(b"\0" * shift + plain)[4:-4]
            found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


async def assert_nothing_personal(admin: asyncpg.Connection) -> None:
    dumped = await dump(admin)
    assert b"assessment.submitted.v1" in dumped
    for word in PERSONAL:
        for spelling in spellings(word):
            assert spelling not in dumped, f"{word} stands in clear in the database"


async def test_nothing_personal_stands_in_any_table_before_or_after_erasure(world: Any, body: Any) -> None:
    said = (await world.submit(body(narrative="A word about the work."))).json()
    await world.bulk(json.dumps(body(1)).encode())
    await assert_nothing_personal(world.admin)
    assert (await world.ask("DELETE", f"/learners/{said['learner_id']}")).status_code == 204
    await assert_nothing_personal(world.admin)


async def test_an_erased_learner_leaves_an_event_and_no_key_row_or_count(world: Any, body: Any) -> None:
    said = (await world.submit(body())).json()
    await world.submit(body(2))
    answer = await world.ask("DELETE", f"/learners/{said['learner_id']}")
    assert answer.status_code == 204
    erased = (await world.log())[-1]
    assert isinstance(erased.event, LearnerErased)
    assert erased.event.learner_id == said["learner_id"]
    assert erased.meta.actor == f"api-key:{world.keys[ALPHA].prefix}"
    for table in ("assessor.learner", "assessor.attempt", "vault.learner_key"):
        left = f"SELECT count(*) FROM {table} WHERE learner_id = $1"
        assert await world.count(left, said["learner_id"]) == 0
        assert await world.count(f"SELECT count(*) FROM {table}") == 1
    assert (
        await world.ask("GET", "/learners", params={"reference": "register-of-students-1"})
    ).status_code == 404
    assert (
        await world.ask("GET", "/learners", params={"reference": "register-of-students-2"})
    ).status_code == 200


async def test_erasing_again_says_the_same_and_adds_nothing(world: Any, body: Any) -> None:
    said = (await world.submit(body())).json()
    for _ in range(2):
        assert (await world.ask("DELETE", f"/learners/{said['learner_id']}")).status_code == 204
    assert len(await world.log()) == 3


async def test_erasing_at_the_same_time_is_one_event(world: Any, body: Any) -> None:
    said = (await world.submit(body())).json()
    answers = await asyncio.gather(
        *(world.ask("DELETE", f"/learners/{said['learner_id']}") for _ in range(5))
    )
    assert [answer.status_code for answer in answers] == [204] * 5
    assert [type(recorded.event) for recorded in await world.log()].count(LearnerErased) == 1


async def test_an_unknown_learner_cannot_be_erased(world: Any) -> None:
    answer = await world.ask("DELETE", "/learners/00000000-0000-4000-8000-000000000000")
    assert answer.status_code == 404


async def test_an_assessment_of_an_erased_learner_is_gone_for_every_question(world: Any, body: Any) -> None:
    said = (await world.submit(body())).json()
    await world.ask("DELETE", f"/learners/{said['learner_id']}")
    assert (await world.ask("GET", "/assessments/A-1")).status_code == 410
    for again in (body(), body(assessor="Someone else")):
        answer = await world.submit(again)
        assert (answer.status_code, answer.json()["code"]) == (410, "learner-erased")
    line = (await world.bulk(json.dumps(body()).encode()))[0]
    assert (line["outcome"], line["problem"]["status"]) == ("rejected", 410)


async def test_an_erased_learner_who_comes_back_is_somebody_new(world: Any, body: Any) -> None:
    said = (await world.submit(body())).json()
    await world.ask("DELETE", f"/learners/{said['learner_id']}")
    back = (await world.submit(body(2, learner=body(1)["learner"]))).json()
    assert back["learner_id"] != said["learner_id"]
    assert back["attempt"] == 1


async def test_a_mapping_that_a_backup_brought_back_without_its_key_is_replaced(
    world: Any, body: Any
) -> None:
    said = (await world.submit(body())).json()
    await world.admin.execute("DELETE FROM vault.learner_key")
    back = await world.submit(body(2, learner=body(1)["learner"]))
    assert back.status_code == 201, back.text
    assert back.json()["learner_id"] != said["learner_id"]
    assert await world.count("SELECT count(*) FROM assessor.learner") == 1
    assert (await world.ask("GET", "/assessments/A-2")).status_code == 200


async def test_submitting_and_erasing_at_once_never_leaves_a_key_without_a_learner(
    world: Any, body: Any
) -> None:
    learner = body(1)["learner"]
    said = (await world.submit(body(1, learner=learner))).json()
    await asyncio.gather(
        *(world.submit(body(number, learner=learner)) for number in range(2, 40)),
        world.ask("DELETE", f"/learners/{said['learner_id']}"),
        *(world.submit(body(number, learner=learner)) for number in range(40, 80)),
    )
    keys = {row[0] for row in await world.admin.fetch("SELECT learner_id FROM vault.learner_key")}
    mapped = {row[0] for row in await world.admin.fetch("SELECT learner_id FROM assessor.learner")}
    assert keys == mapped
    assert said["learner_id"] not in keys
    erased_at = next(r.position for r in await world.log() if isinstance(r.event, LearnerErased))
    later = [r for r in await world.log() if r.position > erased_at]
    assert all(r.event.learner_id != said["learner_id"] for r in later)
