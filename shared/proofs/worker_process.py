"""A canonicalising worker: what a child process of workers.py runs (worker_main.py).

It reads jobs as frames from its standard input and answers each with a frame on its standard output; see
worker_link.py for the other end. It exists because canonicalisation is slow, and because a small document
can make it run for ever: here it can be killed without hurting anybody.

The process ends with its parent, however the parent ends: a thread reads the input all the time, and the
end of the input ends the process in the middle of any computation. Each job has a limit of CPU time, which
the kernel enforces by SIGPROF; it ends the process even inside C code. What a job took is told with its
answer, in microseconds. Ctrl-C is for the parent to handle.

Refuses to say of a failure more than where in the code it was: error messages may quote the document.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from queue import SimpleQueue

import orjson

from shared.errors import Invalid
from shared.proofs.contexts import CREDENTIALS_V2, OPEN_BADGES_V3
from shared.proofs.strictjson import JsonObject
from shared.proofs.suites import Suite

LENGTH_BYTES = 4
COST_BYTES = 8
HASH_BYTES = 64
READY = b"ready"
HASHED = b"h"
REFUSED = b"r"

_WARM_DOCUMENT: JsonObject = {
    "@context": [CREDENTIALS_V2, OPEN_BADGES_V3],
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
    "issuer": {"id": "urn:issuer", "type": ["Profile"]},
    "validFrom": "2026-01-01T00:00:00Z",
    "credentialSubject": {
        "type": ["AchievementSubject"],
        "achievement": {"id": "urn:achievement", "type": ["Achievement"], "name": "warm"},
    },
}
_WARM_CONFIG: JsonObject = {"type": "DataIntegrityProof", "proofPurpose": "assertionMethod"}


def main() -> None:
    """Read the set-up frame, get warm, say so, then answer jobs until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    replies = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not look like a reply

    jobs: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read_frames, args=(sys.stdin.fileno(), jobs), daemon=True).start()

    suites: Mapping[str, Suite]
    # The parent wrote this into a pipe that nobody else holds; jobs, which carry strangers' text, are JSON.
    suites = pickle.loads(jobs.get())  # noqa: S301
    for suite in suites.values():
        _answer(suite, _WARM_DOCUMENT, [_WARM_CONFIG])
    _write_frame(replies, READY)

    while True:
        cryptosuite, document, proof_configs, cpu_s = orjson.loads(jobs.get())
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        began = time.process_time_ns()
        kind, body = _answer(suites[cryptosuite], document, proof_configs)
        cost = (time.process_time_ns() - began) // 1_000
        signal.setitimer(signal.ITIMER_PROF, 0)
        _write_frame(replies, kind + cost.to_bytes(COST_BYTES, "big") + body)


def _answer(suite: Suite, document: JsonObject, proof_configs: Sequence[JsonObject]) -> tuple[bytes, bytes]:
    try:
        return HASHED, b"".join(suite.hash_all(document, proof_configs))
    except Invalid as refusal:
        return REFUSED, orjson.dumps((refusal.code, refusal.message, refusal.reasons))
    except Exception as bug:
        sys.stderr.writelines(
            [f"{type(bug).__name__} in {suite.cryptosuite}\n", *traceback.format_tb(bug.__traceback__)]
        )
        return REFUSED, orjson.dumps(("canonicalisation-failed", "The document cannot be canonicalised.", ()))


def _read_frames(source: int, jobs: SimpleQueue[bytes]) -> None:
    while True:
        length = int.from_bytes(_read(source, LENGTH_BYTES), "big")
        jobs.put(_read(source, length))


def _read(source: int, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = os.read(source, length - len(data))
        if not part:
            os._exit(0)  # the parent is gone or wants us gone; nothing here needs tidying
        data += part
    return bytes(data)


def _write_frame(sink: int, frame: bytes) -> None:
    data = len(frame).to_bytes(LENGTH_BYTES, "big") + frame
    while data:
        data = data[os.write(sink, data) :]
