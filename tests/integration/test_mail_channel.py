"""The mail channel against a real relay on loopback: what arrives, and what each refusal means."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.notifier.channels import MESSAGES_PER_CONNECTION_MAX, MailChannel
from services.notifier.letters import LetterFacts, credential_signed_letter
from services.notifier.outcomes import Delivered, GiveUp, Outcome, TryLater
from services.notifier.relay import SmtpSettings
from tests.integration.loopback_server import cut

SENDER, LEARNER = "no-reply@credentials.example", "zoe@example.org"
LETTER = credential_signed_letter(
    LetterFacts(
        learner_name="Zoë Ångström",
        learner_email=LEARNER,
        achievement_name="Data Literacy",
        issuer_name="Example University",
        credential_url="https://credentials.example/credentials/1",
        at=datetime(2026, 11, 12, 8, 0, tzinfo=UTC),
        message_id="<0198c0de@credentials.example>",
        sender=SENDER,
    )
)
OK = "250 OK"


@dataclass
class Relay:
    """A mail relay (aiosmtpd) that answers each command as the test tells it to and keeps what it accepts."""

    answers: dict[str, str] = field(default_factory=dict)
    accepted: list[tuple[str, str, bytes]] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    connections: int = 0
    encrypted: list[bool] = field(default_factory=list)
    on_data: Callable[[SMTP], None] = lambda _server: None
    port: int = 0

    def settings(self, **changes: Any) -> SmtpSettings:
        return dataclasses.replace(
            SmtpSettings(host="localhost", port=self.port, encryption="none", helo_name="localhost"),
            **changes,
        )

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get("MAIL", OK)
        if answer == OK:
            envelope.mail_from = address
            self.options = options
        return answer

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get(address, OK)
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.on_data(server)
        answer = self.answers.get("DATA", OK)
        if answer == OK:
            assert isinstance(envelope.content, bytes)
            assert envelope.mail_from is not None
            [recipient] = envelope.rcpt_tos
            self.accepted.append((envelope.mail_from, recipient, envelope.content))
            self.encrypted.append(session.ssl is not None)
        return answer


@contextlib.asynccontextmanager
async def relaying(tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[Relay]:
    """Serve SMTP on a free port of loopback; `tls` encrypts from the first byte."""
    relay = Relay()
    protocols: list[SMTP] = []

    def conversation() -> SMTP:
        relay.connections += 1
        options.setdefault("enable_SMTPUTF8", True)
        protocols.append(SMTP(relay, loop=asyncio.get_running_loop(), hostname="relay.example", **options))
        return protocols[-1]

    server = await asyncio.get_running_loop().create_server(conversation, "127.0.0.1", 0, ssl=tls)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        for protocol in protocols:
            if protocol.transport is not None:
                cut(protocol.transport)


async def test_a_letter_arrives_byte_for_byte_and_reads_as_mail() -> None:
    async with relaying() as relay, MailChannel(relay.settings()) as mail:
        assert await mail.deliver(LETTER, SENDER, LEARNER) == Delivered()
    [(sender, recipient, content)] = relay.accepted
    assert (sender, recipient, content) == (SENDER, LEARNER, LETTER)
    message = message_from_bytes(content, policy=policy.default)
    assert message["Subject"] == "Your micro-credential: Data Literacy"


async def test_a_batch_goes_over_one_connection_and_a_later_batch_over_another() -> None:
    async with relaying() as relay:
        mail = MailChannel(relay.settings())
        for _ in range(2):
            outcomes = [await mail.deliver(LETTER, SENDER, f"learner-{n}@example.org") for n in range(5)]
            await mail.close()
            assert outcomes == [Delivered()] * 5
    assert (relay.connections, len(relay.accepted)) == (2, 10)


async def test_a_connection_is_changed_after_its_limit_of_messages() -> None:
    async with relaying() as relay, MailChannel(relay.settings()) as mail:
        for _ in range(MESSAGES_PER_CONNECTION_MAX + 1):
            assert await mail.deliver(b"Subject: x\r\n\r\nx\r\n", SENDER, LEARNER) == Delivered()
    assert (relay.connections, len(relay.accepted)) == (2, MESSAGES_PER_CONNECTION_MAX + 1)


async def test_letters_handed_over_at_once_take_turns() -> None:
    async with relaying() as relay, MailChannel(relay.settings()) as mail:
        sent = [mail.deliver(LETTER, SENDER, f"learner-{n}@example.org") for n in range(10)]
        assert await asyncio.gather(*sent) == [Delivered()] * 10
    assert relay.connections == 1
    assert {recipient for _, recipient, _ in relay.accepted} == {
        f"learner-{n}@example.org" for n in range(10)
    }


@pytest.mark.parametrize(
    ("command", "answer", "outcome"),
    [
        (LEARNER, "550 5.1.1 no such user zoe@example.org", GiveUp("recipient-refused-550")),
        (LEARNER, "553 5.1.3 bad mailbox", GiveUp("recipient-refused-553")),
        (LEARNER, "450 4.2.1 greylisted", TryLater("recipient-deferred-450")),
        (LEARNER, "452 4.2.2 mailbox full", TryLater("recipient-deferred-452")),
        ("DATA", "554 5.7.1 refused as spam", GiveUp("message-refused-554")),
        ("DATA", "451 4.3.0 try again", TryLater("message-deferred-451")),
        ("MAIL", "550 5.7.1 sender not allowed", TryLater("sender-refused-550")),
        ("MAIL", "451 4.3.0 later", TryLater("sender-refused-451")),
    ],
)
async def test_what_each_refusal_means_and_that_the_next_letter_still_goes(
    command: str, answer: str, outcome: Outcome
) -> None:
    async with relaying() as relay, MailChannel(relay.settings()) as mail:
        relay.answers[command] = answer
        assert await mail.deliver(LETTER, SENDER, LEARNER) == outcome
        relay.answers.clear()
        assert await mail.deliver(LETTER, SENDER, "other@example.org") == Delivered()
    assert [recipient for _, recipient, _ in relay.accepted] == ["other@example.org"]
    assert relay.connections == 1


async def test_a_relay_that_hangs_up_in_the_middle_is_tried_later_and_reached_again() -> None:
    async with relaying() as relay, MailChannel(relay.settings()) as mail:

        def hang_up(server: SMTP) -> None:
            assert server.transport is not None
            server.transport.abort()

        relay.on_data, relay.answers["DATA"] = hang_up, "451 gone"
        assert await mail.deliver(LETTER, SENDER, LEARNER) == TryLater("relay-unreachable")
        relay.on_data, relay.answers = lambda _server: None, {}
        assert await mail.deliver(LETTER, SENDER, LEARNER) == Delivered()
    assert relay.connections == 2


async def test_a_relay_that_is_not_there_is_tried_later() -> None:
    async with relaying() as relay:
        settings = relay.settings()
    async with MailChannel(settings) as mail:
        assert await mail.deliver(LETTER, SENDER, LEARNER) == TryLater("relay-unreachable")


@pytest.mark.parametrize(
    ("greeting", "outcome"),
    [
        (b"", TryLater("relay-timed-out")),
        (b"220 relay.example\r\n", TryLater("relay-timed-out")),
        (b"554 5.3.2 not today\r\n", TryLater("relay-refused-554")),
        (b"421 4.3.2 closing\r\n", TryLater("relay-refused-421")),
    ],
)
async def test_a_relay_that_greets_badly_or_falls_silent_is_tried_later(
    greeting: bytes, outcome: Outcome
) -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    waits = {"connect_wait_s": 0.2, "reply_wait_s": 0.2}
    settings = SmtpSettings(host="127.0.0.1", port=port, encryption="none", helo_name="x", **waits)
    async with MailChannel(settings) as mail:
        assert await mail.deliver(LETTER, SENDER, LEARNER) == outcome
    server.close()


async def test_a_letter_given_up_in_the_middle_never_runs_into_the_next_one() -> None:
    async with relaying() as relay, MailChannel(relay.settings()) as mail:
        sending: asyncio.Task[Outcome]
        relay.on_data = lambda _server: sending.cancel() and None
        sending = asyncio.create_task(mail.deliver(LETTER, SENDER, LEARNER))
        with pytest.raises(asyncio.CancelledError):
            await sending
        relay.on_data = lambda _server: None
        assert await mail.deliver(LETTER, SENDER, "other@example.org") == Delivered()
    assert relay.accepted[-1][1] == "other@example.org"
    assert relay.connections == 2


@pytest.mark.parametrize(
    "recipient",
    ["zoe@example.org>\r\nRCPT TO:<eve@evil.example", "zoe@example.org\nX", "zoe", "a b@example.org", ""],
)
async def test_an_address_that_would_add_a_command_is_given_up_without_a_connection(recipient: str) -> None:
    async with relaying() as relay, MailChannel(relay.settings()) as mail:
        assert await mail.deliver(LETTER, SENDER, recipient) == GiveUp("address-malformed")
    assert relay.connections == 0


async def test_international_addresses_travel_as_a_labels_or_by_smtputf8() -> None:
    async with relaying() as relay, MailChannel(relay.settings()) as mail:
        assert await mail.deliver(LETTER, SENDER, "zoe@bücher.example") == Delivered()
        assert not {"SMTPUTF8"} & set(relay.options)
        assert await mail.deliver(LETTER, SENDER, "zoë@bücher.example") == Delivered()
        assert "SMTPUTF8" in relay.options
    recipients = [recipient for _, recipient, _ in relay.accepted]
    assert recipients == ["zoe@xn--bcher-kva.example", "zoë@xn--bcher-kva.example"]


async def test_a_relay_without_smtputf8_cannot_take_such_an_address_now_or_later() -> None:
    async with relaying(enable_SMTPUTF8=False) as relay, MailChannel(relay.settings()) as mail:
        assert await mail.deliver(LETTER, SENDER, "zoë@example.org") == GiveUp("relay-without-smtputf8")
        assert await mail.deliver(LETTER, SENDER, LEARNER) == Delivered()


# --- mail under encryption ----------------------------------------------------------------------------


@dataclass
class Certified:
    """A server context for `localhost`, and the file that makes a client trust it."""

    server: ssl.SSLContext
    authorities_file: Path


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    key, start = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) - timedelta(minutes=1)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(
            issuer_name=name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=start,
            not_valid_after=start + timedelta(hours=1),
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, chain = tmp_path / "trusted.pem", tmp_path / "chain.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(private + trusted.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return Certified(context, trusted)


async def test_starttls_with_a_login_and_tls_from_the_first_byte_deliver(
    certified: Certified, tmp_path: Path
) -> None:
    password_file = tmp_path / "password"
    password_file.write_text("correct horse\n")
    seen: list[LoginPassword] = []

    def authenticate(server: SMTP, session: Session, envelope: Envelope, kind: str, given: Any) -> AuthResult:
        seen.append(given)
        return AuthResult(success=given == LoginPassword(b"relay-user", b"correct horse"), handled=False)

    trust = {"authorities_file": certified.authorities_file}
    login = {"username": "relay-user", "password_file": password_file}
    demanded = {"tls_context": certified.server, "require_starttls": True, "authenticator": authenticate}
    async with relaying(auth_required=True, **demanded) as relay:
        async with MailChannel(relay.settings(encryption="starttls", **trust, **login)) as mail:
            assert await mail.deliver(LETTER, SENDER, LEARNER) == Delivered()
        assert relay.encrypted == [True]
        password_file.write_text("battery staple\n")
        async with MailChannel(relay.settings(encryption="starttls", **trust, **login)) as mail:
            assert await mail.deliver(LETTER, SENDER, LEARNER) == TryLater("relay-refused-login-535")
    assert len(seen) >= 2
    async with (
        relaying(tls=certified.server) as relay,
        MailChannel(relay.settings(encryption="tls", **trust)) as mail,
    ):
        assert await mail.deliver(LETTER, SENDER, LEARNER) == Delivered()


async def test_a_relay_without_starttls_or_with_a_strange_certificate_gets_no_letter(
    certified: Certified,
) -> None:
    async with relaying() as relay, MailChannel(relay.settings(encryption="starttls")) as mail:
        assert await mail.deliver(LETTER, SENDER, LEARNER) == TryLater("relay-without-tls-or-login")
        assert relay.accepted == []
    async with relaying(tls_context=certified.server) as relay:
        async with MailChannel(relay.settings(encryption="starttls")) as mail:
            assert await mail.deliver(LETTER, SENDER, LEARNER) == TryLater("relay-unreachable")
        assert relay.accepted == []
    async with relaying(tls=certified.server) as relay:
        async with MailChannel(relay.settings(encryption="tls")) as mail:
            assert await mail.deliver(LETTER, SENDER, LEARNER) == TryLater("relay-unreachable")
        assert relay.accepted == []


def test_neither_settings_nor_channel_show_a_password(tmp_path: Path) -> None:
    password_file = tmp_path / "password"
    password_file.write_text("correct horse\n")
    settings = SmtpSettings("localhost", 25, username="relay-user", password_file=password_file)
    shown = repr(settings) + repr(MailChannel(settings)) + str(MailChannel(settings))
    assert "horse" not in shown
    assert base64.b64encode(b"correct horse").decode() not in shown
