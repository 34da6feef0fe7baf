"""`headgate serve`: from settings to a running gateway, or a list of what is in the way."""

import json
import logging
import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from headgate import __version__
from headgate.config import (
    Configuration,
    ServerSettings,
    embedded_default,
    load_configuration,
    server_settings,
)
from headgate.core.errors import ConfigurationError

KEY_FILE = "master_key"
KEY_FILE_VARIABLE = "HEADGATE_MASTER_KEY_FILE"
"""Names a file that holds the master key, as a secret that is mounted into a container."""

_MODELS_SHOWN = 12
_CURRENT_KEY = "jq -r '.current // .LITELLM_MASTER_KEY'"
"""Reads the key out of what `MasterKey.parse` takes beside a plain one."""


def serve(config: Path | None, host: str | None, port: int | None, workers: int | None, log_level: str | None) -> None:
    """Run the gateway; ends the process with 0 after an orderly stop and 2 when it can not start."""
    try:
        sys.exit(_serve(config, host, port, workers, log_level))
    except ConfigurationError as error:
        print("headgate can not start:", file=sys.stderr)
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)
        sys.exit(2)


def _serve(config: Path | None, host: str | None, port: int | None, workers: int | None, log_level: str | None) -> int:
    environ = dict(os.environ)
    settings = server_settings(environ, host=host, port=port, workers=workers, log_level=log_level)
    if config is None and environ.get("CONFIG_FILE_PATH"):
        config = Path(environ["CONFIG_FILE_PATH"])
    load = partial(load_configuration, config, environ) if config is not None else partial(embedded_default, environ)
    configuration = load()
    master_key, key_file = find_master_key(configuration, settings)
    # Imported late, so that a wrong configuration is told before the time that this takes.
    from headgate.gateway import run
    from headgate.telemetry import configure_logging

    configure_logging(log_level_of(configuration, settings), json_lines=configuration.litellm.json_logs)
    for warning in configuration.warnings:
        logging.getLogger("headgate.config").warning("%s", warning)
    place = key_file or _mounted_file(configuration)
    source = _key_in_file(place, master_key) if place is not None else _key_in_environment(master_key, environ)
    if key_file is not None and sys.stdout.isatty():
        # Only its owner looks.
        source = source._replace(shown=f"{master_key} (kept in {key_file})")

    def announce(port: int) -> None:
        print(banner(configuration, settings.model_copy(update={"port": port}), source), flush=True)

    return run(configuration, settings, master_key, load, announce)


def log_level_of(configuration: Configuration, settings: ServerSettings) -> str:
    """Return the log level: `set_verbose` means debug where neither command line nor environment say otherwise."""
    if configuration.litellm.set_verbose and "log_level" not in settings.model_fields_set:
        return "debug"
    return settings.log_level


def find_master_key(configuration: Configuration, settings: ServerSettings) -> tuple[str, Path | None]:
    """Return the master key as it is configured, and the file that it is kept in when it was generated.

    The configuration's own and the variables' come before the file that `HEADGATE_MASTER_KEY_FILE` names. On loopback
    one is generated when none is configured. Raises `ConfigurationError` elsewhere, and for a file without a key.
    """
    if configuration.general.master_key is not None:
        return configuration.general.master_key.get_secret_value(), None
    mounted = _mounted_file(configuration)
    if mounted is not None:
        return _mounted_master_key(mounted), None
    if not is_loopback(settings.host):
        raise ConfigurationError(
            [
                f"A master key is needed to listen on {settings.host}: set LITELLM_MASTER_KEY (or HEADGATE_MASTER_KEY,"
                f" or {KEY_FILE_VARIABLE} to a file that holds it), or general_settings.master_key. Only on loopback is"
                " one generated."
            ]
        )
    path = settings.data_directory.absolute() / KEY_FILE
    return _kept_master_key(path), path


def _mounted_file(configuration: Configuration) -> Path | None:
    """Return the file that the master key is read from, where no setting holds the key itself."""
    named = configuration.environ.get(KEY_FILE_VARIABLE)
    return Path(named) if named and configuration.general.master_key is None else None


def _mounted_master_key(path: Path) -> str:
    try:
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError([f"{KEY_FILE_VARIABLE}: {path} can not be read: {reason}."]) from error
    if not key:
        raise ConfigurationError([f"{KEY_FILE_VARIABLE}: {path} is empty."])
    return key


def _kept_master_key(path: Path) -> str:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_text().strip()
        else:
            key = f"sk-{secrets.token_urlsafe(32)}"
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{key}\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        message = f"The master key can not be kept in {path}: {reason}. Set HEADGATE_DATA_DIR to a writable directory."
        raise ConfigurationError([message]) from error
    if not key:
        raise ConfigurationError([f"{path} is empty. Delete it, and another key is generated."])
    return key


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address that is listened on."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class KeySource(NamedTuple):
    """Where the master key is: in words, as a shell reads it, and what its user has to do for that before."""

    shown: str
    bearer: str
    needs: str = ""


def _key_in_file(path: Path, key: str) -> KeySource:
    quoted = shlex.quote(str(path.absolute()))
    return KeySource(str(path), f"$({_CURRENT_KEY} {quoted})" if _is_rotated(key) else f"$(cat {quoted})")


def _key_in_environment(key: str, environ: Mapping[str, str]) -> KeySource:
    """`environ` is the process's own, which is its user's shell's too: a configuration may set further variables."""
    variable = next((name for name, value in environ.items() if value == key), None)
    if variable is None:
        needs = "Set LITELLM_MASTER_KEY to the master key that the configuration holds. "
        return KeySource("in the configuration", "$LITELLM_MASTER_KEY", needs)
    bearer = f'$(printf %s "${variable}" | {_CURRENT_KEY})' if _is_rotated(key) else f"${variable}"
    return KeySource(f"in ${variable}", bearer)


def _is_rotated(key: str) -> bool:
    return key.lstrip().startswith("{")


def banner(configuration: Configuration, settings: ServerSettings, source: KeySource) -> str:
    """Return the screen that says what runs and how to call it. It holds no more of the key than `source` does."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.ssl_certfile is not None else "http"
    reachable = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    url = f"{scheme}://{reachable}:{settings.port}"
    names = list(dict.fromkeys(entry.model_name for entry in configuration.models))
    shown = ", ".join(names[:_MODELS_SHOWN]) + (
        f" and {len(names) - _MODELS_SHOWN} more" if names[_MODELS_SHOWN:] else ""
    )
    example = next((name for name in names if "*" not in name), "demo")
    body = json.dumps({"model": example, "messages": [{"role": "user", "content": "Hello"}]})
    return "\n".join(
        [
            f"Headgate {__version__}",
            f"  URL         {url}",
            f"  models      {shown or 'none; add some to model_list'}",
            f"  config      {configuration.source or 'built in; give one with --config'}",
            f"  master key  {source.shown}",
            "",
            f"{source.needs}Try it:",
            f'  curl {url}/v1/chat/completions -H "Authorization: Bearer {source.bearer}" \\',
            f"    -H 'Content-Type: application/json' -d {shlex.quote(body)}",
            "",
        ]
    )
