"""What the verifier's OpenAPI page says of its answers; answers.py makes them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.verifier.domain.verdict import CHECKS


class CheckAnswer(BaseModel):
    """One question that was asked of the credential."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description=f"One of, always all and in this order: {', '.join(CHECKS)}.")
    outcome: Literal["passed", "failed", "unknown", "skipped"] = Field(
        description="`unknown`: this verifier cannot tell. `skipped`: an earlier failure left nothing to ask."
    )
    code: str | None = Field(
        description="For programs: the name that the standards give the error (such as"
        " `PROOF_VERIFICATION_ERROR`), or ours (such as `EXPIRED`). Null unless failed or unknown."
    )
    type: str | None = Field(
        description="The problem type (a URL) that a standard gives the error: Data Integrity 1.0, VC Data"
        " Model 2.0, Bitstring Status List 1.0. Null where none does."
    )
    sentence: str = Field(description="For people.")


class StatusAnswer(BaseModel):
    """What one status list says (Bitstring Status List 1.0, validate algorithm)."""

    model_config = ConfigDict(extra="forbid")

    purpose: str = Field(description="`revocation`, `suspension`, `refresh` or `message`.")
    status: int = Field(description="The credential's value in the list.")
    valid: bool = Field(description="Whether that value is 0.")
    message: str | None = Field(description="The issuer's own words for the value: not ours, and unchecked.")


class RecognitionAnswer(BaseModel):
    """What the registry of recognised issuers says of this one."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The name under which it is recognised.")
    since: str = Field(description="Since when (UTC, milliseconds).")
    source: str = Field(description="Who says so: this installation, or the operator of a registry.")


class VerdictAnswer(BaseModel):
    """The verdict on a credential."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["valid", "invalid", "unknown"] = Field(
        description="`invalid` if any check but the last failed; `valid` only if all but the last passed;"
        " else `unknown`. `issuer recognised` stands beside the verdict and does not decide it."
    )
    sentence: str = Field(description="The verdict in a sentence, with the first reason for it.")
    at: str = Field(description="The moment for which the verdict holds (UTC, milliseconds).")
    issuer: str | None = Field(
        description="The issuer's identifier as the credential has it; not yet proved."
    )
    checks: list[CheckAnswer] = Field(description="Every check, in the order in which they were made.")
    statuses: list[StatusAnswer] = Field(
        description="What the status lists say that are the issuer's word today; empty where none is at hand."
    )
    recognitions: list[RecognitionAnswer] = Field(
        description="Who recognises the issuer; empty for a stranger, and where it is not proved who issued."
    )


class PresentationAnswer(BaseModel):
    """The verdict on a presentation."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["valid", "invalid", "unknown"] = Field(
        description="`invalid` if any check failed; `valid` only if all passed that were asked; else"
        " `unknown`."
    )
    sentence: str = Field(description="The verdict in a sentence, with the first reason for it.")
    at: str = Field(description="The moment for which the verdict holds (UTC, milliseconds).")
    holder: str | None = Field(description="Who presents, by identifier; not yet proved.")
    checks: list[CheckAnswer] = Field(
        description="As for a credential, with `key belongs to holder`; then `meant for this verifier`"
        " (`skipped` where neither `domain` nor `challenge` was given) and `credentials`."
    )
    credentials: list[VerdictAnswer] = Field(description="The verdict on each credential, in order.")
