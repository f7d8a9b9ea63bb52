"""`microcred issuers update`: the next version of a profile, on a world that is up."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.integration.cli.conftest import Served

ANSWER_WAIT_S = 30
SOUTH = ("south-academy", "--name", "South Academy", "--url", "https://south.example.org", "--country", "IE")


def profile(served: Served) -> dict[str, Any]:
    """The profile as everybody sees it."""
    address = f"{served.address}/issuers/{SOUTH[0]}"
    with urllib.request.urlopen(address, timeout=ANSWER_WAIT_S) as answer:  # noqa: S310 - loopback
        document: dict[str, Any] = json.load(answer)
    return document


def test_what_is_given_changes_and_everything_else_stays(served: Served) -> None:
    assert served.run("issuers", "create", *SOUTH, "--email", "a@south.example.org").returncode == 0
    before = profile(served)
    for _ in range(2):
        updated = served.run("issuers", "update", SOUTH[0], "--name", "South College", "--email", "")
        assert (updated.returncode, updated.stdout) == (0, "south-academy shows version 2 of its profile.\n")
    expected = before | {"name": "South College"}
    del expected["email"]
    assert profile(served) == expected

    another = served.run("issuers", "create", *SOUTH)
    assert another.returncode == 1
    assert "'microcred issuers update south-academy'" in another.stderr


def test_what_cannot_be_published_is_refused_and_nothing_given_is_wrong_usage(served: Served) -> None:
    for words, reason in (
        (("nobody", "--name", "Nobody"), "There is no such issuer."),
        (("riverside-college", "--url", "nowhere"), "url is not a web address"),
        (("riverside-college", "--name", ""), "name"),
    ):
        refused = served.run("issuers", "update", *words)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert reason in refused.stderr
    misused = served.run("issuers", "update", "riverside-college")
    assert misused.returncode == 64
    assert "--name" in misused.stderr
