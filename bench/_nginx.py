"""nginx as the instant mock upstream and as the reverse proxy to compare with: one worker each, nothing logged."""

import grp
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from bench._behaviors import BEHAVIORS, Behavior, answer
from bench._machine import find_tool

_PIECE = 1_000
"""nginx refuses longer words than 4 KB in its configuration, so long answers are put together from pieces."""


def available() -> bool:
    """Whether nginx is installed."""
    return find_tool("nginx") is not None


def command(configuration: str, directory: Path) -> list[str]:
    """Write the configuration into `directory` and return the command that runs nginx with it in the foreground."""
    path = directory / "nginx.conf"
    path.write_text(_global_settings(directory) + configuration)
    return [str(find_tool("nginx")), "-p", str(directory), "-c", str(path)]


def mock_configuration(port: int) -> str:
    """Return the `http` block of the mock that answers every behavior without timing, at once."""
    locations = "".join(
        f"    location {behavior.base_path}/ {{ default_type application/json; return 200 '{_pieces(behavior)}'; }}\n"
        for behavior in BEHAVIORS
        if not behavior.needs_timing
    )
    return _http(
        f"  server {{\n    listen 127.0.0.1:{port} backlog=4096;\n    set $x '{'x' * _PIECE}';\n{locations}  }}\n"
    )


def proxy_configuration(port: int, upstream_ports: Mapping[Behavior, int]) -> str:
    """Return the `http` block of a reverse proxy on `port` that passes each behavior's path to its upstream."""
    upstreams = "".join(
        f"  upstream mock_{number} {{ server 127.0.0.1:{number}; keepalive 1024; keepalive_requests 1000000000; }}\n"
        for number in sorted(set(upstream_ports.values()))
    )
    locations = "".join(
        f"    location {behavior.base_path}/ {{ proxy_pass http://mock_{number};"
        f"{' proxy_buffering off;' if behavior.deltas else ''} }}\n"
        for behavior, number in upstream_ports.items()
    )
    settings = '    proxy_http_version 1.1;\n    proxy_set_header Connection "";\n'
    return _http(f"{upstreams}  server {{\n    listen 127.0.0.1:{port} backlog=4096;\n{settings}{locations}  }}\n")


def _pieces(behavior: Behavior) -> str:
    """Return the answer with each whole piece of its padding as the variable `x`."""
    return answer(behavior.answer_bytes).decode().replace("x" * _PIECE, "${x}")


def _http(inner: str) -> str:
    return (
        "http {\n"
        "  access_log off;\n"
        "  keepalive_timeout 3600s;\n"
        "  keepalive_requests 1000000000;\n"
        "  client_max_body_size 64m;\n"
        "  client_body_buffer_size 1m;\n"
        "  client_body_temp_path client_body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n"
        "  uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n"
        f"{inner}}}\n"
    )


def _global_settings(directory: Path) -> str:
    # Started as root, the worker would become another user who cannot reach the temporary directory.
    user = f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};\n" if os.geteuid() == 0 else ""
    return (
        f"{user}daemon off;\nworker_processes 1;\nworker_rlimit_nofile 16384;\n"
        f"pid {directory}/nginx.pid;\nerror_log {directory}/error.log warn;\n"
        "events { worker_connections 8192; }\n"
    )
