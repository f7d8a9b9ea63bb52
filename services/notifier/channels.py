"""The two ways out: signed webhooks to partners' endpoints, e-mail through the installation's relay.

A channel makes one attempt and gives an Outcome back; it never retries, never decides what a failure means
for the subscription, and keeps nothing. Webhooks follow Standard Webhooks: an id that stays the same over all
attempts, a timestamp of the attempt, and a signature over both and the body; two secrets sign side by side
while a subscriber rotates. Only 2xx is success, and 410 means never again.

A 5xx about the recipient or the message is final; a 5xx about us (login, sender, greeting) is not, since
giving up would throw away every letter of the night in which a password expired.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import re
import secrets as dice
import ssl
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self

import aiosmtplib

from services.notifier.internet_message import mail_address
from services.notifier.outcomes import ENDPOINT_GONE, Delivered, GiveUp, Outcome, TryLater
from services.notifier.relay import SmtpSettings
from shared.errors import Invalid, Rejected
from shared.outbound import OutboundClient, OutboundFailure, OutboundResponse

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the public prefix that tells what follows it
SECRETS_MAX: Final = 2
RETRY_AFTER_S_MAX: Final = 86_400
MESSAGES_PER_CONNECTION_MAX: Final = 100

_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_THROTTLING: Final = frozenset({429, 502, 503, 504})


def new_webhook_secret() -> str:
    """Make a secret of 32 random bytes in the form that subscribers paste: `whsec_` and base64."""
    return SECRET_PREFIX + base64.b64encode(dice.token_bytes(32)).decode("ascii")


def webhook_signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Sign one message under one secret: `v1,` and base64 of HMAC-SHA-256 over `id.timestamp.body`.

    Raises Invalid("webhook-secret-malformed") unless the secret is `whsec_` with base64 of 24 to 64 bytes,
    and Invalid("webhook-id-malformed") for an id with a full stop or the like, which would make two readings
    of the signed bytes possible.
    """
    if _MESSAGE_ID.fullmatch(message_id) is None:
        raise Invalid("webhook-id-malformed", "a webhook's id has letters, digits, - and _ alone")
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digest = hmac.digest(_secret_bytes(secret), signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode('ascii')}"


def webhook_signatures(secrets: Sequence[str], message_id: str, timestamp_s: int, body: bytes) -> str:
    """Sign under every secret in force, as the header wants it: one signature each, with a space between."""
    if not 0 < len(secrets) <= SECRETS_MAX:
        raise Invalid("webhook-secret-malformed", "a subscription has one secret, or two while rotating")
    return " ".join(webhook_signature(secret, message_id, timestamp_s, body) for secret in secrets)


def _secret_bytes(secret: str) -> bytes:
    malformed = Invalid("webhook-secret-malformed", "a webhook secret is whsec_ and base64 of 24 to 64 bytes")
    if not secret.startswith(SECRET_PREFIX):
        raise malformed
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise malformed from None  # the cause would carry the secret into a log
    if not 24 <= len(key) <= 64:
        raise malformed
    return key


class WebhookChannel:
    """Posts signed JSON to endpoints that subscribers chose, through the guarded client alone."""

    def __init__(self, outbound: OutboundClient) -> None:
        self._outbound = outbound

    async def deliver(
        self, url: str, secrets: Sequence[str], message_id: str, body: bytes, timestamp_s: int
    ) -> Outcome:
        """Make one attempt. `timestamp_s`, Unix seconds, is the attempt's own; id and body never change."""
        try:
            headers = {
                "content-type": "application/json",
                "user-agent": "microcred",
                "webhook-id": message_id,
                "webhook-timestamp": str(timestamp_s),
                "webhook-signature": webhook_signatures(secrets, message_id, timestamp_s, body),
            }
            response = await self._outbound.request("POST", url, headers, body, keep_body=False)
        except Rejected as refused:
            return GiveUp(refused.code)
        except OutboundFailure as failed:
            return TryLater(failed.code)
        return _judge(response, timestamp_s)


def _judge(response: OutboundResponse, now_s: int) -> Outcome:
    status = response.status
    if 200 <= status < 300:
        return Delivered()
    if status == 410:
        return ENDPOINT_GONE
    wait_s = _retry_after(response.headers.get("retry-after"), now_s) if status in _THROTTLING else None
    return TryLater(f"http-{status}", wait_s)


def _retry_after(value: str | None, now_s: int) -> int | None:
    """Read Retry-After (RFC 9110 §10.2.3), seconds or a date, never beyond a day; None where unreadable."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value):
        return min(int(value), RETRY_AFTER_S_MAX)
    try:
        wait_s = int(parsedate_to_datetime(value).timestamp()) - now_s
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0, min(wait_s, RETRY_AFTER_S_MAX))


def relay_trust(settings: SmtpSettings) -> ssl.SSLContext | None:
    """Return the authorities that vouch for the relay, which take long to read; None without encryption."""
    if settings.encryption == "none":
        return None
    authorities = settings.authorities_file
    return ssl.create_default_context(cafile=str(authorities) if authorities else None)


class MailChannel:
    """Hands letters to the relay over one connection, which stays for a batch and ends with `close()`."""

    def __init__(self, settings: SmtpSettings, trust: ssl.SSLContext | None = None) -> None:
        """Reads the password file now: a missing one is found at start, not at the first letter.

        `trust`: what `relay_trust` made of the same settings, for channels that share it.
        """
        self._settings = settings
        self._tls = trust or relay_trust(settings)
        self._password = settings.password_file.read_text().strip() if settings.password_file else None
        self._connection: aiosmtplib.SMTP | None = None
        self._sent_on_connection = 0
        self._turn = asyncio.Lock()  # SMTP is one conversation: letters take turns

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def deliver(self, message: bytes, sender: str, recipient: str) -> Outcome:
        """Make one attempt to hand one message over, for `recipient` alone, whatever its headers say."""
        try:
            envelope = mail_address(sender), mail_address(recipient)
        except Invalid as refused:
            return GiveUp(refused.code)
        async with self._turn:
            try:
                connection = await self._connected()
            except (aiosmtplib.SMTPException, OSError) as failed:
                return _outcome_of_connecting(failed)
            try:
                options = [] if "".join(envelope).isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
                await connection.sendmail(envelope[0], [envelope[1]], message, mail_options=options)
            except (aiosmtplib.SMTPException, OSError) as failed:
                outcome = _outcome_of_sending(failed)
                if isinstance(failed, OSError) or not connection.is_connected:
                    self._drop()  # where the conversation stands is unknown
                return outcome
            except BaseException:
                self._drop()  # given up in the middle: the next letter must not continue this one
                raise
            self._sent_on_connection += 1
            return Delivered()

    async def close(self) -> None:
        """Take leave of the relay. The next letter opens a new connection."""
        async with self._turn:
            await self._leave()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._sent_on_connection >= MESSAGES_PER_CONNECTION_MAX:
            await self._leave()
        if self._connection is not None and self._connection.is_connected:
            return self._connection
        settings = self._settings
        connection = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username,
            password=self._password,
            local_hostname=settings.helo_name,
            timeout=settings.reply_wait_s,
            use_tls=settings.encryption == "tls",
            start_tls=settings.encryption == "starttls",
            tls_context=self._tls,
        )
        await connection.connect(timeout=settings.connect_wait_s)
        self._connection, self._sent_on_connection = connection, 0
        return connection

    async def _leave(self) -> None:
        if self._connection is not None and self._connection.is_connected:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await self._connection.quit(timeout=self._settings.connect_wait_s)
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._sent_on_connection = None, 0


def _outcome_of_connecting(failed: Exception) -> TryLater:
    """What is not about one letter: the relay, the way to it or our login. All worth another attempt."""
    match failed:
        case aiosmtplib.SMTPAuthenticationError():
            return TryLater(f"relay-refused-login-{failed.code}")
        case aiosmtplib.SMTPResponseException():
            return TryLater(f"relay-refused-{failed.code}")
        case TimeoutError():
            return TryLater("relay-timed-out")
        case OSError():
            return TryLater("relay-unreachable")
        case _:  # the library names no narrower class for a relay that lacks STARTTLS or AUTH
            return TryLater("relay-without-tls-or-login")


def _outcome_of_sending(failed: Exception) -> TryLater | GiveUp:
    match failed:
        case aiosmtplib.SMTPRecipientsRefused():
            return _by_code("recipient", failed.recipients[0].code)
        case aiosmtplib.SMTPDataError():
            return _by_code("message", failed.code)
        case aiosmtplib.SMTPSenderRefused():
            return TryLater(f"sender-refused-{failed.code}")
        case aiosmtplib.SMTPNotSupported():
            return GiveUp("relay-without-smtputf8")
        case _:
            return _outcome_of_connecting(failed)


def _by_code(what: str, code: int) -> TryLater | GiveUp:
    """RFC 5321 §4.2.1: 5yz is a permanent answer, 4yz a transient one."""
    return GiveUp(f"{what}-refused-{code}") if code >= 500 else TryLater(f"{what}-deferred-{code}")
