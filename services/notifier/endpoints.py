"""Which addresses may be subscribed: what the guarded client would refuse is refused when it is named.

Judged by its text alone, before any name is resolved: shared/outbound.py judges again, with the addresses in
hand, each time it connects. So a refusal here is a kindness to whoever subscribes, never the protection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from shared.errors import Invalid
from shared.outbound import HTTPS_PORT, URL_CHARS_MAX, is_globally_routable

_HOST_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?")
_UNSAFE: Final = re.compile(r"[^\x21-\x7e]")


def demand_callable(url: str, allow_loopback: bool) -> None:
    """Raise Invalid("subscription-url-refused") with the reasons for an address that is never called.

    `allow_loopback` lets http and free ports through towards `localhost` and loopback addresses alone.
    """
    reasons = tuple(_objections(url, allow_loopback))
    if reasons:
        raise Invalid("subscription-url-refused", "This address cannot be subscribed.", reasons)


def _objections(url: str, allow_loopback: bool) -> Iterator[str]:
    if len(url) > URL_CHARS_MAX:
        yield f"the address is longer than {URL_CHARS_MAX} characters"
    if _UNSAFE.search(url):
        yield "the address has characters that must be percent-encoded"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        yield "the address is not a URL"
        return
    if parts.scheme not in {"http", "https"}:
        yield "only https is called"
    if "@" in parts.netloc:
        yield "the address carries credentials"
    literal = _literal(host)
    if literal is None and _HOST_NAME.fullmatch(host) is None:
        yield "the address has no valid host"
    is_loopback = host == "localhost" or (literal is not None and literal.is_loopback)
    if allow_loopback and is_loopback:
        return
    if parts.scheme == "http":
        yield "http is not encrypted: only https is called"
    if port not in {None, HTTPS_PORT}:
        yield "only port 443 is called"
    if is_loopback or (literal is not None and not is_globally_routable(literal)):
        yield "the host has an address that is not globally routable"


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
