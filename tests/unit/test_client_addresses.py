"""A rate limit counts clients by address, and an IPv6 household as one."""

from __future__ import annotations

import pytest
from fastapi import Request

from shared.http import client_of


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_its_address_or_its_ipv6_network(host: str, counted: str) -> None:
    assert client_of(Request({"type": "http", "client": (host, 1)})) == counted


def test_one_without_an_address_is_counted_with_the_others_without() -> None:
    assert client_of(Request({"type": "http", "client": None})) == ""
