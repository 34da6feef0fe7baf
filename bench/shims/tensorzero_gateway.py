"""Run TensorZero's HTTP gateway from its wheel: `python tensorzero_gateway.py CONFIG PORT_FILE`.

Runs in the peer's own environment. The gateway takes a free port on loopback, which is written to PORT_FILE.
The entry point is private to the package, which is why the peer's version is pinned.
"""

import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tensorzero.tensorzero import _start_http_gateway  # type: ignore[import-not-found]


def main() -> None:
    """Start the gateway and wait for a signal."""
    config, port_file = sys.argv[1:]
    gateway = _start_http_gateway(
        config_file=config, clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
    )
    complete = Path(port_file).with_suffix(".partial")
    complete.write_text(str(urlsplit(gateway.base_url).port))
    complete.rename(port_file)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
