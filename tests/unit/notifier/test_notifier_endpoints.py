"""Addresses are judged by their text as the guarded client judges them when it is asked to call."""

from __future__ import annotations

import pytest

from services.notifier.endpoints import demand_callable
from shared.errors import Invalid
from shared.outbound import OutboundClient, OutboundFailure, OutboundLimits

NEVER = [
    "http://hooks.example.org/",
    "https://hooks.example.org:8443/",
    "https://user:secret@hooks.example.org/",
    "https://user@hooks.example.org/",
    "ftp://hooks.example.org/",
    "https:///path",
    "hooks.example.org",
    "https://127.0.0.1/",
    "https://10.0.0.8/",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/",
    "https://[::ffff:192.168.0.1]/",
    "https://[fe80::1]/",
    "https://100.64.1.1/",
    "https://hooks.example.org/" + "a" * 2048,
    "https://ex ample.org/",
    "https://hooks.example.org:99999/",
    "https://-.example.org/",
]


async def no_names(host: str, port: int) -> list[str]:
    raise OSError("a name was asked for")


@pytest.mark.parametrize("url", NEVER)
async def test_what_is_refused_here_is_never_called_either(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        demand_callable(url, allow_loopback=False)
    assert refused.value.code == "subscription-url-refused"
    assert refused.value.reasons
    client = OutboundClient(OutboundLimits(), allow_loopback=False, resolver=no_names)
    with pytest.raises((Invalid, OutboundFailure)):
        await client.request("POST", url, {}, b"{}")
    await client.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/microcred?tenant=1",
        "https://hooks.example.org:443/",
        "https://93.184.215.14/",
        "https://HOOKS.example.org",
    ],
)
@pytest.mark.parametrize("allow_loopback", [True, False])
def test_public_https_addresses_may_be_subscribed(url: str, allow_loopback: bool) -> None:
    demand_callable(url, allow_loopback)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "http://localhost:1/", "https://[::1]:9/"])
def test_loopback_is_for_development_alone(url: str) -> None:
    demand_callable(url, allow_loopback=True)
    with pytest.raises(Invalid):
        demand_callable(url, allow_loopback=False)


def test_the_development_setting_opens_nothing_but_loopback() -> None:
    for url in NEVER:
        if not any(local in url for local in ("127.0.0.1", "[::1]")):
            with pytest.raises(Invalid):
                demand_callable(url, allow_loopback=True)


def test_a_refusal_never_repeats_the_credentials_of_an_address() -> None:
    with pytest.raises(Invalid) as refused:
        demand_callable("https://user:secret@hooks.example.org/", allow_loopback=False)
    assert "secret" not in str(refused.value)
