"""A whole installation in one folder: an embedded PostgreSQL, all services, the local bus, one HTTP port.

What `microcred demo` and `microcred serve` run, and what the integration tests call `world`. The folder holds
everything that must survive: the database, the master key, and `environment`, the settings as variables,
which is how the operator's commands find a running world. Where DATABASE_URL names a PostgreSQL (as a
superuser), that one is used instead of the embedded one.

Development only: addresses are loopback and http, issuers are did:key.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg

from services import SERVICES
from services.configuration import settings_from
from services.starting import running_services
from services.world_folder import kept_port, read_environment, was_started, write_environment
from shared.app import application, listening
from shared.embedded import Cluster
from shared.embedded.ports import is_free
from shared.embedded.stopping import held
from shared.errors import Conflict
from shared.provision import LOGIN_ROLES, SIGNER_ROLE, provision
from shared.sealing import MasterKey
from shared.service import Running
from shared.settings import Settings

HOST = "127.0.0.1"
DATABASE = "microcred"
PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True)
class World:
    """A running installation. `address` is where it listens and what signed documents name."""

    folder: Path
    address: str
    settings: Mapping[str, Settings]
    house: Running
    cluster: Cluster | None

    @property
    def bus(self) -> str:
        """What carries its events: `local` or `kafka`."""
        return self.settings["issuer"].bus

    def metrics(self) -> list[tuple[str, str]]:
        """Return what is measured where: a name and an address for each process."""
        return [("metrics", f"{self.address}/metrics")]

    async def settled(self, wait_s: float, *, outward: bool = True) -> None:
        """Wait until no event or status list waits anywhere, nor a delivery unless without `outward`."""
        await self.house.settled(wait_s, outward=outward)


@asynccontextmanager
async def world_environment(
    folder: Path, port: int, overrides: Mapping[str, str], durable: bool = True
) -> AsyncIterator[tuple[dict[str, str], Cluster | None]]:
    """Start the PostgreSQL of `folder` and yield every setting of its world as variables, and the cluster.

    The cluster is None where DATABASE_URL names a server. Raises NotFound if no PostgreSQL can be run.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True, mode=0o700)
    admin_dsn = os.environ.get("DATABASE_URL")
    cluster = None
    async with AsyncExitStack() as stack:
        if admin_dsn is None:
            starting = partial(Cluster.open, folder / "postgres", durable=durable)
            cluster = await stack.enter_async_context(held(starting))
            admin_dsn = await _own_database(cluster)
        environment = _environment(folder, port, admin_dsn) | dict(overrides)
        await provision(admin_dsn, _passwords(environment))
        write_environment(folder, environment)
        yield environment, cluster


@asynccontextmanager
async def open_world(
    folder: Path,
    port: int,
    overrides: Mapping[str, str],
    replacements: Mapping[str, Mapping[str, Any]] | None = None,
    durable: bool = True,
) -> AsyncIterator[World]:
    """Start the world of `folder` (made if missing) on `port`, and stop it when the block ends.

    `overrides` are settings as variables, such as SMTP_HOST; `replacements` reach the services' `build`.
    Raises Conflict if the port is taken or the folder is in use, NotFound if no PostgreSQL can be run.
    """
    if kept_port(folder) is None:
        check_free(port)  # before the folder writes it down as its own
    async with AsyncExitStack() as stack:
        environment, cluster = await stack.enter_async_context(
            world_environment(folder, port, overrides, durable)
        )
        check_free(port)  # after the folder's lock: who holds that may well be who listens
        settings = {name: settings_from(name, environment) for name in SERVICES}
        house = await stack.enter_async_context(running_services(settings, replacements))
        address = await stack.enter_async_context(listening(application(house), HOST, port))
        yield World(folder, address, settings, house, cluster)


def check_free(port: int) -> None:
    if not is_free(port):
        raise Conflict("port-in-use", f"Port {port} of {HOST} is taken by another program.")


async def _own_database(cluster: Cluster) -> str:
    connection = await asyncpg.connect(cluster.dsn())
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close()
    return cluster.dsn(DATABASE)


def _environment(folder: Path, port: int, admin_dsn: str) -> dict[str, str]:
    """Return every setting of the world as variables; passwords made once are kept."""
    kept = read_environment(folder) if was_started(folder) else {}
    known = _passwords(kept) if kept else {}
    roles = {role: known.get(role) or secrets.token_urlsafe(PASSWORD_BYTES) for role in LOGIN_ROLES}
    key_file = folder / "master.key"
    if not key_file.exists():
        MasterKey.create_file(key_file)
    environment = {
        "ENVIRONMENT": "development",
        "PUBLIC_URL": f"http://{HOST}:{port}",
        "MASTER_KEY_FILE": str(key_file),
        "BUS_DATABASE_URL": _dsn(admin_dsn, "bus_reader", roles["bus_reader"]),
        "VAULT_DATABASE_URL": _dsn(admin_dsn, "vault_reader", roles["vault_reader"]),
        "SIGNING_DATABASE_URL": _dsn(admin_dsn, SIGNER_ROLE, roles[SIGNER_ROLE]),
        "OUTBOUND_ALLOW_LOOPBACK": "true",
    }
    for name in SERVICES:
        environment[f"{name.upper()}_DATABASE_URL"] = _dsn(admin_dsn, name, roles[name])
    return environment


def _dsn(admin_dsn: str, role: str, password: str) -> str:
    parts = urlsplit(admin_dsn)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{role}:{quote(password, safe='')}@{host}").geturl()


def _passwords(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the password of each role, as its address has it."""
    found: dict[str, str] = {}
    for name, value in environment.items():
        if name.endswith("DATABASE_URL"):
            parts = urlsplit(value)
            found[parts.username or ""] = parts.password or ""
    return found
