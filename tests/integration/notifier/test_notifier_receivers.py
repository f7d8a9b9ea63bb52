"""The development receivers judge what they get by themselves, and keep what they say they keep."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx2
import pytest
from standardwebhooks.webhooks import Webhook

from services.receivers import Mailbox, PartnerEndpoint
from shared.clock import now

SECRET = "whsec_" + "A" * 40
BODY = '{"type":"credential.signed","data":{"credential_id":"c"}}'


def signed(at: Any, body: str = BODY, secret: str = SECRET) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body),
    }


async def post(partner: PartnerEndpoint, headers: dict[str, str], body: str = BODY) -> int:
    async with httpx2.AsyncClient(trust_env=False) as http:
        return (await http.post(partner.url, content=body, headers=headers)).status_code


async def test_a_partner_takes_what_the_reference_library_signed_and_refuses_everything_else(
    partner: PartnerEndpoint,
) -> None:
    assert await post(partner, signed(now())) == 401  # no secret is trusted yet
    partner.trust(SECRET)
    good = signed(now())
    assert await post(partner, good) == 204
    assert await post(partner, good | {"webhook-signature": f"v1,AAAA {good['webhook-signature']}"}) == 204
    refused = [
        (good, BODY.replace('"c"', '"d"')),
        (good | {"webhook-id": "msg_2"}, BODY),
        (good | {"webhook-signature": "v1,"}, BODY),
        (signed(now(), secret="whsec_" + "B" * 40), BODY),
        (signed(now() - timedelta(minutes=6)), BODY),
        (good | {"webhook-timestamp": "soon"}, BODY),
    ]
    for headers, body in refused:
        assert await post(partner, headers, body) == 401
    assert [each.verified for each in partner.received] == [False, True, True, *[False] * len(refused)]
    assert partner.delivery_about("c", "credential.signed").as_json()["body"] == BODY
    for absent in (("d", "credential.signed"), ("c", "credential.revoked")):
        with pytest.raises(LookupError):
            partner.delivery_about(*absent)


async def test_a_mailbox_keeps_files_over_restarts_and_refuses_as_often_as_told(tmp_path: Path) -> None:
    letter = b"Subject: Hello\r\n\r\nSee https://example.org/credentials/=\r\n1 now\r\n"
    for run in (1, 2):
        async with Mailbox(tmp_path) as mailbox:
            mailbox.refuse(1, "451 4.3.0 Try later")
            async with aiosmtplib.SMTP(hostname="127.0.0.1", port=mailbox.port, start_tls=False) as relay:
                with pytest.raises(aiosmtplib.SMTPDataError):
                    await relay.sendmail("a@example.org", ["b@example.org"], letter)
                await relay.sendmail("a@example.org", ["b@example.org"], letter)
            [message] = mailbox.messages
            assert message.path == tmp_path / f"{run:06d}.eml"
            assert message.path.read_bytes() == message.content == letter
            assert message.recipients == ("b@example.org",)
            assert mailbox.message_naming("https://example.org/credentials/1") == letter
            with pytest.raises(LookupError):
                mailbox.message_naming("https://example.org/credentials/2")
