"""The learner's letters: the same bytes each time, nothing smuggled in, read back as a mail client does."""

from __future__ import annotations

import dataclasses
import locale
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.internet_message import mail_address
from services.notifier.letters import LetterFacts, credential_revoked_letter, credential_signed_letter
from shared.errors import Invalid

FACTS = LetterFacts(
    learner_name="Zoë Ångström-Nguyễn 王",
    learner_email="zoe@example.org",
    achievement_name="Data Literacy: Fundamentals, Part “A” & B",
    issuer_name="Université d'Été",
    credential_url="https://credentials.example/credentials/0198?a=1&b=2",
    at=datetime(2026, 11, 12, 23, 30, tzinfo=timezone(timedelta(hours=-2))),
    message_id="<0198c0de-0000-8000-8000-000000000001@credentials.example>",
    sender="no-reply@credentials.example",
)
LETTERS = [credential_signed_letter, credential_revoked_letter]


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def content(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def people(raw: bytes, header: str) -> list[tuple[str, str]]:
    """Names and addresses in a header; by RFC 2047 no space arises between neighbouring encoded words."""
    line = message_from_bytes(raw, policy=policy.compat32)[header]
    return [(str(make_header(decode_header(name))), address) for name, address in getaddresses([line])]


class Page(HTMLParser):
    """What a reader of the HTML sees and may follow or fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: set[str] = set()
        self.fetched: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links |= {str(value) for name, value in attrs if name == "href"}
        self.fetched += [str(value) for name, value in attrs if name in {"src", "background", "data"}]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("letter", LETTERS)
def test_a_letter_reads_back_with_every_fact(letter: type) -> None:
    message = parsed(letter(FACTS))
    assert people(letter(FACTS), "To") == [(FACTS.learner_name, FACTS.learner_email)]
    assert people(letter(FACTS), "From") == [(FACTS.issuer_name, FACTS.sender)]
    assert FACTS.achievement_name in message["Subject"]
    assert message["Message-ID"] == FACTS.message_id
    assert message["Date"].datetime == FACTS.at
    assert message["Auto-Submitted"] == "auto-generated"
    text, page = content(message, "plain"), Page(content(message, "html"))
    for fact in (FACTS.learner_name, FACTS.achievement_name, FACTS.issuer_name, FACTS.credential_url):
        assert fact in text
        assert fact in page.text
    assert page.links == {FACTS.credential_url}
    assert "13 November 2026" in text  # in UTC, whatever zone the fact came in
    assert "13 November 2026" in page.text


def test_a_revocation_gives_its_reason_in_both_renderings_where_there_is_one() -> None:
    with_reason = dataclasses.replace(FACTS, reason="Plagiarism <found> & proven")
    message = parsed(credential_revoked_letter(with_reason))
    assert "Plagiarism <found> & proven" in content(message, "plain")
    assert "Plagiarism <found> & proven" in Page(content(message, "html")).text
    without = parsed(credential_revoked_letter(FACTS))
    assert "Reason given" not in content(without, "plain") + content(without, "html")


@pytest.mark.parametrize("letter", LETTERS)
def test_the_same_facts_give_the_same_bytes_and_another_id_another_boundary(letter: type) -> None:
    assert letter(FACTS) == letter(dataclasses.replace(FACTS))
    other = dataclasses.replace(FACTS, message_id="<other@credentials.example>")
    boundaries = {parsed(letter(facts)).get_boundary() for facts in (FACTS, other)}
    assert len(boundaries) == 2


def test_a_letter_is_the_same_in_every_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, before = credential_signed_letter(FACTS), locale.setlocale(locale.LC_ALL)
    monkeypatch.setenv("LC_ALL", "C")
    locale.setlocale(locale.LC_ALL, "C")
    try:
        assert credential_signed_letter(FACTS) == plain
    finally:
        locale.setlocale(locale.LC_ALL, before)


def test_a_letter_is_seven_bit_with_short_lines_and_crlf_alone() -> None:
    raw = credential_signed_letter(dataclasses.replace(FACTS, achievement_name="Ünïcødé " * 100))
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 78


@pytest.mark.parametrize(
    "hidden", ["\r\nBcc: eve@evil.example", "\nX: y", "\r", "\x00", "\u2028", "\x85", "\x1b"]
)
@pytest.mark.parametrize("field", ["learner_name", "achievement_name", "issuer_name"])
def test_a_control_character_in_a_header_fact_is_refused(field: str, hidden: str) -> None:
    with pytest.raises(Invalid) as refused:
        credential_signed_letter(dataclasses.replace(FACTS, **{field: f"Ada{hidden}"}))
    assert refused.value.code == "letter-malformed"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("message_id", "no-brackets@x", "letter-malformed"),
        ("message_id", "<a@b>\r\nX: y", "letter-malformed"),
        ("message_id", "<a b@c>", "letter-malformed"),
        ("credential_url", "javascript:alert(1)", "letter-malformed"),
        ("credential_url", "https://x/\r\nBcc: eve@evil.example", "letter-malformed"),
        ("credential_url", 'https://x/"onclick="', "letter-malformed"),
        ("learner_name", "  ", "letter-malformed"),
        ("learner_name", "A" * 1001, "letter-malformed"),
        ("at", datetime(2026, 1, 1), "letter-malformed"),  # noqa: DTZ001 - the missing zone is the point
        ("learner_email", "ada@example.org\r\nBcc: eve@evil.example", "address-malformed"),
        ("sender", "a@b, c@d", "address-malformed"),
    ],
)
def test_a_fact_that_cannot_stand_in_a_message_is_refused(field: str, value: object, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        credential_signed_letter(dataclasses.replace(FACTS, **{field: value}))
    assert refused.value.code == code


@pytest.mark.parametrize(
    "name",
    [
        "Doe, Jane <eve@evil.example>",
        'Ada "the first" Lovelace; eve@evil.example',
        "=?utf-8?q?hidden?=",
        "Dr. " + "Müller, " * 60,
        "a@b.example,c@d.example",
        "(comment) \\ Ada",
        "شيرين عبد الوهاب",
    ],
)
def test_no_name_becomes_a_second_recipient_or_another_name(name: str) -> None:
    facts = dataclasses.replace(FACTS, learner_name=name)
    raw = credential_signed_letter(facts)
    assert people(raw, "To") == [(name, FACTS.learner_email)]
    assert [each.addr_spec for each in parsed(raw)["To"].addresses] == [FACTS.learner_email]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=120))
def test_every_printable_name_reads_back_and_nothing_else_is_there(name: str) -> None:
    facts = dataclasses.replace(FACTS, learner_name=f"x{name}", achievement_name=f"y{name}")
    raw = credential_signed_letter(facts)
    message = parsed(raw)
    assert people(raw, "To") == [(f"x{name}", FACTS.learner_email)]
    assert len(message["To"].addresses) == 1
    assert message["Subject"] == f"Your micro-credential: y{name}"
    assert f"Dear x{name}," in content(message, "plain")
    assert f"x{name}" in Page(content(message, "html")).text


def test_markup_in_a_fact_is_shown_and_not_obeyed() -> None:
    attack = '<script>alert(1)</script><img src="https://evil.example/x">{url}&amp;'
    fields = dict.fromkeys(("learner_name", "achievement_name", "issuer_name", "reason"), attack)
    marked = Page(content(parsed(credential_revoked_letter(dataclasses.replace(FACTS, **fields))), "html"))
    plain = Page(content(parsed(credential_revoked_letter(dataclasses.replace(FACTS, reason="r"))), "html"))
    assert marked.tags == plain.tags
    assert marked.text.count(attack) >= 4


@pytest.mark.parametrize("letter", LETTERS)
def test_opening_a_letter_fetches_nothing_and_runs_nothing(letter: type) -> None:
    html = content(parsed(letter(FACTS)), "html")
    page = Page(html)
    assert page.fetched == []
    assert not {"script", "img", "link", "iframe", "form", "style"} & set(page.tags)
    assert "url(" not in html


@pytest.mark.parametrize(
    ("given_address", "wire"),
    [
        ("ada@example.org", "ada@example.org"),
        ("Ada.L+mc@EXAMPLE.org", "Ada.L+mc@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("zoë@example.org", "zoë@example.org"),
        ("o'brien@example.org", "o'brien@example.org"),
        ("ada@localhost", "ada@localhost"),
    ],
)
def test_an_address_is_written_with_its_domain_as_a_labels(given_address: str, wire: str) -> None:
    assert mail_address(given_address) == wire


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "a@b@example.org",
        "ada lovelace@example.org",
        '"ada l"@example.org',
        "<ada@example.org>",
        "ada@example.org>",
        "ada@example.org\r\nRCPT TO:<eve@evil.example>",
        "ada\r\n@example.org",
        "ada@[127.0.0.1]",
        "ada@exa mple.org",
        "ada@example..org",
        "ada@-example.org",
        "ada@exa_mple.org",
        "ada\u202e@example.org",
        "a" * 65 + "@example.org",
        "ada@" + ("a" * 60 + ".") * 5 + "org",
    ],
)
def test_what_is_not_plainly_one_address_is_refused(address: str) -> None:
    with pytest.raises(Invalid) as refused:
        mail_address(address)
    assert refused.value.code == "address-malformed"


def test_a_local_part_beyond_ascii_stands_in_the_header_as_it_is() -> None:
    raw = credential_signed_letter(dataclasses.replace(FACTS, learner_email="zoë@bücher.example"))
    assert "<zoë@xn--bcher-kva.example>".encode() in raw


def test_the_date_header_keeps_the_moment() -> None:
    at = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    raw = credential_signed_letter(dataclasses.replace(FACTS, at=at))
    assert raw.startswith(b"Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n")
