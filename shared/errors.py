"""The errors of the house, in three families; nothing else crosses a seam.

    MicrocredError
    ├── Rejected            no, and why: the same request will never work
    │   ├── Invalid         the input breaks a rule                           422
    │   ├── Malformed       the same, where a standard asks for this code     400
    │   ├── Conflict        it contradicts what is already recorded           409
    │   ├── NotFound        there is no such thing for this caller            404
    │   ├── Gone            it was there and was forgotten                    410
    │   ├── Unauthenticated no key, or a key that is not good                 401
    │   ├── Forbidden       a good key without the scope                      403
    │   ├── Oversized       more than a named limit allows                    413
    │   ├── UnreadMedia     a body of a media type that is not read here      415
    │   └── Unacceptable    a form was asked for that there is not            406
    ├── StaleStream         somebody appended first: load again and decide again
    └── Unavailable         not the request's fault: the same request later   503
        ├── NotYet          what it needs is on its way, as it should be      503
        └── TooMany         the caller's own rate limit                       429

`code` and `message` are constants a stranger may read; they never carry personal data or a cause. The
cause goes to the log through `raise … from cause`. shared/http.py maps the families to HTTP, once;
shared/bus/consumer.py maps them to retry, halve or bury, once.
"""

from __future__ import annotations


class MicrocredError(Exception):
    """Root of every error that one part of microcred may raise to another."""


class Rejected(MicrocredError):
    """No, and why. `code` is a stable kebab-case word for programs, `message` a sentence for people.

    `reasons` lists one sentence per broken rule, where there are several.
    """

    def __init__(self, code: str, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(f"{code}: {message}" + "".join(f"\n  - {reason}" for reason in reasons))
        self.code = code
        self.message = message
        self.reasons = reasons


class Invalid(Rejected):
    """The input breaks a rule; `reasons` name which."""


class Malformed(Rejected):
    """The input breaks a rule of a protocol that knows no finer code than 400."""


class Conflict(Rejected):
    """The input contradicts what is already recorded."""


class NotFound(Rejected):
    """There is no such thing, or not for this caller: the two are told apart for nobody."""


class Gone(Rejected):
    """It was there and was forgotten on purpose."""


class Unauthenticated(Rejected):
    """No API key, or one that is unknown, expired or revoked."""


class Forbidden(Rejected):
    """A good API key that lacks the scope."""


class Oversized(Rejected):
    """More than a named limit allows."""


class UnreadMedia(Rejected):
    """A body of a media type that is not read here; `message` says what to send."""


class Unacceptable(Rejected):
    """Nothing but a form was asked for in which the thing was not made; `message` says what to ask for."""


class StaleStream(MicrocredError):
    """Another writer appended to a stream after it was loaded: load again, decide again."""


class Unavailable(MicrocredError):
    """Not the request's fault (database, broker, vault away): the same request works later."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s


class NotYet(Unavailable):
    """What the request needs is on its way: everyday life, and nothing for an operator to look at."""


class TooMany(Unavailable):
    """The caller's own rate limit is used up for `retry_after_s` seconds."""
