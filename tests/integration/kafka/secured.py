"""A broker with TLS alone, users with passwords, and for each of them what it was granted.

Users prove themselves by SCRAM-SHA-512. The operator, who makes them and grants rights, does by PLAIN: its
password stands in the broker's own properties. It works with a client that is not ours (confluent-kafka).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from services import SERVICES
from shared.bus.kafka import Cluster
from shared.embedded.kafka import Broker
from tests.integration.authority import Authority

OPERATOR = "operator"
HOST = "localhost"
JAAS = "org.apache.kafka.common.security"
ITERATIONS = 4096
ANSWER_WAIT_S = 30.0
PROGRAM = Path(__file__).parents[3] / "deploy" / "topics.py"
COMMAND_WAIT_S = 60


def properties(authority: Authority, password: str) -> dict[str, str]:
    """Return what turns deploy/kafka/server.properties into a broker with users and rights."""
    key, certificate = (pem.decode().replace("\n", "\\n") for pem in authority.proof_of(HOST))
    own = f'username="{OPERATOR}" password="{password}" user_{OPERATOR}="{password}"'
    return {
        "listeners": "SASL_SSL://${bind}:${port},CONTROLLER://127.0.0.1:${controller_port}",
        "advertised.listeners": f"SASL_SSL://{HOST}:${{port}}",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "SASL_SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f"{JAAS}.plain.PlainLoginModule required {own};",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{JAAS}.scram.ScramLoginModule required;",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.key": key,
        "ssl.keystore.certificate.chain": certificate,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": authority.pem().decode().replace("\n", "\\n"),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Nobody but the broker itself speaks on the controller's listener, which has no users.
        "super.users": f"User:{OPERATOR};User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
    }


@dataclass(frozen=True)
class Secured:
    """The broker, as its operator knows it, and the passwords of its users."""

    operator: Cluster
    passwords: dict[str, str]

    @cached_property
    def acls(self) -> list[str]:
        """The rights of all services, as deploy/topics.py lists them."""
        said = self.topics("--acls")
        assert said.returncode == 0, said.stderr
        return said.stdout.splitlines()

    def cluster(self, user: str) -> Cluster:
        """Return the cluster as `user` reaches it."""
        return replace(self.operator, mechanism="SCRAM-SHA-512", user=user, password=self.passwords[user])

    def settings(self) -> dict[str, str]:
        """Return the operator's settings, as environment variables."""
        assert self.operator.user is not None
        assert self.operator.password is not None
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.operator.bootstrap_servers,
            "KAFKA_PREFIX": self.operator.prefix,
            "KAFKA_SECURITY_PROTOCOL": self.operator.protocol,
            "KAFKA_SASL_MECHANISM": self.operator.mechanism,
            "KAFKA_USER": self.operator.user,
            "KAFKA_PASSWORD": self.operator.password,
            "KAFKA_CA_FILE": str(self.operator.ca_file),
        }

    def topics(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run deploy/topics.py as the operator."""
        return subprocess.run(
            [sys.executable, PROGRAM, *words],
            env=os.environ | self.settings(),
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_WAIT_S,
        )

    async def grant(self, commands: Sequence[str]) -> None:
        """Do what lines of `kafka-acls.sh` say."""
        bindings = [binding for line in commands for binding in _bindings(line)]
        await self._operate(lambda admin: admin.create_acls(bindings))

    async def withdraw(self, commands: Sequence[str]) -> None:
        """Undo it."""
        filters = [
            AclBindingFilter(
                *(each.restype, each.name, each.resource_pattern_type, each.principal),
                *(each.host, each.operation, each.permission_type),
            )
            for line in commands
            for each in _bindings(line)
        ]
        await self._operate(lambda admin: admin.delete_acls(filters))

    async def make_users(self) -> None:
        """Make a user for each service."""
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        wanted = [
            UserScramCredentialUpsertion(user, how, password.encode())
            for user, password in self.passwords.items()
        ]
        await self._operate(lambda admin: admin.alter_user_scram_credentials(wanted))

    async def _operate(self, ask: Callable[[AdminClient], Mapping[Any, Future[Any]]]) -> None:
        admin = AdminClient(
            {
                "bootstrap.servers": self.operator.bootstrap_servers,
                "security.protocol": self.operator.protocol,
                "sasl.mechanism": self.operator.mechanism,
                "sasl.username": self.operator.user,
                "sasl.password": self.operator.password,
                "ssl.ca.location": str(self.operator.ca_file),
            }
        )
        for answer in ask(admin).values():
            await asyncio.wait_for(asyncio.wrap_future(answer), ANSWER_WAIT_S)


def _bindings(line: str) -> list[AclBinding]:
    """Read a line as kafka-acls.sh would; a word that it does not know ends the test."""
    tool, *words = shlex.split(line)
    assert tool == "kafka-acls.sh"
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    for name in ("--bootstrap-server", "--command-config", "--allow-principal"):
        parser.add_argument(name, required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--operation", action="append", required=True)
    parser.add_argument("--topic", action="append", default=[])
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--resource-pattern-type", choices=["literal", "prefixed"], default="literal")
    said = parser.parse_args(words)
    resources = [(ResourceType.TOPIC, name) for name in said.topic]
    resources += [(ResourceType.GROUP, name) for name in said.group]
    pattern = ResourcePatternType[said.resource_pattern_type.upper()]
    return [
        AclBinding(
            kind,
            name,
            pattern,
            said.allow_principal,
            "*",
            AclOperation[operation.upper()],
            AclPermissionType.ALLOW,
        )
        for kind, name in resources
        for operation in said.operation
    ]


@asynccontextmanager
async def secured_broker(folder: Path) -> AsyncIterator[Secured]:
    """Run such a broker with a user for each service, none of whom may do anything yet."""
    authority, password = Authority.made(folder), secrets.token_urlsafe(18)
    (folder / "ca.pem").write_bytes(authority.pem())
    broker = await asyncio.to_thread(
        Broker.open, folder / "kafka", properties=properties(authority, password)
    )
    try:
        operator = Cluster(
            f"{HOST}:{broker.port}", "unit.", "SASL_SSL", "PLAIN", OPERATOR, password, folder / "ca.pem"
        )
        secured = Secured(operator, {name: secrets.token_urlsafe(18) for name in SERVICES})
        await secured.make_users()
        yield secured
    finally:
        await asyncio.to_thread(broker.stop)
