"""One entry of `model_list`."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from headgate.config._section import Count, Delay, Number, Seconds, Section

_SECRET_NAME = re.compile(r"key|token$|token_file|secret|password|credential|headers|client_id|_body", re.IGNORECASE)
_COST_NAME = re.compile(r"_cost(?:_|$)")
_NonEmptySecret = Annotated[SecretStr, Field(min_length=1)]


def is_cost(name: str) -> bool:
    """Tell whether a key of `litellm_params` or `model_info` is a price in dollars per unit."""
    return _COST_NAME.search(name) is not None


def may_hold_secret(name: str) -> bool:
    """Tell by the name of a key of `litellm_params` or `model_info` whether its value has to stay inside."""
    return _SECRET_NAME.search(name) is not None and not is_cost(name)


class _NoPrice:
    """Stands for a price that is none until all keys are validated, so that it is told beside their problems."""


def _refuse_no_price(value: Any) -> Any:
    if isinstance(value, _NoPrice):
        raise ValueError("should be a number of dollars, 0 or more")
    return value


class _Priced(Section):
    """A section whose price keys are numbers of dollars."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[Any, AfterValidator(_refuse_no_price)]]

    @model_validator(mode="before")
    @classmethod
    def _costs_are_numbers(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: _dollars(value) if is_cost(str(key)) else value for key, value in data.items()}

    @property
    def costs(self) -> dict[str, float]:
        """Dollars per unit under LiteLLM's names, such as `input_cost_per_token`."""
        return {key: value for key, value in (self.model_extra or {}).items() if is_cost(key)}

    def resolved(self) -> dict[str, Any]:
        """Return everything that was set, as plain values. The result holds the secrets in clear text."""
        declared = {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in {**declared, **(self.model_extra or {})}.items()
        }


def _dollars(value: object) -> object:
    """Convert a price, to a `_NoPrice` where it is none; YAML reads `1e-6` as text."""
    if value is None or isinstance(value, dict | list):
        return value
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        number = math.nan
    return number if math.isfinite(number) and number >= 0 else _NoPrice()


class ModelParameters(_Priced):
    """`litellm_params`: how to reach a deployment. Keys that are not declared here are defaults for the model.

    Times are seconds, `rpm` and `tpm` requests and tokens per minute.
    """

    model: str = Field(min_length=1)
    api_key: _NonEmptySecret | None = None
    api_base: str | None = None
    base_url: str | None = None
    api_version: str | None = None
    organization: str | None = None
    azure_ad_token: _NonEmptySecret | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: _NonEmptySecret | None = None
    azure_scope: str | None = None
    custom_llm_provider: str | None = None
    region_name: str | None = None
    model_id: str | None = None
    base_model: str | None = None
    timeout: Seconds | None = None
    stream_timeout: Seconds | None = None
    num_retries: Count | None = None
    max_retries: Count | None = None
    cooldown_time: Delay | None = None
    rpm: Count | None = None
    tpm: Count | None = None
    weight: Annotated[Number, Field(ge=0)] | None = None
    order: Count | None = None
    max_parallel_requests: Count | None = None
    tags: tuple[str, ...] = ()
    mock_response: str | dict[str, Any] | list[Any] | None = None
    drop_params: bool | None = None
    additional_drop_params: tuple[str, ...] = ()
    allowed_openai_params: tuple[str, ...] = ()
    extra_headers: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    extra_body: dict[str, Any] = Field(default_factory=dict)
    aws_access_key_id: _NonEmptySecret | None = None
    aws_secret_access_key: _NonEmptySecret | None = None
    aws_session_token: _NonEmptySecret | None = None
    aws_region_name: str | None = None
    aws_role_name: str | None = None
    aws_session_name: str | None = None
    aws_external_id: str | None = None
    aws_web_identity_token: _NonEmptySecret | None = None
    aws_profile_name: str | None = None
    aws_sts_endpoint: str | None = None
    aws_bedrock_runtime_endpoint: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _base_url_is_api_base(cls, data: Any) -> Any:
        return {"api_base": data["base_url"], **data} if isinstance(data, dict) and "base_url" in data else data

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show the model and which keys are set; any value may hold a secret."""
        yield "model", self.model
        yield "set", tuple(sorted(self.model_fields_set - {"model"}))


class ModelInfo(_Priced):
    """`model_info`: what is known about a deployment. Keys that are not declared here are kept as they are."""

    id: str = Field(min_length=1, max_length=256)
    """Unique among all entries; made from the entry where it is not given."""
    mode: str | None = None
    base_model: str | None = None
    max_tokens: Count | None = None
    max_input_tokens: Count | None = None
    max_output_tokens: Count | None = None
    health_check_model: str | None = None
    disable_background_health_check: bool = False

    @field_validator("id")
    @classmethod
    def _is_a_label(cls, value: str) -> str:
        if not value.isascii() or not value.isprintable():
            raise ValueError("Input should be printable ASCII; it is sent in the header x-litellm-model-id")
        return value

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show the declared keys that are set."""
        return [(name, value) for name in type(self).model_fields if (value := getattr(self, name)) is not None]


class ModelEntry(Section):
    """A deployment: one way to reach the model group `model_name`."""

    model_name: str = Field(min_length=1)
    parameters: ModelParameters
    info: ModelInfo
    file: Path | None = Field(default=None, repr=False)
    line: int = 0
    """Where the entry begins; 0 when no file says it."""

    @property
    def costs(self) -> Mapping[str, float]:
        """Prices in dollars under LiteLLM's names; those in `litellm_params` win over those in `model_info`."""
        return {**self.info.costs, **self.parameters.costs}


def entry_id(model_name: str, raw_parameters: Mapping[str, object], ordinal: int) -> str:
    """Make an id for an entry that has none: SHA-256 over the name and the parameters as the file has them.

    Values of keys that may hold secrets are left out unless they refer to the environment, so no secret can be
    guessed from an id, and a rotated one keeps it. `ordinal` tells entries apart that are equal otherwise.
    """
    shown = {key: value for key, value in raw_parameters.items() if _is_public(key, value)}
    text = json.dumps([model_name, shown, sorted(raw_parameters), ordinal], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_public(key: str, value: object) -> bool:
    return not may_hold_secret(key) or (isinstance(value, str) and value.startswith("os.environ/"))
