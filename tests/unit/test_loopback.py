"""The client for processes of our own: under https it would believe nobody."""

from __future__ import annotations

import ssl

from shared.loopback import NOBODY


def test_under_https_no_certificate_at_all_is_believed() -> None:
    assert NOBODY.verify_mode == ssl.CERT_REQUIRED
    assert NOBODY.check_hostname
    assert NOBODY.cert_store_stats()["x509"] == 0
