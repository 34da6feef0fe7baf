"""What the settings of a file leave open: taken from `litellm_settings`, then from the environment."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from headgate.config._findings import Finding, Findings, Severity
from headgate.config._section import Section
from headgate.config._settings import GeneralSettings, LitellmSettings, RouterSettings

_S = TypeVar("_S", bound=Section)

MASTER_KEY_VARIABLES = ("HEADGATE_MASTER_KEY", "LITELLM_MASTER_KEY", "PROXY_MASTER_KEY")

ROUTER_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "num_retries": ("DEFAULT_MAX_RETRIES",),
    "timeout": ("REQUEST_TIMEOUT",),
    "max_fallbacks": ("ROUTER_MAX_FALLBACKS",),
    "allowed_fails": ("DEFAULT_ALLOWED_FAILS",),
    "cooldown_time": ("DEFAULT_COOLDOWN_TIME_SECONDS",),
}
LITELLM_VARIABLES: Mapping[str, tuple[str, ...]] = {"ssl_verify": ("SSL_VERIFY",), "json_logs": ("JSON_LOGS",)}
GENERAL_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "master_key": MASTER_KEY_VARIABLES,
    "max_request_size_mb": ("HEADGATE_MAX_REQUEST_SIZE_MB", "MAX_REQUEST_SIZE_MB"),
}

_FROM_LITELLM = {
    "num_retries": "num_retries",
    "timeout": "request_timeout",
    "fallbacks": "fallbacks",
    "context_window_fallbacks": "context_window_fallbacks",
    "content_policy_fallbacks": "content_policy_fallbacks",
    "default_fallbacks": "default_fallbacks",
    "allowed_fails": "allowed_fails",
    "cooldown_time": "cooldown_time",
}


def complete_router(
    router: RouterSettings, litellm: LitellmSettings, environ: Mapping[str, str], findings: Findings
) -> RouterSettings:
    """Fill what `router_settings` do not set from `litellm_settings`, then from the environment."""
    inherited = {
        name: value
        for name, source in _FROM_LITELLM.items()
        if name not in router.model_fields_set and (value := getattr(litellm, source)) is not None
    }
    return from_environment(router.model_copy(update=inherited), ROUTER_VARIABLES, environ, findings)


def complete_litellm(litellm: LitellmSettings, environ: Mapping[str, str], findings: Findings) -> LitellmSettings:
    """Fill what `litellm_settings` do not set from the environment."""
    return from_environment(litellm, LITELLM_VARIABLES, environ, findings)


def complete_general(general: GeneralSettings, environ: Mapping[str, str], findings: Findings) -> GeneralSettings:
    """Fill what `general_settings` do not set from the environment; the file's master key wins, as in LiteLLM."""
    return from_environment(general, GENERAL_VARIABLES, environ, findings)


def from_environment(
    section: _S, variables: Mapping[str, tuple[str, ...]], environ: Mapping[str, str], findings: Findings
) -> _S:
    """Fill the fields that are not set from the first of their variables that is set and not empty.

    A value that does not fit is an error that names the variable and never shows the value.
    """
    values: dict[str, object] = {}
    for field, names in variables.items():
        name = next((name for name in names if environ.get(name)), None)
        if name is None or field in section.model_fields_set:
            continue
        try:
            values[field] = getattr(type(section).model_validate({field: environ[name]}), field)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]["msg"]
            message = f"The environment variable {name}: {problem[:1].lower()}{problem[1:]}."
            findings.add(Finding(Severity.ERROR, message, key=name, fatal=True))
    return section.model_copy(update=values)
