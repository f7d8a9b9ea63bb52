"""Reads status lists (Bitstring Status List 1.0) and the entries that point into them.

A list is a credential like any other and is read like one; what is a function of its bytes (shape, contexts,
the bytes that were signed, the inflated bits) is cached under their digest. Its key, its times and its issuer
are looked at afresh each time.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.verifier.domain.facts import ListFacts, Objection, Outcome, StatusFacts
from services.verifier.examination.objections import failed, objection, unknown
from services.verifier.examination.opening import opened
from services.verifier.examination.reading import Reading, read
from services.verifier.examination.signed import document_facts
from services.verifier.examination.sources import FoundList, Sources
from shared.errors import Invalid
from shared.proofs import bitstring
from shared.proofs.allowance import Allowance
from shared.proofs.bitstring import Bitstring
from shared.proofs.jsonld_safety import is_absolute_iri
from shared.proofs.several import many
from shared.proofs.strictjson import JsonObject, JsonValue

LISTS_CACHED_MAX = 1_024
"""Bounds the cache to some 50 MB for lists of the usual 131,072 entries."""
ENTRIES_MAX = 8
SIZE_BITS_MAX = 8

_ENTRY_TYPE = "BitstringStatusListEntry"
_LIST_TYPE = "BitstringStatusListCredential"
_SUBJECT_TYPE = "BitstringStatusList"
_INDEX = re.compile(r"0|[1-9][0-9]{0,15}")
_STATUS = re.compile(r"0x[0-9a-fA-F]{1,2}")


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """A well-formed entry of a credential: value `index`, of `size` bits, of the list at `list_url`.

    `messages` says what the values mean, where there are more than two.
    """

    purpose: str
    index: int
    list_url: str
    size: int = 1
    messages: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListReading:
    """A list credential as read; `bits` is an Objection where they cannot be decoded."""

    reading: Reading
    purposes: tuple[str, ...]
    bits: Bitstring | Objection


class ListReader:
    """Reads list credentials, each text once."""

    def __init__(self) -> None:
        self._cache: OrderedDict[bytes, ListReading] = OrderedDict()

    async def read(self, found: FoundList, allowance: Allowance) -> ListReading:
        """The list as read, from the cache if it was sound when it was read before.

        Who asks first bears the cost. A list for which too little was left is not kept as one that cannot be
        read: it would be that for everybody.
        """
        cached = self._cache.get(found.digest)
        if cached is not None:
            self._cache.move_to_end(found.digest)
            return cached
        value = opened(found.data)
        if isinstance(value, Objection):
            return ListReading(Reading({}, unreadable=value), (), value)
        fresh = _list_reading(await read(value, allowance))
        if isinstance(fresh.bits, Bitstring) and fresh.reading.is_hashed:
            self._cache[found.digest] = fresh
            if len(self._cache) > LISTS_CACHED_MAX:
                self._cache.popitem(last=False)
        return fresh


def entries(credential: JsonObject) -> list[StatusEntry | Objection]:
    """The status entries of a credential, in order; [] for one that has none."""
    found = many(credential.get("credentialStatus"))
    if len(found) > ENTRIES_MAX:
        message = f"It has more than {ENTRIES_MAX} status entries, which are not all looked up."
        return [unknown("status-unsupported", message)]
    return [_entry(entry) for entry in found]


def not_looked_up(entry: StatusEntry | Objection) -> StatusFacts | Objection:
    """An entry of a credential that its issuer has not signed: whoever wrote it chose the address."""
    if isinstance(entry, Objection):
        return entry
    sentence = "Its status list was not looked up, because it is not proved that its issuer signed it."
    return StatusFacts(entry.purpose, entry.list_url, unknown("status-list-unreachable", sentence))


async def status_facts(
    entry: StatusEntry | Objection,
    issuer: str,
    sources: Sources,
    reader: ListReader,
    allowance: Allowance,
) -> StatusFacts | Objection:
    """Look up the list of one entry, and the credential's bit in it.

    `issuer` has signed the credential, and no other key is looked up for the list.
    """
    if isinstance(entry, Objection):
        return entry
    found = await sources.status_list(entry.list_url)
    if isinstance(found, Objection):
        return StatusFacts(entry.purpose, entry.list_url, found)
    listed = await reader.read(found, allowance)
    identifier = listed.reading.document.get("id", found.url)
    facts = ListFacts(
        document=await document_facts(listed.reading, sources, issuer),
        id=identifier if isinstance(identifier, str) else None,
        purposes=listed.purposes,
        value=_value(listed.bits, entry),
    )
    return StatusFacts(entry.purpose, entry.list_url, facts, entry.messages)


def _entry(entry: JsonValue) -> StatusEntry | Objection:
    if not isinstance(entry, dict) or _ENTRY_TYPE not in many(entry.get("type")):
        return unknown("status-unsupported", "Its status is kept in a way that this verifier does not know.")
    purpose, index, url = (
        entry.get(key) for key in ("statusPurpose", "statusListIndex", "statusListCredential")
    )
    size = entry.get("statusSize", 1)
    if (
        not isinstance(purpose, str)
        or not isinstance(index, str)
        or not _INDEX.fullmatch(index)
        or not isinstance(url, str)
        or not is_absolute_iri(url)
        or entry.get("id") == url
        or isinstance(size, bool)
        or not isinstance(size, int)
        or size < 1
    ):
        return _malformed_entry()
    if size > SIZE_BITS_MAX:
        return unknown("status-unsupported", "Its status has more values than are understood here.")
    messages = _messages(entry.get("statusMessage"))
    if messages is None or ((messages or size > 1) and messages.keys() != set(range(2**size))):
        return _malformed_entry()
    return StatusEntry(purpose, int(index), url, size, messages)


def _messages(told: JsonValue) -> dict[int, str] | None:
    """What each value means (Bitstring Status List 1.0 §2.1); {} if untold, None if malformed."""
    found: dict[int, str] = {}
    for each in many(told):
        if not isinstance(each, dict):
            return None
        status, message = each.get("status"), each.get("message")
        if not isinstance(status, str) or not _STATUS.fullmatch(status) or not isinstance(message, str):
            return None
        if found.setdefault(int(status, 16), message) != message:
            return None
    return found


def _malformed_entry() -> Objection:
    return failed("credential-malformed", "Its status entry is not built as such an entry must be.")


def _list_reading(reading: Reading) -> ListReading:
    subject = reading.document.get("credentialSubject")
    if (
        not isinstance(subject, dict)
        or _LIST_TYPE not in many(reading.document.get("type"))
        or _SUBJECT_TYPE not in many(subject.get("type"))
    ):
        wrong = unknown("status-list-malformed", "What should be its status list is something else.")
        return ListReading(reading, (), wrong)
    purposes = tuple(each for each in many(subject.get("statusPurpose")) if isinstance(each, str))
    return ListReading(reading, purposes, _bits(subject.get("encodedList")))


def _bits(encoded: JsonValue) -> Bitstring | Objection:
    if not isinstance(encoded, str):
        return unknown("status-list-malformed", "Its status list holds no list.")
    try:
        return bitstring.decode(encoded)
    except Invalid as refusal:
        return objection(refusal, Outcome.UNKNOWN)


def _value(bits: Bitstring | Objection, entry: StatusEntry) -> int | Objection:
    """The entry's value: its bits from left to right, in a list long enough to hide it in a crowd."""
    if isinstance(bits, Objection):
        return bits
    if len(bits) < bitstring.LENGTH_MIN * entry.size:
        return unknown("status-list-length", f"A status list has at least {bitstring.LENGTH_MIN} entries.")
    first = entry.index * entry.size
    try:
        return sum(bits.get(first + place) << (entry.size - 1 - place) for place in range(entry.size))
    except Invalid as refusal:
        return objection(refusal, Outcome.UNKNOWN)
