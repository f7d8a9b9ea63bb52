"""Webhook signatures, judged by the reference implementation of Standard Webhooks."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from services.notifier.channels import new_webhook_secret, webhook_signature, webhook_signatures
from shared.errors import Invalid

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"type":"credential.signed","data":{"name":"Zoë"}}'.encode()


def headers(signature: str, now_s: int, message_id: str = "msg_1") -> dict[str, str]:
    return {"webhook-id": message_id, "webhook-timestamp": str(now_s), "webhook-signature": signature}


def test_the_published_example_of_the_standard_comes_out() -> None:
    body = b'{"test": 2432232314}'
    signature = webhook_signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.text(max_size=200), st.integers(0, 4_102_444_800))
def test_every_signature_is_the_one_the_reference_makes(body: str, timestamp_s: int) -> None:
    secret = new_webhook_secret()
    expected = Webhook(secret).sign("msg_1", datetime.fromtimestamp(timestamp_s, UTC), body)
    assert webhook_signature(secret, "msg_1", timestamp_s, body.encode()) == expected


def test_while_rotating_the_holder_of_either_secret_is_satisfied_and_a_stranger_is_not() -> None:
    now_s = int(datetime.now(UTC).timestamp())
    old, new, stranger = new_webhook_secret(), new_webhook_secret(), new_webhook_secret()
    signatures = webhook_signatures([new, old], "msg_1", now_s, BODY)
    assert len(signatures.split(" ")) == 2
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, headers(signatures, now_s))["type"] == "credential.signed"
    for tampered in (headers(signatures, now_s + 1), headers(signatures, now_s, "msg_2")):
        with pytest.raises(WebhookVerificationError):
            Webhook(old).verify(BODY, tampered)
    with pytest.raises(WebhookVerificationError):
        Webhook(stranger).verify(BODY, headers(signatures, now_s))


def test_a_new_secret_has_32_bytes_and_is_new() -> None:
    made = {new_webhook_secret() for _ in range(16)}
    assert len(made) == 16
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in made} == {32}


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        SECRET.removeprefix("whsec_"),
        "whsk_" + SECRET.removeprefix("whsec_"),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        SECRET + "\n",
        SECRET[:-1],
        SECRET + "é",
    ],
)
def test_a_malformed_secret_is_refused_and_not_repeated_to_anybody(secret: str) -> None:
    with pytest.raises(Invalid) as refused:
        webhook_signature(secret, "msg_1", 1, BODY)
    assert refused.value.code == "webhook-secret-malformed"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert not secret or secret not in str(refused.value) or secret == "whsec_"


@pytest.mark.parametrize("message_id", ["", "a.1", "a b", "a\r\nx: y", "é", "a" * 129])
def test_an_id_that_makes_the_signed_bytes_ambiguous_is_refused(message_id: str) -> None:
    with pytest.raises(Invalid) as refused:
        webhook_signature(SECRET, message_id, 1, BODY)
    assert refused.value.code == "webhook-id-malformed"


@pytest.mark.parametrize("count", [0, 3])
def test_a_subscription_has_one_secret_or_two(count: int) -> None:
    with pytest.raises(Invalid):
        webhook_signatures([SECRET] * count, "msg_1", 1, BODY)
