"""Renders the tables of the documentation that repeat what the code says.

`python -m tests.docs.tables` writes them into the pages.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from headgate.config import GeneralSettings, RouterSettings, ServerSettings
from headgate.gateway import _credentials, _probes
from headgate.providers._registry import PROVIDERS
from headgate.transport import client, connection, dialer, fetch, response, server
from tests.docs.pages import ROOT

PROVIDERS_PAGE = ROOT / "docs/providers.md"
OPERATIONS_PAGE = ROOT / "docs/operations.md"

_MIB = 1024 * 1024
_KIB = 1024


def rendered(page: Path) -> str:
    """Return a page with its tables as the code has them."""
    text = page.read_text()
    tables = _TABLES[page.name]
    for name, rows in tables.items():
        pattern = re.compile(rf"(<!-- table: {name} -->\n\|.*\n\| ---.*\n)(?:\|.*\n)*(<!-- end -->)")
        lines = "".join([f"| {' | '.join(row)} |\n" for row in rows])
        text, count = pattern.subn(lambda match, lines=lines: f"{match[1]}{lines}{match[2]}", text)  # type: ignore[misc]
        assert count == 1, f"{page.name} has no place for the table {name!r}"
    return text


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _providers() -> list[list[str]]:
    return [
        [f"`{name}`", _codes(one.key_variables), _codes(one.base_variables), one.base_url]
        for name, one in PROVIDERS.items()
        if name != "demo"
    ]


def _seconds(value: float) -> str:
    return f"{value:g} s"


def _client_deadlines() -> list[list[str]]:
    deadlines, settings = server.Deadlines(), ServerSettings()
    return [
        ["send the header of a request", _seconds(deadlines.head), "408, closed"],
        ["send the next piece of a body", _seconds(deadlines.body_idle), "408, closed"],
        ["send all of a body", _seconds(deadlines.body), "408, closed"],
        ["send the next request", f"{_seconds(settings.keepalive_timeout)} (`HEADGATE_KEEPALIVE_TIMEOUT`)", "closed"],
        ["read on, having stopped reading", _seconds(deadlines.reader), "closed"],
    ]


def _client_limits() -> list[list[str]]:
    body = GeneralSettings().max_request_size_mb
    return [
        ["request line and header", f"{server.HEAD_LIMIT // _KIB} KiB", "431, closed"],
        ["trailer or chunk extension, in a row", f"{server.OVERHEAD_LIMIT // _KIB} KiB", "431, closed"],
        ["body", f"{body:g} MiB (`max_request_size_mb`)", "413"],
        ["pipelined requests that wait", str(server.PIPELINE_LIMIT), "not read; closed after the answers"],
    ]


def _upstream_deadlines() -> list[list[str]]:
    timeouts, settings, router = connection.Timeouts(), client.ClientSettings(), RouterSettings()
    return [
        ["connect, TLS included", _seconds(timeouts.connect), "504"],
        ["wait for a free connection", _seconds(settings.wait), "503"],
        ["a whole answer", f"{_seconds(router.timeout)} (`timeout`)", "504"],
        ["first byte of a stream", "as `timeout` (`stream_timeout`)", "504, or the next deployment"],
        ["next piece of a stream", f"{_seconds(router.timeout)} (`timeout`)", "an error event ends the stream"],
        ["idle connection", _seconds(settings.keep_alive), "closed"],
        ["resolved addresses", _seconds(dialer.REMEMBER_SECONDS), "asked for again"],
        ["probe of `/health`", _seconds(_probes.PROBE_SECONDS), "unhealthy"],
        ["look at credentials that expire", f"every {_seconds(_credentials.CHECK_SECONDS)}", "-"],
    ]


def _upstream_limits() -> list[list[str]]:
    settings = client.ClientSettings()
    return [
        ["connections per upstream and worker", f"{settings.maximum_connections:,}", "further requests wait"],
        ["header of an answer", f"{connection.HEAD_LIMIT // _KIB} KiB", "502"],
        ["a whole answer", f"{settings.response_limit // _MIB} MiB", "502"],
        [
            "bytes of a stream held for a slow client",
            f"{response.BUFFER_LIMIT // _KIB} KiB",
            "the upstream is made to wait",
        ],
        ["file that a client names by URL", f"{fetch.SIZE_LIMIT // _MIB} MiB", "400"],
    ]


_TABLES = {
    PROVIDERS_PAGE.name: {"providers": _providers()},
    OPERATIONS_PAGE.name: {
        "client deadlines": _client_deadlines(),
        "client limits": _client_limits(),
        "upstream deadlines": _upstream_deadlines(),
        "upstream limits": _upstream_limits(),
    },
}

if __name__ == "__main__":
    for page in (PROVIDERS_PAGE, OPERATIONS_PAGE):
        page.write_text(rendered(page))
