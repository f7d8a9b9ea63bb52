"""The command line of the VC-JOSE-COSE suite: what it signs it verifies, and it refuses what it has to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.conformance.jose import app
from services.conformance.shape import EXAMPLES_V2
from shared.proofs import base64url
from shared.proofs.contexts import CREDENTIALS_V2

ISSUER = "https://example.issuer/vc-jose-cose"
P256 = {
    "kty": "EC",
    "crv": "P-256",
    "alg": "ES256",
    "x": "WfTi93YuhsQxKbD0ftnjOXJndqhnJ5kgDV-ZDGyrhBQ",
    "y": "qUd_55EjX0mjKZ6W6mF4UXVYTQ41K6jfdnYFwN5uPyk",
}
ED25519 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "alg": "EdDSA",
    "x": "NvUhsjZe7Mdv8Esoc60o3ma1U5j2tFUTDsOQd39xMnI",
}
SECRETS = {
    "P-256": "J_a5KH6A2Ru7iOAzvUkQEjKCJQCdxUXVajaW3CaPORs",
    "Ed25519": "cbxP1TvbhLteRSspEvwxEuFKRDHWpGmPla8ePI0cmv8",
}
"""Keys that the suite publishes, secret halves included."""
CREDENTIAL = {
    "@context": [CREDENTIALS_V2, EXAMPLES_V2],
    "id": "http://university.example/credentials/1872",
    "type": ["VerifiableCredential", "ExampleAlumniCredential"],
    "issuer": ISSUER,
    "validFrom": "2010-01-01T19:23:24Z",
    "credentialSubject": {"id": "did:example:123", "degree": {"type": "BachelorDegree", "name": "Arts"}},
}


def method(key: dict[str, str]) -> dict[str, Any]:
    return {
        "id": f"{ISSUER}#key-1",
        "type": "JsonWebKey",
        "controller": ISSUER,
        "publicKeyJwk": key,
        "secretKeyJwk": key | {"d": SECRETS.get(key["crv"], "AA")},
    }


class Command:
    """Runs the command on files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(
        self, name: str, given: Any, kind: str = "credential", key: dict[str, str] = P256, suite: str = "jose"
    ) -> dict[str, str]:
        files = {part: self._folder / part for part in ("input", "key", "output")}
        files["input"].write_text(given if isinstance(given, str) else json.dumps(given))
        files["key"].write_text(json.dumps(method(key)))
        paths = [text for part, path in files.items() for text in (f"--{part}", str(path))]
        ran = CliRunner().invoke(app, [name, *paths, "--feature", f"{kind}_{suite}"])
        assert ran.exit_code == 0, ran.output
        answer: dict[str, str] = json.loads(files["output"].read_text())
        assert set(answer) == {"result", "data"}
        return answer


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def presentation(*within: Any) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2, EXAMPLES_V2],
        "type": "VerifiablePresentation",
        "holder": ISSUER,
        "verifiableCredential": list(within),
    }


def enveloped(token: str) -> dict[str, Any]:
    data = f"data:application/vc+jwt,{token}"
    return {"@context": CREDENTIALS_V2, "type": "EnvelopedVerifiableCredential", "id": data}


@pytest.mark.parametrize("key", [P256, ED25519], ids=lambda key: str(key["crv"]))
def test_what_is_issued_verifies_and_what_was_altered_fails(command: Command, key: dict[str, str]) -> None:
    token = command("issue", CREDENTIAL, key=key)
    assert token["result"] == "success"
    assert command("verify", token["data"], key=key)["result"] == "success"
    head, payload, signature = token["data"].split(".")
    forged = base64url.encode(base64url.decode(payload).replace(b"Arts", b"Zrts"))
    assert command("verify", f"{head}.{forged}.{signature}", key=key)["result"] == "failure"
    presented = command("issue", presentation(enveloped(token["data"])), "presentation", key)
    assert command("verify", presented["data"], "presentation", key)["result"] == "success"


def test_a_credential_is_refused_where_the_suite_demands_it(command: Command) -> None:
    assert (
        command("issue", CREDENTIAL | {"unknown": "x", "@context": [CREDENTIALS_V2]})["result"] == "failure"
    )
    assert command("issue", {**CREDENTIAL, "issuer": 5})["result"] == "failure"
    assert command("issue", CREDENTIAL | {"vc": {}})["result"] == "failure"
    assert command("verify", CREDENTIAL)["result"] == "failure"
    token = command("issue", CREDENTIAL)["data"]
    assert command("verify", token, "presentation")["result"] == "failure"
    for alg in "none", "HS256":
        head = base64url.encode(json.dumps({"alg": alg, "typ": "vc+jwt"}).encode())
        assert command("verify", ".".join((head, *token.split(".")[1:])))["result"] == "failure"


def test_a_presentation_holds_enveloped_credentials_that_verify(command: Command) -> None:
    assert command("issue", presentation(CREDENTIAL), "presentation")["result"] == "failure"
    bad = command("issue", presentation({**enveloped(""), "id": "not-a-credential"}), "presentation")
    assert "failure" in (bad["result"], command("verify", bad["data"], "presentation")["result"])


def test_what_is_not_done_here_is_indeterminate(command: Command) -> None:
    assert command("issue", CREDENTIAL, suite="cose")["result"] == "indeterminate"
    assert command("verify", "x", suite="sdjwt")["result"] == "indeterminate"
    assert command("issue", CREDENTIAL, key={**P256, "crv": "P-384"})["result"] == "indeterminate"


def test_it_does_not_start_in_production(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    names = [text for part in ("input", "key", "output") for text in (f"--{part}", str(tmp_path / part))]
    assert CliRunner().invoke(app, ["issue", *names, "--feature", "credential_jose"]).exit_code == 1
