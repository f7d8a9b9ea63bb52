"""What a stranger reads of a malformed request: the field and the rule, nothing of what was sent."""

from __future__ import annotations

from typing import Annotated

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.refusals import REASONS_MAX, reasons_of


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "ABC"
    number: int = 1


def reasons(value: dict[str, object]) -> tuple[str, ...]:
    with pytest.raises(pydantic.ValidationError) as refusal:
        Form.model_validate(value)
    return reasons_of(refusal.value.errors())


def test_a_pattern_is_told_as_what_it_means() -> None:
    assert reasons({"email": "secret"}) == ("email is not an e-mail address",)
    assert reasons({"email": "a@b", "code": "x"}) == (
        "code does not have the form that the API page describes",
    )


def test_a_missing_field_is_named() -> None:
    assert reasons({}) == ("email is missing",)


def test_nothing_that_was_sent_is_quoted() -> None:
    told = reasons({"email": "Ada Lovelace", "Ada.Lovelace@example.org": 1, "number": "Ada Lovelace"})
    assert len(told) == 3
    assert "Lovelace" not in " ".join(told)


def test_the_list_is_bounded() -> None:
    assert len(reasons({"email": "a@b", **{f"field{number}": 1 for number in range(50)}})) == REASONS_MAX
