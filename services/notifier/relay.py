"""What is known of the relay that takes the letters: a value that settings make and the mail channel uses.

Reads no file and opens no connection: a wrong password file is the channel's to find, at start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """The relay that takes the letters.

    `encryption`: "starttls" (demanded, not hoped for), "tls" from the first byte, or "none" for a relay on
    the same machine. `authorities_file` names a private root in PEM.
    """

    host: str
    port: int
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_file: Path | None = None
    authorities_file: Path | None = None
    helo_name: str | None = None
    connect_wait_s: float = 10.0
    reply_wait_s: float = 60.0
