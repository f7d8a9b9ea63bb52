"""The letters a learner gets: one when a credential is signed, one when it is revoked.

Pure rendering: facts in, the bytes of a whole message out, the same for the same facts. Each letter says the
same thing twice, as text and as HTML that mail clients show alike (tables, inline styles, no image, no
script, nothing fetched: opening a letter tells nobody). Every fact is escaped where it stands.

Refused: an address of the credential that is not http(s), and whatever internet_message.py refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

from services.notifier.internet_message import Letter, write_message
from shared.errors import Invalid

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_WEB_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,2000}")


@dataclass(frozen=True)
class LetterFacts:
    """What a letter tells. `at` is when it happened, with a time zone, and is the message's date.

    `message_id` is the value of the header with its angle brackets; `sender` the bare address the letter
    comes from; `reason` why the credential was revoked, where the issuer gave one.
    """

    learner_name: str
    learner_email: str
    achievement_name: str
    issuer_name: str
    credential_url: str
    at: datetime
    message_id: str
    sender: str
    reason: str | None = None


def credential_signed_letter(facts: LetterFacts) -> bytes:
    """Render the letter that a credential is there.

    Raises Invalid("letter-malformed") and Invalid("address-malformed").
    """
    return _render(
        facts,
        subject=f"Your micro-credential: {facts.achievement_name}",
        heading="You have earned a micro-credential",
        said=f"{facts.issuer_name} issued it to you on {_day(facts.at)}.",
        reason=None,
        action="Open your credential",
        advice=(
            "The link leads to the credential itself: a signed file that anyone who has the link can check. "
            "Keep a copy, and share the link with whom you like: in an application, with an employer."
        ),
    )


def credential_revoked_letter(facts: LetterFacts) -> bytes:
    """Render the letter that a credential is no longer valid. Raises as `credential_signed_letter`."""
    return _render(
        facts,
        subject=f"Revoked: {facts.achievement_name}",
        heading="Your micro-credential was revoked",
        said=f"{facts.issuer_name} revoked it on {_day(facts.at)}. Whoever checks it now learns that.",
        reason=facts.reason,
        action="The credential that was revoked",
        advice=f"If you think that this is a mistake, please turn to {facts.issuer_name}.",
    )


def _render(
    facts: LetterFacts, *, subject: str, heading: str, said: str, reason: str | None, action: str, advice: str
) -> bytes:
    if _WEB_ADDRESS.fullmatch(facts.credential_url) is None:
        raise Invalid(
            "letter-malformed",
            "the letter cannot be written as a message",
            ("the credential's address is not http(s)",),
        )
    paragraphs = [f"Dear {facts.learner_name},", f"{heading}:\n{facts.achievement_name}", said]
    paragraphs += [f"Reason given: {reason}"] if reason else []
    paragraphs += [f"{action}:\n{facts.credential_url}", advice]
    html = _PAGE.format(
        heading=escape(heading),
        learner=escape(facts.learner_name),
        achievement=escape(facts.achievement_name),
        said=escape(said),
        reason=_REASON.format(reason=escape(reason)) if reason else "",
        url=escape(facts.credential_url),
        action=escape(action),
        advice=escape(advice),
        issuer=escape(facts.issuer_name),
    )
    return write_message(
        Letter(
            sender_name=facts.issuer_name,
            sender_address=facts.sender,
            recipient_name=facts.learner_name,
            recipient_address=facts.learner_email,
            subject=subject,
            message_id=facts.message_id,
            at=facts.at,
            text="\n\n".join(paragraphs) + "\n",
            html=html,
        )
    )


def _day(at: datetime) -> str:
    """Write a day in words, in UTC; strftime would follow the machine's locale."""
    day = at.astimezone(UTC)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


_REASON: Final = (
    '<tr><td style="padding:0 32px 16px;font-size:16px;line-height:24px">'
    'Reason given: <span dir="auto">{reason}</span></td></tr>\n'
)

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{heading}</title>
</head>
<body style="margin:0;padding:0;background:#eef1f6">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#eef1f6">
<tr><td align="center" style="padding:32px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" \
style="max-width:560px;background:#ffffff;color:#1c2733;border-radius:12px;\
border:1px solid #d8dfe9;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<tr><td style="padding:28px 32px 8px;font-size:14px;line-height:20px;color:#52606d" \
dir="auto">{issuer}</td></tr>
<tr><td style="padding:0 32px 16px"><h1 style="margin:0;font-size:24px;line-height:32px;\
font-weight:700">{heading}</h1></td></tr>
<tr><td style="padding:0 32px 16px;font-size:16px;line-height:24px">\
Dear <span dir="auto">{learner}</span>,</td></tr>
<tr><td style="padding:0 32px 16px"><table role="presentation" width="100%" cellpadding="0" \
cellspacing="0" border="0"><tr><td style="padding:16px 20px;background:#f3f6fb;border-left:4px solid #1f5fbf;\
border-radius:6px;font-size:18px;line-height:26px;font-weight:600" dir="auto">\
{achievement}</td></tr></table></td></tr>
<tr><td style="padding:0 32px 16px;font-size:16px;line-height:24px">{said}</td></tr>
{reason}<tr><td style="padding:8px 32px 24px"><table role="presentation" cellpadding="0" cellspacing="0" \
border="0"><tr><td style="background:#1f5fbf;border-radius:8px"><a href="{url}" style="display:inline-block;\
padding:12px 24px;font-size:16px;line-height:24px;font-weight:600;color:#ffffff;text-decoration:none">\
{action}</a></td></tr></table></td></tr>
<tr><td style="padding:0 32px 16px;font-size:14px;line-height:22px;color:#52606d">{advice}</td></tr>
<tr><td style="padding:16px 32px 28px;font-size:12px;line-height:18px;color:#52606d;\
border-top:1px solid #d8dfe9;word-break:break-all">If the button does not work, open this address: \
<a href="{url}" style="color:#1f5fbf">{url}</a></td></tr>
</table>
</td></tr>
</table>
</body>
</html>
"""
