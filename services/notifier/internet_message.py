"""Internet messages (RFC 5322 with MIME), written out so that the same facts always give the same bytes.

The standard library's generator folds headers differently from one Python version to the next, and some
versions lose the quotes of a folded display name, which makes a second recipient out of a comma. Here every
display name and subject beyond plain words becomes encoded words (RFC 2047), whose alphabet has no special
characters at all, and nothing is left to folding. The date, the message's id and with it the MIME boundary
are arguments: a second attempt sends what the first one sent.

Refused, never repaired: control characters and line separators in anything that reaches a header, and
addresses that are not a plain local part and a domain. Internationalised domains are written as A-labels;
a local part beyond ASCII stays as it is and needs a relay that speaks SMTPUTF8 (RFC 6531).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final

import idna

from shared.errors import Invalid

HEADER_CHARS_MAX: Final = 1000
ADDRESS_BYTES_MAX: Final = 254
_ENCODED_WORD_BYTES: Final = 42  # 56 in base64, 68 with =?utf-8?B??=: below the 75 of RFC 2047 §2

_PLAIN_WORDS: Final = re.compile(r"[A-Za-z0-9]+( [A-Za-z0-9]+)*")
_PLAIN_CHARS_MAX: Final = 60
_LOCAL_PART: Final = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}")
_MESSAGE_ID: Final = re.compile(r"<[A-Za-z0-9._+-]{1,120}@[A-Za-z0-9.-]{1,120}>")


@dataclass(frozen=True)
class Letter:
    """One message to one person, in two renderings of the same content.

    `message_id` is the whole value with its angle brackets; `at` has a time zone; `text` and `html` have
    lines that end in LF.
    """

    sender_name: str
    sender_address: str
    recipient_name: str
    recipient_address: str
    subject: str
    message_id: str
    at: datetime
    text: str
    html: str


def write_message(letter: Letter) -> bytes:
    """Give the message as bytes with CRLF line ends, ASCII but for a local part beyond ASCII.

    Raises Invalid("letter-malformed") for anything that cannot stand in a header.
    """
    if _MESSAGE_ID.fullmatch(letter.message_id) is None:
        raise _malformed("the message id is not of the form <left@right>")
    if letter.at.tzinfo is None:
        raise _malformed("the date has no time zone")
    boundary = "=_" + hashlib.sha256(letter.message_id.encode()).hexdigest()[:32]
    lines = [
        f"Date: {format_datetime(letter.at)}",
        f"From: {_mailbox(letter.sender_name, letter.sender_address)}",
        f"To: {_mailbox(letter.recipient_name, letter.recipient_address)}",
        f"Subject: {_words(letter.subject, 'subject')}",
        f"Message-ID: {letter.message_id}",
        "Auto-Submitted: auto-generated",  # RFC 3834: no out-of-office reply is due
        "MIME-Version: 1.0",
        "Content-Language: en",
        f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"',
        "",
        *_part(boundary, "plain", letter.text),
        *_part(boundary, "html", letter.html),
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode()


def mail_address(address: str) -> str:
    """Give an e-mail address in the form for the wire: its domain as A-labels (RFC 5891), in lower case.

    Raises Invalid("address-malformed") for what is not `local-part@domain`. Quoted local parts and address
    literals are refused: no learner has one, and both are ways to smuggle a second address in.
    """
    local_part, at_sign, domain = address.rpartition("@")
    malformed = Invalid("address-malformed", "this is not an e-mail address that can be written to")
    if not at_sign or _LOCAL_PART.fullmatch(local_part) is None:
        raise malformed
    if any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in local_part):
        raise malformed
    try:
        ascii_domain = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as cause:
        raise malformed from cause
    wire = f"{local_part}@{ascii_domain}"
    if len(wire.encode()) > ADDRESS_BYTES_MAX:
        raise malformed
    return wire


def _malformed(why: str) -> Invalid:
    return Invalid("letter-malformed", "the letter cannot be written as a message", (why,))


def _mailbox(name: str, address: str) -> str:
    return f"{_words(name, 'name')}\r\n <{mail_address(address)}>"


def _words(text: str, what: str) -> str:
    """Write header text as plain words where it is that, as encoded words on lines of their own where not."""
    if not text.strip() or len(text) > HEADER_CHARS_MAX:
        raise _malformed(f"the {what} is empty or too long")
    if any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in text):
        raise _malformed(f"the {what} has a control character")
    if len(text) <= _PLAIN_CHARS_MAX and _PLAIN_WORDS.fullmatch(text):
        return text
    chunks = [b""]
    for character in text:  # RFC 2047 §5: no character is split between two encoded words
        encoded = character.encode()
        if len(chunks[-1]) + len(encoded) > _ENCODED_WORD_BYTES:
            chunks.append(b"")
        chunks[-1] += encoded
    return "\r\n ".join(f"=?utf-8?B?{base64.b64encode(chunk).decode()}?=" for chunk in chunks)


def _part(boundary: str, subtype: str, content: str) -> list[str]:
    """One rendering as quoted-printable, which crosses relays that know neither 8-bit text nor long lines."""
    encoded = binascii.b2a_qp(content.encode(), istext=True).decode("ascii")
    return [
        f"--{boundary}",
        f"Content-Type: text/{subtype}; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
        "",
        encoded.replace("\n", "\r\n"),
    ]
