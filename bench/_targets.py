"""What is measured: the mock itself, nginx as a plain reverse proxy, Headgate, and the peers that are installed."""

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import ClassVar, NamedTuple

import msgspec

from bench import _nginx
from bench._behaviors import BEHAVIORS, Behavior
from bench._client import Request
from bench._machine import ROOT, tool_version
from bench._processes import clean_environment

PEERS = ROOT / ".peers"
"""Where `python -m bench.peers` installs, one directory each."""

COMPILED = ROOT / ".compiled"
"""Where `make compile` installs Headgate with its hot path compiled."""

MASTER_KEY = "sk-bench-4f1c7a9e02d84b6f"
"""The key of every target that checks one. It opens nothing outside of a run."""

_UPSTREAM_KEY = "sk-upstream"
_SHIMS = Path(__file__).with_name("shims")


class Upstream(NamedTuple):
    """The mock's two programs; without nginx the asyncio one plays everything."""

    nginx_port: int | None
    asyncio_port: int

    def port(self, behavior: Behavior) -> int:
        """Return the port on which a behavior is to be had."""
        if behavior.needs_timing or self.nginx_port is None:
            return self.asyncio_port
        return self.nginx_port

    def base_url(self, behavior: Behavior) -> str:
        """Return what an OpenAI client would take as its base URL."""
        return f"http://127.0.0.1:{self.port(behavior)}{behavior.base_path}"


class Launch(NamedTuple):
    """How to start a target. A target that picks its own port writes it to `port_file`."""

    command: list[str]
    environment: dict[str, str]
    port_file: Path | None = None


class Target(ABC):
    """Something that answers chat completions. `setup` says what a request goes through in it."""

    name: ClassVar[str]
    setup: ClassVar[str]
    install_directory: ClassVar[Path | None] = None

    def missing(self) -> str | None:
        """Say what has to be installed before it can run, or None."""
        return None

    @abstractmethod
    def version(self) -> str:
        """Return the version that would run."""

    @abstractmethod
    def launch(self, port: int, upstream: Upstream, directory: Path) -> Launch | None:
        """Write its configuration into `directory` and say how to start it on `port`; None when nothing is to start."""

    def path(self, behavior: Behavior) -> str:
        """Return the path of a chat completion that reaches the behavior."""
        return "/v1/chat/completions"

    def model(self, behavior: Behavior) -> str:
        """Return the model name that reaches the behavior."""
        return behavior.name

    def headers(self, behavior: Behavior, upstream: Upstream) -> Mapping[str, str]:
        """Return the headers that a client sends beside those of any JSON request."""
        return {"authorization": f"Bearer {MASTER_KEY}"}

    def request(self, behavior: Behavior, size: int, port: int, upstream: Upstream) -> Request:
        """Return a chat completion with a body of `size` bytes (or the few more that an empty question takes)."""
        body = chat_body(self.model(behavior), size, stream=behavior.deltas > 0)
        return Request(port, self.path(behavior), self.headers(behavior, upstream), body)


def chat_body(model: str, size: int, *, stream: bool) -> bytes:
    """Return the JSON of a chat completion, its question padded to make `size` bytes."""

    def encode(question: str) -> bytes:
        members = {"model": model, "messages": [{"role": "user", "content": question}]}
        return msgspec.json.encode({**members, "stream": True} if stream else members)

    return encode("x" * max(size - len(encode("")), 0))


class Direct(Target):
    """The mock without anything before it: what the machine, the mock and the driver can do."""

    name = "direct"
    setup = "no gateway: the driver talks to the mock"

    def version(self) -> str:
        """Return the version of what plays the instant mock."""
        nginx = tool_version("nginx", "-v")
        return f"nginx {nginx}" if nginx else "asyncio mock"

    def launch(self, port: int, upstream: Upstream, directory: Path) -> None:
        """Start nothing."""

    def path(self, behavior: Behavior) -> str:
        """Return the mock's own path."""
        return behavior.chat_path

    def request(self, behavior: Behavior, size: int, port: int, upstream: Upstream) -> Request:
        """Return a chat completion for the mock, whose port depends on the behavior."""
        return super().request(behavior, size, upstream.port(behavior), upstream)


class Nginx(Target):
    """The measure of what a proxy costs when it reads nothing."""

    name = "nginx"
    setup = "reverse proxy, 1 worker, upstream keep-alive, no log; checks and reads nothing"

    def missing(self) -> str | None:
        """Say how to install nginx where it is not."""
        return None if _nginx.available() else "nginx is not installed: apt-get install nginx-light"

    def version(self) -> str:
        """Return nginx's version."""
        return tool_version("nginx", "-v") or "unknown"

    def launch(self, port: int, upstream: Upstream, directory: Path) -> Launch:
        """Start it with one worker."""
        ports = {behavior: upstream.port(behavior) for behavior in BEHAVIORS}
        return Launch(_nginx.command(_nginx.proxy_configuration(port, ports), directory), clean_environment({}))

    def path(self, behavior: Behavior) -> str:
        """Return the mock's own path, which nginx passes on."""
        return behavior.chat_path


class Headgate(Target):
    """This project, as users of the image start it: with its hot path compiled, where `make compile` has been run.

    Its version tells which of the two runs.
    """

    name = "headgate"
    setup = "1 worker, master key checked, usage counted"

    def missing(self) -> str | None:
        """Say what to do where the package is not installed, or compiled from other sources than there are now."""
        if not self._program.exists():
            return f"{self._program} does not exist: pip install -e ."
        if COMPILED.exists() and _newest_source() > COMPILED.joinpath(".installed").stat().st_mtime:
            return f"{COMPILED} is older than the sources: make compile, or remove it to measure pure Python"
        return None

    def version(self) -> str:
        """Return the version, with "compiled" where it is."""
        done = subprocess.run([str(self._program), "--version"], capture_output=True, text=True, check=True)
        return done.stdout.strip().removeprefix("headgate ")

    def launch(self, port: int, upstream: Upstream, directory: Path) -> Launch:
        """Start `headgate serve` with a model for each behavior."""
        config = _litellm_configuration(upstream, directory)
        options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        environment = clean_environment({"HEADGATE_DATA_DIR": str(directory / "data")})
        return Launch([str(self._program), "serve", "--config", str(config), *options], environment)

    @property
    def _program(self) -> Path:
        directory = COMPILED / "bin" if COMPILED.exists() else Path(sys.executable).parent
        return directory / "headgate"


class LiteLLM(Target):
    """LiteLLM's proxy, with its defaults and no database (which would have to be fetched from elsewhere)."""

    name = "litellm"
    setup = "1 worker, master key checked, no database, its own cost map"
    install_directory = PEERS / "litellm"

    def missing(self) -> str | None:
        """Say how to install it where it is not."""
        return _peer_missing(self.install_directory / "bin" / "litellm")

    def version(self) -> str:
        """Return the installed version."""
        return _distribution_version(self.install_directory, "litellm")

    def launch(self, port: int, upstream: Upstream, directory: Path) -> Launch:
        """Start it with a model for each behavior."""
        config = _litellm_configuration(upstream, directory)
        options = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        # Otherwise it downloads its price list from GitHub when it starts.
        environment = clean_environment({"LITELLM_LOCAL_MODEL_COST_MAP": "True"})
        program = self.install_directory / "bin" / "litellm"
        return Launch([str(program), "--config", str(config), *options], environment)


class Portkey(Target):
    """Portkey's open-source gateway, which has no keys of its own and is told the upstream in each request."""

    name = "portkey"
    setup = "1 process, no key store: nothing checked, upstream named in each request"
    install_directory = PEERS / "portkey"
    _package = PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway"

    def missing(self) -> str | None:
        """Say how to install it where it is not."""
        return _peer_missing(self._package / "build" / "start-server.js")

    def version(self) -> str:
        """Return the installed version."""
        return str(json.loads((self._package / "package.json").read_text())["version"])

    def launch(self, port: int, upstream: Upstream, directory: Path) -> Launch:
        """Start its server without its console, on loopback only."""
        loopback = _SHIMS / "loopback.cjs"
        program = self._package / "build" / "start-server.js"
        command = ["node", "--require", str(loopback), str(program), "--headless", f"--port={port}"]
        return Launch(command, clean_environment({"NODE_ENV": "production"}))

    def headers(self, behavior: Behavior, upstream: Upstream) -> Mapping[str, str]:
        """Return the headers that name the upstream."""
        return {
            "authorization": f"Bearer {_UPSTREAM_KEY}",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": upstream.base_url(behavior),
        }


class TensorZero(Target):
    """TensorZero's Rust gateway, the one inside its Python wheel."""

    name = "tensorzero"
    setup = "1 process with a thread per core, no keys, observability off"
    install_directory = PEERS / "tensorzero"

    def missing(self) -> str | None:
        """Say how to install it where it is not."""
        return _peer_missing(self.install_directory / "bin" / "python")

    def version(self) -> str:
        """Return the installed version."""
        return _distribution_version(self.install_directory, "tensorzero")

    def launch(self, port: int, upstream: Upstream, directory: Path) -> Launch:
        """Start it with a model for each behavior; it takes a port that is free."""
        lines = ["[gateway]", "disable_pseudonymous_usage_analytics = true", "observability.enabled = false"]
        for behavior in BEHAVIORS:
            lines += [
                f'[models."{behavior.name}"]',
                'routing = ["mock"]',
                f'[models."{behavior.name}".providers.mock]',
                'type = "openai"',
                f'model_name = "{behavior.name}"',
                f'api_base = "{upstream.base_url(behavior)}/"',
                'api_key_location = "none"',
            ]
        config = directory / "tensorzero.toml"
        config.write_text("\n".join(lines) + "\n")
        port_file = directory / "port"
        python = self.install_directory / "bin" / "python"
        command = [str(python), str(_SHIMS / "tensorzero_gateway.py"), str(config), str(port_file)]
        return Launch(command, clean_environment({}), port_file)

    def path(self, behavior: Behavior) -> str:
        """Return the path of its OpenAI-compatible route."""
        return "/openai/v1/chat/completions"

    def model(self, behavior: Behavior) -> str:
        """Return the model in its own notation."""
        return f"tensorzero::model_name::{behavior.name}"


TARGETS: tuple[Target, ...] = (Direct(), Nginx(), Headgate(), LiteLLM(), Portkey(), TensorZero())
"""Every target, in the order of the tables."""


def installed_mib(directory: Path) -> float:
    """Return the size on disk of everything under a directory, hard links counted once."""
    sizes: dict[int, int] = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            status = (Path(folder) / name).lstat()
            sizes[status.st_ino] = status.st_blocks * 512
    return sum(sizes.values()) / (1024 * 1024)


def _litellm_configuration(upstream: Upstream, directory: Path) -> Path:
    """Write the configuration that LiteLLM and Headgate both read; JSON is YAML."""
    models = [
        {
            "model_name": behavior.name,
            "litellm_params": {
                "model": f"openai/{behavior.name}",
                "api_base": upstream.base_url(behavior),
                "api_key": _UPSTREAM_KEY,
            },
        }
        for behavior in BEHAVIORS
    ]
    config = directory / "config.yaml"
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": MASTER_KEY}}, indent=2))
    return config


def _newest_source() -> float:
    return max(path.stat().st_mtime for path in ROOT.joinpath("src").rglob("*.py"))


def _peer_missing(program: Path) -> str | None:
    return None if program.exists() else "not installed: make bench-peers"


def _distribution_version(environment: Path, name: str) -> str:
    paths = [str(path) for path in environment.glob("lib/python*/site-packages")]
    return next((found.version for found in metadata.distributions(name=name, path=paths)), "unknown")
