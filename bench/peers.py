"""Install the gateways to compare with, each into its own prefix under `.peers/`: `python -m bench.peers [NAME...]`.

A peer that is there in the pinned version already is left alone. One that cannot be installed does not keep the others
from it; the exit code is then 1.
"""

import argparse
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench._targets import LiteLLM, Portkey, Target, TensorZero, installed_mib


class Peer(NamedTuple):
    """A peer and the version that the results are comparable with."""

    target: Target
    version: str
    install: Callable[[Path, str], None]


def _install_litellm(prefix: Path, version: str) -> None:
    _pip_install(prefix, f"litellm[proxy]=={version}")


def _install_tensorzero(prefix: Path, version: str) -> None:
    _pip_install(prefix, f"tensorzero=={version}")


def _pip_install(prefix: Path, requirement: str) -> None:
    venv.create(prefix, with_pip=True, clear=True)
    pip = [str(prefix / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, requirement], check=True, timeout=900)


def _install_portkey(prefix: Path, version: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed: apt-get install nodejs npm")
    shutil.rmtree(prefix, ignore_errors=True)
    prefix.mkdir(parents=True)
    # With a newer server library every stream ends in a 500: https://github.com/Portkey-AI/gateway/issues/1389
    pinned = {"@hono/node-server": "1.14.1"}
    manifest = {"private": True, "dependencies": {"@portkey-ai/gateway": version}, "overrides": pinned}
    (prefix / "package.json").write_text(json.dumps(manifest, indent=2))
    # Its postinstall step patches development tools and is not needed to serve.
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(prefix)]
    subprocess.run([npm, "install", *options], check=True, timeout=900)


PEERS = {
    peer.target.name: peer
    for peer in (
        Peer(LiteLLM(), "1.80.5", _install_litellm),
        Peer(Portkey(), "1.15.2", _install_portkey),
        Peer(TensorZero(), "2026.6.0", _install_tensorzero),
    )
}
"""The peers by name. LiteLLM's is the version that Headgate is compatible with."""


def install(peer: Peer) -> str:
    """Install a peer unless it is there, and return what was done in words.

    Raises `OSError` or `subprocess.SubprocessError` when its installer fails.
    """
    prefix = peer.target.install_directory
    assert prefix is not None  # noqa: S101 - a target without a prefix is no peer
    if peer.target.missing() is None and peer.target.version() == peer.version:
        return f"{peer.target.name} {peer.version} is installed in {prefix}"
    peer.install(prefix, peer.version)
    return f"{peer.target.name} {peer.target.version()} installed in {prefix}, {installed_mib(prefix):.0f} MiB"


def main() -> int:
    """Install the named peers, or all, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description="Install the gateways to compare with.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(PEERS)}; all when none is given")
    names = parser.parse_args().names or list(PEERS)
    if unknown := sorted(set(names) - set(PEERS)):
        parser.error(f"unknown peer {unknown[0]!r}; known are {', '.join(PEERS)}")
    failed = False
    for name in names:
        try:
            print(install(PEERS[name]), flush=True)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{name} could not be installed: {error}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
