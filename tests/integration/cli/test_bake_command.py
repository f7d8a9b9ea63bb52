"""`microcred bake`, and `microcred verify` on what it makes and on a presentation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli.conftest import microcred
from tests.unit.baking.pictures import PNG, SVG
from tests.unit.verifier.credentials import ISSUER, Signer, badge

CREDENTIAL = ISSUER.sign(badge(credentialStatus=None))


@pytest.mark.parametrize(("name", "picture"), [("badge.png", PNG), ("badge.svg", SVG)])
def test_a_baked_badge_verifies_and_is_not_written_over(name: str, picture: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(picture)
    (tmp_path / "credential.json").write_text(json.dumps(CREDENTIAL))
    words = ("bake", str(tmp_path / name), str(tmp_path / "credential.json"), str(tmp_path / f"baked-{name}"))
    assert microcred(*words).returncode == 0
    verified = microcred("verify", str(tmp_path / f"baked-{name}"))
    assert (verified.returncode, "VALID" in verified.stdout) == (0, True)
    assert microcred(*words).returncode == 64
    refused = microcred("bake", str(tmp_path / f"baked-{name}"), *words[2:3], str(tmp_path / "twice"))
    assert (refused.returncode, "already" in refused.stderr) == (1, True)
    assert not (tmp_path / "twice").exists()


def test_a_presentation_is_verified_for_whom_it_was_made() -> None:
    presented = json.dumps(Signer(5).present(CREDENTIAL, domain="verifier.example", challenge="n-1"))
    words = ("verify", "-", "--domain", "verifier.example", "--challenge")
    good = microcred(*words, "n-1", given=presented)
    assert (good.returncode, "credential 1" in good.stdout) == (0, True)
    assert microcred(*words, "n-2", given=presented).returncode == 1
