"""What all parts of the configuration have in common, and the kinds of value that they share."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of the configuration: immutable, null means unset, and keys it does not know are left to the audit."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
        validate_default=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_unset(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


def _not_a_flag(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("Input should be a number, not true or false")
    return value


def _known_counts(*names: str) -> BeforeValidator:
    def keep(value: object) -> object:
        return {k: v for k, v in value.items() if k in names and v is not None} if isinstance(value, Mapping) else value

    return BeforeValidator(keep)


def _fallbacks(value: object) -> object:
    """Bring LiteLLM's list of one-entry mappings, or a plain mapping, into one mapping."""
    entries = [value] if isinstance(value, Mapping) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ValueError("Input should be a list such as [{model: [other-model]}]")
    merged: dict[object, list[object]] = {}
    for entry in entries:
        for name, targets in entry.items():
            named = [targets] if isinstance(targets, str) else targets
            if not isinstance(named, list | tuple) or not all(isinstance(target, str) and target for target in named):
                raise ValueError("Each model should have a list of model names")
            merged.setdefault(name, []).extend(named)
    return merged


Integer = Annotated[int, BeforeValidator(_not_a_flag)]
Number = Annotated[float, BeforeValidator(_not_a_flag)]
Count = Annotated[Integer, Field(ge=0)]
Seconds = Annotated[Number, Field(gt=0)]
"""A duration, not zero."""
Delay = Annotated[Number, Field(ge=0)]
"""A duration in seconds that may be zero."""
Fallbacks = Annotated[dict[str, tuple[str, ...]], BeforeValidator(_fallbacks)]
"""From a model name to the names to try instead, in order; `*` stands for every model without an entry."""

ERROR_KINDS = (
    *("BadRequestError", "AuthenticationError", "TimeoutError", "RateLimitError"),
    *("ContentPolicyViolationError", "InternalServerError"),
)
RETRY_NAMES = tuple(f"{kind}Retries" for kind in ERROR_KINDS)
ALLOWED_FAILS_NAMES = tuple(f"{kind}AllowedFails" for kind in ERROR_KINDS)

RetryPolicy = Annotated[dict[str, Count], _known_counts(*RETRY_NAMES)]
"""Retries per kind of error, under LiteLLM's names (`TimeoutErrorRetries`, ...)."""
AllowedFailsPolicy = Annotated[dict[str, Count], _known_counts(*ALLOWED_FAILS_NAMES)]
"""Failures before a cooldown per kind of error, under LiteLLM's names (`TimeoutErrorAllowedFails`, ...)."""
