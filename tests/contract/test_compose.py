"""docker-compose.yml and its image, as far as they can be checked where no Docker daemon is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from deploy.compose.make_secrets import FOR_POSTGRESQL, make
from services.configuration import settings_class, settings_from, variable_names
from services.fleet.parts import PARTS, Part, command_of
from shared.embedded import free_port
from shared.embedded.kafka.artifacts import version
from shared.sealing import MasterKey
from shared.settings import KafkaSettings

ROOT = Path(__file__).parent.parent.parent
SCHEMA = ROOT / "tests" / "vectors" / "compose" / "compose-spec.json"
RUN_WAIT_S = 60


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


def test_the_file_fits_the_compose_specification(compose: dict[str, Any]) -> None:
    specification = json.loads(SCHEMA.read_text("utf-8"))
    assert [error.message for error in jsonschema_rs.iter_errors(specification, compose)] == []
    broken = compose | {"services": compose["services"] | {"desk": {"comand": []}}}
    assert list(jsonschema_rs.iter_errors(specification, broken))


def test_every_service_is_checked_can_be_scaled_and_waits_for_what_is_there(compose: dict[str, Any]) -> None:
    services, volumes = compose["services"], compose["volumes"]
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    assert "HEALTHCHECK" in dockerfile
    for name, service in services.items():
        assert service["image"] == "microcred" or "healthcheck" in service, name
        assert service.get("depends_on", {}).keys() <= services.keys()
        for secret in service.get("secrets", []):
            assert secret in compose["secrets"]
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in volumes or (ROOT / source).exists() or "secrets" in source, source
    for part in PARTS:
        assert not {"ports", "container_name"} & services[part.name].keys(), "it could not be scaled"
    assert services["kafka"]["image"] == f"apache/kafka:{version()}"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_each_runs_the_command_of_its_part_with_settings_that_work(
    compose: dict[str, Any], part: Part, tmp_path: Path
) -> None:
    service = compose["services"][part.name]
    assert service["command"][1:] == command_of(part)[1:]
    environment = service["environment"]
    known = set(variable_names(settings_class(part.service)).values())
    assert {name for name in environment if name not in known} <= {f"{name}_FILE" for name in known}
    make(tmp_path / "secrets")
    given = {
        name: value.replace("/run/secrets", str(tmp_path / "secrets"))
        if value.startswith("/run/secrets")
        else value
        for name, value in environment.items()
    }
    used = {value.rpartition("/")[2] for value in environment.values() if value.startswith("/run/secrets")}
    assert used == set(service["secrets"]), "a secret that is mounted is used, and the other way round"
    settings = settings_from(part.service, given | ({"ISSUER_ONLY": part.half} if part.half else {}))
    assert settings.bus == "kafka"


def test_the_secrets_are_made_once_closed_to_others_and_fit_the_file(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    made = make(folder)
    assert folder.stat().st_mode & 0o077 == 0
    assert {Path(each["file"]).name for each in compose["secrets"].values()} <= set(made)
    open_ones = {name for name in made if (folder / name).stat().st_mode & 0o077}
    assert open_ones == set(FOR_POSTGRESQL)
    MasterKey.from_file(folder / "master_key")
    passwords = dict(re.findall(r"ROLE (\w+) PASSWORD '([^']+)'", (folder / "passwords.sql").read_text()))
    for role, password in passwords.items():
        assert (folder / f"{role}_url").read_text() == f"postgresql://{role}:{password}@postgres/microcred"
    assert make(folder) == []


def test_the_topics_are_made_with_settings_that_exist(compose: dict[str, Any]) -> None:
    topics = compose["services"]["topics"]
    assert topics["environment"].keys() <= set(variable_names(KafkaSettings).values())  # type: ignore[arg-type]
    asked = subprocess.run(
        [sys.executable, topics["command"][1], "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_WAIT_S,
        check=True,
    )
    assert all(word in asked.stdout for word in topics["command"] if word.startswith("--"))


def test_what_the_image_copies_is_there_and_its_health_check_tells(tmp_path: Path) -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    for line in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    asked = subprocess.run(
        [sys.executable, "deploy/healthy.py"],
        cwd=ROOT,
        env=os.environ | {"HTTP_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=RUN_WAIT_S,
        check=False,
    )
    assert (asked.returncode, "does not answer" in asked.stdout) == (1, True)
