"""Reads the rows of a bulk body, each on a line of its own: NDJSON objects or CSV records.

A fault is an Invalid about one row; the rows around it are read as if it were not there. That is why a CSV
record may not span lines: one stray quote would swallow its neighbours. Text with line breaks goes in NDJSON.
A CSV header that cannot be read leaves nothing to read the rows by: the reader says so once and is `done`, as
it is with a file in UTF-16, which is told from its first bytes. A key that stands twice in an NDJSON row is a
fault, as it is in a single submission.
"""

from __future__ import annotations

import codecs
import csv
import re
from typing import Any, Protocol

import pydantic
import pydantic_core

from services.assessor.api.submission import SubmissionBody, refusal_of
from shared.errors import Invalid
from shared.proofs import strictjson

RESULT_PREFIX = "result:"
CSV_REQUIRED = (
    "assessment_id",
    "achievement_id",
    "learner_name",
    "learner_email",
    "assessor",
    "supervision",
    "identity_check",
    "assessed_at",
)
CSV_OPTIONAL = ("achievement_version", "learner_reference", "evidence_url", "narrative")
CSV_COLUMNS_MAX = 100
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}
"""What a spreadsheet separates by where the comma is the decimal point."""
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UTF_16_TOLD = "the file is UTF-16: save it as UTF-8 (spreadsheets call it 'CSV UTF-8') and send that"
CRITERION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
ASSESSMENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}")


class RowReader(Protocol):
    """Turns lines into submissions."""

    done: bool
    """Nothing that follows can be read."""

    def read(self, line: bytes) -> SubmissionBody | None:
        """Return the submission on a line; None for a line without one (blank, header).

        Raises Invalid, which says what is wrong with the row and never what it holds.
        """

    def assessment_id(self, line: bytes) -> str | None:
        """Return the assessment id on a line that could not be read, where that much can be told."""


class NdjsonRows:
    """One JSON object a line, as for a single submission."""

    def __init__(self) -> None:
        self.done = False

    def read(self, line: bytes) -> SubmissionBody | None:
        if not line.strip():
            return None
        if line.startswith(UTF_16_MARKS):
            self.done = True
            raise Invalid("body-not-utf8", "The rows cannot be read.", (UTF_16_TOLD,))
        _text(line)
        try:
            body = SubmissionBody.model_validate_json(line)
        except pydantic.ValidationError as error:
            raise refusal_of(error) from None
        if not _has_keys_at_most(body.keys(), line):
            strictjson.loads(line)
        return body

    def assessment_id(self, line: bytes) -> str | None:
        try:
            row = pydantic_core.from_json(line)
        except ValueError:
            return None
        return _well_formed_id(row.get("assessment_id")) if isinstance(row, dict) else None


class CsvRows:
    """Comma-separated values (RFC 4180), one record a line, the first of which names the columns."""

    def __init__(self) -> None:
        self.done = False
        self._columns: list[str] = []

    def read(self, line: bytes) -> SubmissionBody | None:
        if not line.strip():
            return None
        if not self._columns:
            self._read_header(line)
            return None
        cells = _cells(line)
        if len(cells) != len(self._columns):
            reason = f"the row has {len(cells)} fields, the header {len(self._columns)}"
            raise Invalid("row-invalid", "The row is not an assessment.", (reason,))
        try:
            return SubmissionBody.model_validate(_nested(dict(zip(self._columns, cells, strict=True))))
        except pydantic.ValidationError as error:
            raise refusal_of(error) from None

    def assessment_id(self, line: bytes) -> str | None:
        try:
            cells = dict(zip(self._columns, _cells(line), strict=False))
        except Invalid:
            return None
        return _well_formed_id(cells.get("assessment_id"))

    def _read_header(self, line: bytes) -> None:
        self.done = True
        if line.startswith(UTF_16_MARKS):
            raise Invalid("body-not-utf8", "The header cannot be read.", (UTF_16_TOLD,))
        try:
            columns = [cell.strip() for cell in _cells(line)]
        except Invalid as cause:
            raise Invalid("csv-header-invalid", "The header cannot be read.", cause.reasons) from None
        reasons = _header_faults(columns)
        if reasons:
            raise Invalid("csv-header-invalid", "The header does not name the columns.", reasons)
        self._columns = columns
        self.done = False


def _header_faults(columns: list[str]) -> tuple[str, ...]:
    for separator, told in OTHER_SEPARATORS.items():
        if len(columns) == 1 and separator in columns[0]:
            return (f"the columns are separated by {told}: export the file with commas, and send that",)
    if len(columns) > CSV_COLUMNS_MAX:
        return (f"there are more than {CSV_COLUMNS_MAX} columns",)
    known = {*CSV_REQUIRED, *CSV_OPTIONAL}
    faults = [f"{name}: missing" for name in CSV_REQUIRED if name not in columns]
    criteria = 0
    for place, name in enumerate(columns, start=1):
        is_result = name.startswith(RESULT_PREFIX) and CRITERION.fullmatch(name.removeprefix(RESULT_PREFIX))
        criteria += bool(is_result)
        if not is_result and name not in known:
            faults.append(f"column {place}: not a column of this format")
        elif columns.index(name) < place - 1:
            faults.append(f"column {place}: named before")
    if not criteria:
        faults.append("result:<criterion>: no column for any criterion")
    return tuple(faults)


def _nested(row: dict[str, str]) -> dict[str, Any]:
    """Return a CSV row in the shape of a submission; an empty cell is an absent one."""
    given = {name: cell for name, cell in row.items() if cell.strip()}
    body: dict[str, Any] = {
        "learner": {
            field: given.pop(f"learner_{field}")
            for field in ("reference", "name", "email")
            if f"learner_{field}" in given
        },
        "results": {
            name.removeprefix(RESULT_PREFIX): given.pop(name).strip()
            for name in row
            if name.startswith(RESULT_PREFIX) and name in given
        },
    }
    if "evidence_url" in given:
        body["evidence"] = ({"url": given.pop("evidence_url").strip()},)
    return body | given


def _has_keys_at_most(number: int, line: bytes) -> bool:
    """Tell whether a row surely has no more keys than `number`, which were read: then none stands twice.

    A key ends with a quote and a colon, blanks between them or not; a text that looks so is counted too.
    Reading a row strictly costs more than all that is done to it before it is asked about, and is left for
    the few where this cannot tell.
    """
    if b"\t" in line or b"\r" in line:
        return False
    return line.count(b'":') + line.count(b" :") <= number


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("row-not-utf8", "The row is not UTF-8.") from None


def _cells(line: bytes) -> list[str]:
    try:
        return next(csv.reader([_text(line)], strict=True))
    except csv.Error:
        reason = "a quoted field is not closed on its line, or text stands behind its quote"
        raise Invalid("row-invalid", "The row is not CSV.", (reason,)) from None


def _well_formed_id(value: object) -> str | None:
    return value if isinstance(value, str) and ASSESSMENT_ID.fullmatch(value) else None
