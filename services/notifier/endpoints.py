"""Which addresses may be subscribed: what the guarded client would refuse is refused when it is named.

Judged by its text alone, before any name is resolved: shared/outbound.py judges again, with the addresses in
hand, each time it connects. So a refusal here is a kindness to whoever subscribes, never the protection.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from shared.errors import Invalid
from shared.outbound import HTTPS_PORT, URL_CHARS_MAX, is_globally_routable

_HOST_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?")
_UNSAFE: Final = re.compile(r"[^\x21-\x7e]")


def demand_callable(url: str, allow_loopback: bool) -> None:
    """Raise Invalid("subscription-url-refused") with the reason for an address that is never called.

    `allow_loopback` lets http and free ports through towards `localhost` and loopback addresses alone.
    """
    reason = _objection(url, allow_loopback)
    if reason is not None:
        raise Invalid("subscription-url-refused", "This address cannot be subscribed.", (reason,))


def _objection(url: str, allow_loopback: bool) -> str | None:
    if len(url) > URL_CHARS_MAX:
        return f"the address is longer than {URL_CHARS_MAX} characters"
    if _UNSAFE.search(url):
        return "the address has characters that must be percent-encoded"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "the address is not a URL"
    if parts.scheme not in {"http", "https"}:
        return "only https is called"
    if "@" in parts.netloc:
        return "the address carries credentials"
    try:
        literal = ip_address(host)
    except ValueError:
        literal = None
        if _HOST_NAME.fullmatch(host) is None:
            return "the address has no valid host"
    if allow_loopback and (host == "localhost" or (literal is not None and literal.is_loopback)):
        return None
    if parts.scheme != "https":
        return "http is not encrypted: only https is called"
    if port not in {None, HTTPS_PORT}:
        return "only port 443 is called"
    if host == "localhost" or (literal is not None and not is_globally_routable(literal)):
        return "the host has an address that is not globally routable"
    return None
