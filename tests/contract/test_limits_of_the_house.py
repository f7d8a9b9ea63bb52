"""The limits hold, and each check sees a breach of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract import limits

DOCSTRING = '"""What it is."""\n'
QUERY = DOCSTRING + 'ROWS = "SELECT id FROM credential"\n'


@pytest.mark.parametrize("check", limits.CHECKS, ids=lambda check: check.__name__)
def test_the_project_is_within_its_limits(check: Callable[[Path], Iterator[str]]) -> None:
    assert list(check(limits.PROJECT)) == []


@pytest.mark.parametrize(
    ("check", "path", "text"),
    [
        (limits.too_long, "services/long.py", DOCSTRING + "x = 1\n" * limits.LINES_MAX),
        (
            limits.too_long,
            "shared/deep.py",
            DOCSTRING + "def f():\n" + "    x = 1\n" * limits.FUNCTION_LINES_MAX,
        ),
        (limits.too_long, "tests/unit/test_long.py", DOCSTRING + "x = 1\n" * limits.LINES_MAX),
        (limits.too_long, "examples/long.py", DOCSTRING + "x = 1\n" * limits.LINES_MAX),
        (limits.without_docstring, "shared/mute.py", "x = 1\n"),
        (limits.drawers, "shared/string_helpers.py", DOCSTRING),
        (limits.drawers, "services/common/thing.py", DOCSTRING),
        (limits.forbidden_words, "docs/page.md", "TO" + "DO: write this\n"),
        (limits.forbidden_words, "requirements/run.txt", "https://pypi" + ".org/simple\n"),
        (limits.forbidden_words, ".ci/run", "pip --index-url" + " https://mirror.example/simple\n"),
        (limits.misplaced_sql, "services/issuer/handlers/sign.py", QUERY),
        (limits.misplaced_sql, "services/issuer/restored.py", QUERY),
        (
            limits.misplaced_sql,
            "services/issuer/api/pages.py",
            DOCSTRING + 'def f(t):\n    return f"""\n    UPDATE {t} SET x = 1"""\n',
        ),
        (
            limits.misplaced_sql,
            "services/issuer/service.py",
            DOCSTRING + 'async def f(c):\n    await c.copy_records_to_table("credential")\n',
        ),
    ],
)
def test_a_breach_is_seen(
    tmp_path: Path, check: Callable[[Path], Iterator[str]], path: str, text: str
) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    [fault] = check(tmp_path)
    assert fault.startswith(path)


def test_what_stands_at_a_limit_is_within_it(tmp_path: Path) -> None:
    file = tmp_path / "shared" / "database.py"
    file.parent.mkdir()
    body = "def f():\n" + "    x = 1\n" * (limits.FUNCTION_LINES_MAX - 1)
    file.write_text(DOCSTRING + body + "x = 1\n" * (limits.LINES_MAX - limits.FUNCTION_LINES_MAX - 1))
    for check in (limits.too_long, limits.without_docstring, limits.drawers, limits.forbidden_words):
        assert list(check(tmp_path)) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("services/issuer/store.py", QUERY),
        ("services/issuer/holding_store.py", QUERY),
        ("services/issuer/projections.py", QUERY),
        ("services/issuer/replay.py", QUERY),
        ("services/world.py", QUERY),
        ("shared/eventstore/log.py", QUERY),
        (
            "services/issuer/domain.py",
            '"""SELECT is no word of this module."""\nSENTENCE = "With care. Update it."\n',
        ),
    ],
)
def test_sql_in_its_rooms_and_words_of_sentences_are_no_breach(tmp_path: Path, path: str, text: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert list(limits.misplaced_sql(tmp_path)) == []
