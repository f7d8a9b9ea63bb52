"""Which targets the outbound client refuses before a single packet leaves."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid, Oversized
from shared.outbound import URL_CHARS_MAX, OutboundClient, OutboundLimits, is_globally_routable

REFUSED_TEXT = """
    0.0.0.0 10.1.2.3 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16 169.254.169.254
    172.16.0.1 172.31.255.255 192.0.0.8 192.0.0.170 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1
    198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
    :: ::1 ::7f00:1 ::808:808 fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd00:ec2::254 ff02::1 100::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
    64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::a00:1 64:ff9b:1::808:808
    2001::1 2001:0:53aa:64c:0:fbfe:3ffe:3ffe 2001:2::1 2001:10::1 2001:db8::1 3fff::1 5f00::1
    2002:7f00:1:: 2002:808:808::1 4000::1
"""

ACCEPTED_TEXT = """
    1.1.1.1 8.8.8.8 93.184.215.14 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 192.0.1.1
    223.255.255.255 2606:4700::1111 2a00:1450:4001::200e 2001:4860:4860::8888 ::ffff:8.8.8.8 64:ff9b::808:808
"""


async def never_asked(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"the resolver was asked for {host}:{port}")


def client(allow_loopback: bool = False) -> OutboundClient:
    return OutboundClient(OutboundLimits(), allow_loopback, resolver=never_asked)


@pytest.mark.parametrize("address", REFUSED_TEXT.split())
def test_an_address_that_may_lead_inside_is_not_globally_routable(address: str) -> None:
    assert not is_globally_routable(ip_address(address))


@pytest.mark.parametrize("address", ACCEPTED_TEXT.split())
def test_a_public_address_is_globally_routable(address: str) -> None:
    assert is_globally_routable(ip_address(address))


@given(st.integers(0, 2**32 - 1))
def test_an_address_wrapped_in_another_form_is_judged_like_the_address(number: int) -> None:
    plain = IPv4Address(number)
    mapped, translated = IPv6Address((0xFFFF << 32) | number), IPv6Address((0x64FF9B << 96) | number)
    assert is_globally_routable(mapped) == is_globally_routable(translated) == is_globally_routable(plain)


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/",
        "http://partner.example:443/",
        "ftp://partner.example/",
        "file:///etc/hostname",
        "//partner.example/",
        "partner.example",
        "",
        "https:///path",
        "https://partner.example:8443/",
        "https://partner.example:80/",
        "https://partner.example:0/",
        "https://partner.example:65536/",
        "https://user:secret@partner.example/",
        "https://user@partner.example/",
        "https://partner example/",
        "https://partner%2eexample/",
        "https://partner.example\r\nHost: inside/",
        "https://[::1%25lo]/",
        "https://-partner.example-/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://10.0.0.1/",
        "https://partner.example/" + "a" * URL_CHARS_MAX,
    ],
)
async def test_a_refused_target_is_refused_without_asking_a_resolver(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client().request("POST", url, {}, b"{}")
    assert refused.value.code == "address-refused"
    assert url not in str(refused.value) or not url


async def test_loopback_allowed_is_loopback_alone_and_no_other_private_address() -> None:
    for url in (
        "https://10.0.0.1/",
        "http://10.0.0.1:8080/",
        "http://1.1.1.1/",
        "http://1.1.1.1:443/",
        "https://1.1.1.1:8443/",
    ):
        with pytest.raises(Invalid) as refused:
            await client(allow_loopback=True).request("GET", url, {}, b"")
        assert refused.value.code == "address-refused"


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection"])
async def test_a_caller_cannot_set_the_headers_that_frame_the_message(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client().request("POST", "https://1.1.1.1/", {name: "x"}, b"{}")
    assert refused.value.code == "request-malformed"


async def test_a_body_over_the_limit_is_not_sent() -> None:
    body = bytes(OutboundLimits().request_bytes_max + 1)
    with pytest.raises(Oversized):
        await client().request("POST", "https://1.1.1.1/", {}, body)


def test_a_client_that_does_not_verify_certificates_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="verifies"):
        OutboundClient(OutboundLimits(), False, ssl_context=httpx2.create_ssl_context(verify=False))
    lax = ssl.create_default_context()
    lax.check_hostname = False
    with pytest.raises(ValueError, match="verifies"):
        OutboundClient(OutboundLimits(), False, ssl_context=lax)
