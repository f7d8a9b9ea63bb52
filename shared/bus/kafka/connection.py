"""How a cluster is reached, what our names are on it, and what its client's errors mean to us.

Nobody above knows the client's errors. What waiting or an operator can mend (a broker that is away, a topic
that is not there yet, a right that is missing) is Unavailable, with a sentence that says what it is. What
this process cannot mend while it lives (a producer whose sequence broke, a group member whose inner loop
died) is BrokenError.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context

from shared.bus.kafka.client import REQUEST_WAIT_S
from shared.bus.seam import BrokenError
from shared.errors import Unavailable

RETRY_EVERY_S = 0.25
METADATA_AGE_S_MAX = 10.0
"""How late a client may notice that topics were made anew, or partitions moved."""
RETRY_AFTER_S = 1.0

DENIED = {
    ClusterAuthorizationFailedError: "the cluster",
    GroupAuthorizationFailedError: "the group",
    TopicAuthorizationFailedError: "the topic",
}
"""What a right is missing on, by the client's error."""
RIGHTS = {"publishing": "Write", "sending": "Write", "looking after topics": "DescribeConfigs"}
"""The right that is needed for what is being done, as Kafka's ACLs name it; for all else it is Read."""
REFUSED = (AuthenticationFailedError, SaslAuthenticationFailed)
MENDABLE = (*DENIED, *REFUSED, TimeoutError, OSError)
"""Not to be tried again according to the client, yet mended without a new process."""
CONNECTING = (
    "client_id",
    "request_timeout_ms",
    "security_protocol",
    "ssl_context",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
)
"""The settings of a client that a single connection takes."""


@dataclass(frozen=True, slots=True, repr=False)
class Cluster:
    """Where the cluster is, who we are there, and how our topics and groups are called on it.

    `prefix` stands before the name of every topic and group, so that several installations, or tests, share
    one cluster. `protocol`: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    """

    bootstrap_servers: str
    prefix: str = ""
    protocol: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    user: str | None = None
    password: str | None = None
    ca_file: Path | None = None

    def topic(self, name: str) -> str:
        """Return the name on the cluster of the contracts' topic `name`."""
        return self.prefix + name

    def group(self, consumer: str) -> str:
        """Return the group in which the members of `consumer` share its partitions."""
        return self.prefix + consumer

    def client_settings(self, client_id: str) -> dict[str, Any]:
        """Return what every client of the cluster is made with."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": f"microcred-{client_id}",
            "request_timeout_ms": int(REQUEST_WAIT_S * 1000),
            "metadata_max_age_ms": int(METADATA_AGE_S_MAX * 1000),
            "retry_backoff_ms": int(RETRY_EVERY_S * 1000),
            "security_protocol": self.protocol,
            "ssl_context": self._ssl_context(),
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }

    async def refusal(self) -> str | None:
        """Return why the first of the brokers will not have us, or we not it; None where it is just away.

        The client itself tries every broker in turn and keeps the reasons to itself.
        """
        settings = self.client_settings("asking")
        host, port, _ = collect_hosts(self.bootstrap_servers)[0]
        try:
            connection = await create_conn(host, port, **{name: settings[name] for name in CONNECTING})
        except REFUSED:
            return f"Kafka refuses the user {self.user}: KAFKA_USER or KAFKA_PASSWORD is wrong."
        except UnsupportedSaslMechanismError:
            return f"Kafka does not let users prove themselves by {self.mechanism} (KAFKA_SASL_MECHANISM)."
        except ssl.SSLCertVerificationError as cause:
            return f"The broker {host} does not prove its name (KAFKA_CA_FILE): {cause.verify_message}."
        except (KafkaError, OSError, TimeoutError):
            return None
        connection.close()
        return None

    def _ssl_context(self) -> ssl.SSLContext | None:
        """Names and certificates of brokers are always checked, against `ca_file` or the system's."""
        if not self.protocol.endswith("SSL"):
            return None
        context: ssl.SSLContext = create_ssl_context(cafile=str(self.ca_file) if self.ca_file else None)
        return context


def translated(cause: Exception, doing: str) -> Exception:
    """Return what an error of the client means to whoever was `doing` something with it."""
    if isinstance(cause, MENDABLE) or (isinstance(cause, KafkaError) and cause.retriable):
        return away(cause, doing)
    return BrokenError(f"The client of Kafka failed for good ({doing}: {type(cause).__name__}).")


def away(cause: Exception, doing: str) -> Unavailable:
    """Return the same where nothing is lost yet, so that trying again is always right."""
    if type(cause) in DENIED:
        right, thing = RIGHTS.get(doing, "Read"), f"{DENIED[type(cause)]} {_named(cause)}".rstrip()
        message = (
            f"Kafka's user has not the right {right} on {thing} ({doing});"
            " deploy/topics.py --acls lists what each service needs."
        )
        return Unavailable(message, RETRY_AFTER_S)
    return Unavailable(f"Kafka does not answer ({doing}: {type(cause).__name__}).", RETRY_AFTER_S)


async def unreached(cluster: Cluster, cause: Exception, doing: str) -> Unavailable:
    """Return the same for a client that did not come into being, with the reason where one can be had."""
    if isinstance(cause, KafkaConnectionError) and cluster.protocol != "PLAINTEXT":
        reason = await cluster.refusal()
        if reason is not None:
            return Unavailable(reason, RETRY_AFTER_S)
    return away(cause, doing)


def _named(cause: Exception) -> str:
    """Return what the client says that a right is missing on: a name, or several."""
    told = cause.args[0] if cause.args else ""
    return told if isinstance(told, str) else ", ".join(sorted(map(str, told or ())))
