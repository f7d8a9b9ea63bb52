"""Which settings the bus asks for, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from services.starting import cluster_of
from shared.errors import Invalid
from shared.settings import Settings

LOCAL = {
    "public_url": "https://credentials.example.edu",
    "bus_database_url": "postgresql://bus_reader@localhost/x",
}
KAFKA = {
    "public_url": "https://credentials.example.edu",
    "bus": "kafka",
    "kafka_bootstrap_servers": "a:9092,b:9092",
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read nothing from the environment of whoever runs the tests."""
    for name in ("BUS", "BUS_DATABASE_URL", "KAFKA_USER", "KAFKA_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def test_the_local_bus_is_the_default_and_needs_the_log() -> None:
    assert Settings(**LOCAL).bus == "local"  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="BUS_DATABASE_URL"):
        Settings(public_url=LOCAL["public_url"])


def test_kafka_needs_brokers_and_no_database_of_its_own() -> None:
    settings = Settings(**KAFKA)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="BUS_DATABASE_URL"):
        _ = settings.log_dsn
    with pytest.raises(ValueError, match="KAFKA_BOOTSTRAP_SERVERS"):
        Settings(public_url=KAFKA["public_url"], bus="kafka")


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_sasl_needs_a_user_and_a_password_and_shows_neither(protocol: str) -> None:
    wanted: dict[str, Any] = KAFKA | {"kafka_security_protocol": protocol}
    with pytest.raises(ValueError, match="KAFKA_USER and KAFKA_PASSWORD"):
        Settings(**wanted, kafka_user="issuer")
    settings = Settings(**wanted, kafka_user="issuer", kafka_password="hidden")
    cluster = cluster_of(settings)
    assert (cluster.user, cluster.password, cluster.protocol) == ("issuer", "hidden", protocol)
    assert "hidden" not in f"{settings} {settings!r} {cluster} {cluster!r}"


def test_brokers_must_prove_their_names_wherever_there_is_tls() -> None:
    settings = Settings(**KAFKA, kafka_security_protocol="SSL")  # type: ignore[arg-type]
    context = cluster_of(settings).client_settings("test")["ssl_context"]
    assert context.check_hostname
    plain = cluster_of(Settings(**KAFKA)).client_settings("test")  # type: ignore[arg-type]
    assert plain["ssl_context"] is None


def test_a_prefix_is_what_a_topic_may_be_called() -> None:
    with pytest.raises(ValueError, match="kafka_prefix"):
        Settings(**KAFKA, kafka_prefix="with spaces ")  # type: ignore[arg-type]
