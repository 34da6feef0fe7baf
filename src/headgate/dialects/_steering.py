"""What a client may say to the gateway beside its request: LiteLLM's extra members and `x-litellm-*` headers.

They never travel upstream. What would point the gateway at another upstream or other credentials is refused; counts and
times are capped, so that a client can ask for less work but hardly for more.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members, raw
from headgate.core.provider import Headers
from headgate.dialects._request import Steering

_X: Final = ord("x")

MAX_FALLBACKS = 5
"""Model names in one list of fallbacks; LiteLLM's own `max_fallbacks`."""
MAX_RETRIES = 10
MAX_TIMEOUT = 6_000.0
"""Seconds; LiteLLM's default `request_timeout`."""
MAX_TAGS = 32
MAX_NAME = 256
"""Characters of a model name, a tag or a user."""

# Members that choose an upstream, its credentials or what is sent to authenticate.
_REFUSED = frozenset(
    {
        *("api_base", "base_url", "api_key", "api_version", "mock_response", "mock_tool_calls", "custom_llm_provider"),
        *("region_name", "tenant_id", "client_id", "client_secret", "headers", "extra_headers", "user_config"),
        *("model_list", "organization", "ssl_verify", "proxy_server_request", "secret_fields"),
    }
)
_REFUSED_PREFIXES = ("aws_", "vertex_", "azure_")
# Members that LiteLLM keeps for itself; those that `Steering` does not read have no effect here.
_KEPT = frozenset(
    {
        *("fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "disable_fallbacks", "num_retries"),
        *("timeout", "stream_timeout", "request_timeout", "max_retries", "tags", "cache", "caching", "guardrails"),
        *("drop_params", "additional_drop_params", "allowed_openai_params", "no-log", "force_timeout"),
        *("disable_global_guardrails", "mock_timeout", "mock_delay", "enable_json_schema_validation"),
    }
)
_KEPT_PREFIXES = ("litellm_", "mock_testing_")


def is_special(name: str) -> bool:
    """Tell whether a member is for the gateway. Raises `InvalidRequestError` for one that a client may not send."""
    if name in _REFUSED or name.startswith(_REFUSED_PREFIXES):
        message = f"The parameter '{name}' can not be set by a client; it belongs to the gateway's configuration."
        raise InvalidRequestError(message, param=name)
    return name in _KEPT or name.startswith(_KEPT_PREFIXES)


def take_members(steering: Steering, members: Members, model: str) -> None:
    """Read the gateway's members into `steering` and remove them from `members`.

    Raises `InvalidRequestError` naming a member that is refused or of the wrong type.
    """
    special = [name for name in members if is_special(name)]
    found: dict[str, Any] = {}
    for name in special:
        value = members.pop(name)
        if name in _READERS:
            found[name] = _decoded(name, value)
    for name, value in found.items():
        if value is not None:
            setattr(steering, name, _READERS[name](name, value, model))


def take_metadata(steering: Steering, members: Members) -> None:
    """Take `tags` out of `metadata`, where LiteLLM's clients put them; the rest belongs to the upstream."""
    metadata = members["metadata"]
    if b'"tags"' not in bytes(metadata):
        return
    try:
        inner = msgspec.json.decode(metadata, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        raise _invalid("metadata", "an object") from None
    if "tags" not in inner:
        return
    tags = _decoded("metadata.tags", inner.pop("tags"))
    if tags is not None:
        steering.tags = _merged(steering.tags, _names("metadata.tags", tags, MAX_TAGS))
    if inner:
        members["metadata"] = raw(inner)
    else:
        del members["metadata"]


def take_headers(steering: Steering, headers: Headers) -> None:
    """Read `x-litellm-*` headers, which count before members of the body. Raises `InvalidRequestError`."""
    for name, value in headers:
        # An x first: one comparison rules most names out.
        if not name or name[0] != _X or not name.startswith(b"x-litellm-"):
            continue
        text = value.decode("latin-1")
        if name == b"x-litellm-tags":
            tags = [tag.strip() for tag in text.split(",") if tag.strip()]
            steering.tags = _merged(steering.tags, _names("x-litellm-tags", tags, MAX_TAGS))
        elif name == b"x-litellm-timeout":
            steering.timeout = _seconds("x-litellm-timeout", text, "")
        elif name == b"x-litellm-stream-timeout":
            steering.stream_timeout = _seconds("x-litellm-stream-timeout", text, "")
        elif name == b"x-litellm-num-retries":
            steering.num_retries = _retries("x-litellm-num-retries", text, "")


def label(value: object) -> str | None:
    """Make a client's own name for its user fit for a log: printable, capped; None when nothing is left."""
    if not isinstance(value, str):
        return None
    return "".join(character for character in value[:MAX_NAME] if character.isprintable()) or None


def _decoded(name: str, value: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRequestError(f"Invalid value for '{name}': nested too deeply.", param=name) from None


def _names(name: str, value: object, limit: int) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _invalid(name, "an array of strings")
    if len(value) > limit:
        raise _invalid(name, f"at most {limit} entries")
    if not all(item and len(item) <= MAX_NAME and item.isprintable() for item in value):
        raise _invalid(name, f"printable names of 1 to {MAX_NAME} characters")
    return tuple(value)


def _tags(name: str, value: object, model: str) -> tuple[str, ...]:
    return _names(name, value, MAX_TAGS)


def _fallbacks(name: str, value: object, model: str) -> tuple[str, ...]:
    """Read `["b", "c"]`, or the configuration's form `[{"a": ["b", "c"]}]` for the model that is asked for."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        lists = [item.get(model, item.get("*")) for item in value if isinstance(item, dict)]
        if len(lists) != len(value):
            raise _invalid(name, "an array of model names, or of objects from model name to model names")
        value = next((names for names in lists if names is not None), [])
    return _names(name, value, MAX_FALLBACKS)


def _flag(name: str, value: object, model: str) -> bool:
    if not isinstance(value, bool):
        raise _invalid(name, "a boolean")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _retries(name: str, value: object, model: str) -> int:
    number = _number(value)
    if not (number >= 0 and (number == math.inf or number == int(number))):
        raise _invalid(name, "an integer of at least 0")
    return int(min(number, MAX_RETRIES))


def _seconds(name: str, value: object, model: str) -> float:
    number = _number(value)
    if not number > 0:
        raise _invalid(name, "a positive number of seconds")
    return min(number, MAX_TIMEOUT)


def _merged(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))[:MAX_TAGS]


def _invalid(name: str, words: str) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid value for '{name}': expected {words}.", param=name)


_READERS: dict[str, Callable[[str, object, str], object]] = {
    "tags": _tags,
    "fallbacks": _fallbacks,
    "context_window_fallbacks": _fallbacks,
    "content_policy_fallbacks": _fallbacks,
    "disable_fallbacks": _flag,
    "num_retries": _retries,
    "timeout": _seconds,
    "stream_timeout": _seconds,
}
