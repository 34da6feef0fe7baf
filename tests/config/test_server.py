from pathlib import Path

import pytest

from headgate.config import ServerSettings, server_settings
from headgate.core.errors import ConfigurationError


def test_nothing_set_leaves_the_defaults() -> None:
    assert server_settings({}) == ServerSettings()
    # LiteLLM's.
    assert server_settings({}).port == 4000


def test_the_command_line_wins_over_the_environment() -> None:
    environ = {"HOST": "0.0.0.0", "HEADGATE_HOST": "::1", "PORT": "80", "NUM_WORKERS": "4"}
    settings = server_settings(environ, port=90, workers=None)
    assert (settings.host, settings.port, settings.workers) == ("::1", 90, 4)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HEADGATE_DATA_DIR": "/data", "XDG_DATA_HOME": "/xdg", "HOME": "/home/me"}, "/data"),
        ({"XDG_DATA_HOME": "/xdg", "HOME": "/home/me"}, "/xdg/headgate"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/home/me"}, "/home/me/.local/share/headgate"),
        ({}, ".headgate"),
    ],
)
def test_data_is_kept_where_the_platform_keeps_it(environ: dict[str, str], expected: str) -> None:
    assert server_settings(environ).data_directory == Path(expected)


def test_the_log_level_is_read_in_any_case() -> None:
    assert server_settings({"LITELLM_LOG": "DEBUG"}).log_level == "debug"


def test_every_problem_is_told_at_once() -> None:
    environ = {"NUM_WORKERS": "many", "KEEPALIVE_TIMEOUT": "0", "SSL_KEYFILE_PATH": "/key.pem"}
    with pytest.raises(ConfigurationError) as caught:
        server_settings(environ, port=70000)
    assert caught.value.problems == (
        "--port: input should be less than or equal to 65535.",
        "The environment variable NUM_WORKERS: input should be a valid integer, unable to parse string as an integer.",
        "The environment variable KEEPALIVE_TIMEOUT: input should be greater than 0.",
        "TLS needs both SSL_KEYFILE_PATH and SSL_CERTFILE_PATH; only one is set.",
    )


def test_both_tls_files_are_taken() -> None:
    settings = server_settings({"SSL_KEYFILE_PATH": "/key.pem", "HEADGATE_SSL_CERTFILE": "/cert.pem"})
    assert (settings.ssl_keyfile, settings.ssl_certfile) == (Path("/key.pem"), Path("/cert.pem"))


def test_a_setting_that_does_not_exist_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="no setting 'prot'"):
        server_settings({}, prot=1)
