"""Asks processes of our own, which answer plain HTTP on this machine."""

from __future__ import annotations

import ssl
from typing import Any

import httpx2

NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Vouches for no server: none is asked under https, and the usual authorities cost every client 50 ms."""


def loopback_client(**options: Any) -> httpx2.AsyncClient:
    """Return a client that no proxy of the environment gets between; `options` are AsyncClient's."""
    return httpx2.AsyncClient(verify=NOBODY, trust_env=False, **options)
