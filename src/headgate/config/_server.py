"""Settings of the server process: command line before environment before defaults."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from headgate.config._completion import from_environment
from headgate.config._findings import Findings
from headgate.config._section import Count, Delay, Seconds, Section
from headgate.core.errors import ConfigurationError

SERVER_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "host": ("HEADGATE_HOST", "HOST"),
    "port": ("HEADGATE_PORT", "PORT"),
    "workers": ("HEADGATE_WORKERS", "NUM_WORKERS", "DEFAULT_NUM_WORKERS_LITELLM_PROXY"),
    "data_directory": ("HEADGATE_DATA_DIR",),
    "keepalive_timeout": ("HEADGATE_KEEPALIVE_TIMEOUT", "KEEPALIVE_TIMEOUT"),
    "drain_seconds": ("HEADGATE_DRAIN_SECONDS",),
    "shutdown_timeout": ("HEADGATE_SHUTDOWN_TIMEOUT",),
    "ssl_keyfile": ("HEADGATE_SSL_KEYFILE", "SSL_KEYFILE_PATH"),
    "ssl_certfile": ("HEADGATE_SSL_CERTFILE", "SSL_CERTFILE_PATH"),
    "log_level": ("HEADGATE_LOG", "LITELLM_LOG"),
}


def _level(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


LogLevel = Annotated[Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_level)]


class ServerSettings(Section):
    """How the server process runs. Times are seconds.

    `keepalive_timeout` outlasts the 60 seconds after which an AWS load balancer drops an idle connection, so that it is
    never us who close one that it is about to use. `drain_seconds` is how long after SIGTERM readiness already fails
    while connections are still accepted; `shutdown_timeout` is how long requests in flight may take after SIGTERM; it
    stays below the 30 seconds after which Kubernetes and ECS kill.
    """

    host: str = Field(default="127.0.0.1", min_length=1)
    port: Annotated[Count, Field(le=65535)] = 4000
    workers: Annotated[Count, Field(ge=1, le=1024)] = 1
    data_directory: Path = Path(".headgate")
    keepalive_timeout: Seconds = 75.0
    drain_seconds: Delay = 1.0
    shutdown_timeout: Delay = 25.0
    ssl_keyfile: Path | None = None
    ssl_certfile: Path | None = None
    log_level: LogLevel = "info"


def server_settings(environ: Mapping[str, str], **overrides: Any) -> ServerSettings:
    """Return the settings from what was given on the command line (`overrides`, None means not given), then `environ`.

    The data directory is, where nothing names it, `headgate` under $XDG_DATA_HOME or ~/.local/share, and `.headgate`
    in the working directory where there is no home. Raises `ConfigurationError` with every value that does not fit.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    if unknown := given.keys() - ServerSettings.model_fields.keys():
        raise TypeError(f"server_settings() has no setting {min(unknown)!r}")
    problems: list[str] = []
    try:
        settings = ServerSettings.model_validate(given)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        problems.extend(
            f"--{str(one['loc'][0]).replace('_', '-')}: {one['msg'][:1].lower()}{one['msg'][1:]}." for one in details
        )
        settings = ServerSettings()
    findings = Findings()
    settings = from_environment(settings, SERVER_VARIABLES, environ, findings)
    problems.extend(str(finding) for finding in findings)
    if (settings.ssl_keyfile is None) != (settings.ssl_certfile is None):
        problems.append("TLS needs both SSL_KEYFILE_PATH and SSL_CERTFILE_PATH; only one is set.")
    if problems:
        raise ConfigurationError(problems)
    if "data_directory" not in settings.model_fields_set:
        settings = settings.model_copy(update={"data_directory": _data_directory(environ)})
    return settings


def _data_directory(environ: Mapping[str, str]) -> Path:
    """Source: XDG Base Directory Specification, which has relative paths ignored."""
    data_home, home = Path(environ.get("XDG_DATA_HOME", "")), Path(environ.get("HOME", ""))
    if data_home.is_absolute():
        return data_home / "headgate"
    return home / ".local/share/headgate" if home.is_absolute() else Path(".headgate")
