"""One machine as a target of the deployer."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from headgate.deploy.compose._backup import Backups
from headgate.deploy.compose._components import Files, Prerequisites, Secrets, Services, write_files
from headgate.deploy.compose._docker import Docker, process_environment
from headgate.deploy.compose._drift import differences
from headgate.deploy.compose._render import COMPOSE_FILE, PORTS, digests, render, services, volumes
from headgate.deploy.compose._scale import scale
from headgate.deploy.compose._secret_files import KEY_OF_OPEN_WEBUI, SecretFiles
from headgate.deploy.compose._verify import verify
from headgate.deploy.engine import (
    Backup,
    Check,
    DeployError,
    Difference,
    Graph,
    LocalStore,
    Progress,
    StateStore,
    Trait,
    Verdict,
)
from headgate.deploy.settings import Environment, configuration_checks
from headgate.deploy.verification import Internet, Web

_REQUIRES: Mapping[str, tuple[str, ...]] = {
    "postgres": (),
    "redis": (),
    "jaeger": (),
    "gateway": ("postgres", "redis"),
    "nginx": ("gateway",),
    "alertmanager": (),
    "prometheus": ("alertmanager",),
    "grafana": ("prometheus", "jaeger"),
    "open-webui": ("nginx",),
}
_CRITICAL = frozenset({"postgres", "redis", "gateway"})


class ComposeTarget:
    """An environment on this machine, kept in `directory`: rendered files, secrets, lock and journal."""

    def __init__(
        self,
        environment: Environment,
        directory: Path,
        environ: Mapping[str, str] | None = None,
        web: Web | None = None,
    ) -> None:
        self._environment = environment
        self._directory = directory
        self._web = web or Internet()
        self._secrets = SecretFiles(directory / "secrets")
        self._rendered: tuple[Mapping[str, str], Mapping[str, str]] | None = None
        environ = process_environment() if environ is None else environ
        self._docker = Docker(environment.prefix, directory, self._secrets.values, environ)

    @property
    def store(self) -> StateStore:
        """Where lock and journal are."""
        return LocalStore(self._directory / "state")

    @property
    def foundation(self) -> None:
        """Nothing: lock and journal are files."""

    def graph(self) -> Graph:
        """Return the components to bring up, and to look at."""
        return self.teardown()

    def teardown(self, *, delete_data: bool = False) -> Graph:
        """Return the components to take down; with `delete_data` volumes and secrets go along."""
        parts = services(self._environment)
        kept = volumes(self._environment)
        made = [
            Services(
                docker=self._docker,
                name=name,
                requires=("docker", "secrets", "files", *_REQUIRES[name]),
                services=names,
                wanted=self._digests,
                trait=Trait.CRITICAL if name in _CRITICAL else Trait.NORMAL,
                volumes=kept.get(name, ()),
                delete_data=delete_data,
                security=self._opened() if name == "nginx" else (),
                obstacle=self._missing_key if name == "open-webui" else lambda: None,
            )
            for name, names in parts.items()
        ]
        return Graph(
            [
                Prerequisites(self._docker, self._environment.image),
                Secrets(self._docker, self._secrets, delete_data),
                Files(self._docker, self._directory, self._wanted),
                *made,
            ]
        )

    def leftovers(self) -> list[Check]:
        """Return nothing: each component was asked whether it is gone, and says what it keeps."""
        return []

    def validate(self) -> list[Check]:
        """Check the gateway's configuration and what is rendered, with nothing but files."""
        environment = self._environment
        rendered = render(environment)
        return [
            *configuration_checks(environment.configuration, of_litellm=environment.runs_litellm),
            Check("files", Verdict.PASSED, f"{len(rendered)} files can be written"),
        ]

    def render(self, directory: Path) -> list[str]:
        """Write every file but the secrets to a directory; return their paths. Raises `DeployError`."""
        files = render(self._environment)
        write_files(directory, files)
        return sorted(files)

    def outputs(self) -> dict[str, Any]:
        """Return where things are and how to get at them; names of files instead of secrets."""
        environment = self._environment
        reachable = environment.listen_address
        host = "127.0.0.1" if IPv4Address(reachable).is_unspecified else reachable
        url = f"http://{host}:{environment.listen_port}"
        secrets = self._secrets.directory
        found: dict[str, Any] = {
            "gateway": {"url": url, "key_file": str(secrets / "master_key")},
            "grafana": {
                "url": _local("grafana"),
                "user": "admin",
                "password_file": str(secrets / "grafana_password"),
            },
            "prometheus": {"url": _local("prometheus")},
            "alertmanager": {"url": _local("alertmanager")},
            "jaeger": {"url": _local("jaeger")},
            "provider_keys": {"file": str(secrets / "providers.env")},
        }
        if environment.open_webui:
            found["open-webui"] = {"url": _local("open_webui"), "key_file": str(secrets / KEY_OF_OPEN_WEBUI)}
        return found

    def logs(self, component: str, lines: int) -> str:
        """Return the last lines that a component's services wrote, secrets hidden. Raises `DeployError`."""
        parts = services(self._environment)
        if component not in parts:
            raise DeployError(f"{component[:60]} writes no log; there are {', '.join(parts)}.")
        options = ("--no-color", "--timestamps", "--tail", str(lines))
        return self._docker.hide(self._docker.compose("logs", *options, *parts[component], seconds=60))

    def verify(self) -> Sequence[Check]:
        """Look at containers and ports, and at the gateway as users do. Raises `ConfigurationError`."""
        return verify(self._environment, self._docker, self._secrets, self._web)

    def differences(self) -> Sequence[Difference]:
        """Return what somebody else changed since the last run. Raises `DeployError`."""
        return differences(self._environment, self._directory, self._docker, self._wanted)

    def scale(self, tasks: int, progress: Progress) -> None:
        """Say how it is done here. Raises `UsageError`."""
        scale(self._environment, tasks)

    def backups(self) -> list[Backup]:
        """Return what can be restored, newest first. Raises `DeployError`."""
        return self._backups.all()

    def backup(self, name: str, progress: Progress) -> Backup:
        """Dump the database into a file under a name. Raises `DeployError`, also for a name that is taken."""
        return self._backups.make(name, progress)

    def restore(self, name: str, progress: Progress) -> None:
        """Put a backup in place of what the database holds, and wait until the gateways serve with it.

        Raises `DeployError`.
        """
        self._backups.restore(name, progress)

    @property
    def _backups(self) -> Backups:
        return Backups(self._docker, self._directory, services(self._environment)["gateway"], self._secrets)

    def _wanted(self) -> Mapping[str, str]:
        versions = self._secrets.versions()
        if self._rendered is None or self._rendered[0] != versions:
            self._rendered = versions, render(self._environment, versions)
        return self._rendered[1]

    def _digests(self) -> Mapping[str, str]:
        return digests(self._wanted()[COMPOSE_FILE])

    def _opened(self) -> tuple[str, ...]:
        environment = self._environment
        if IPv4Address(environment.listen_address).is_loopback:
            return ()
        place = f"{environment.listen_address}:{environment.listen_port}"
        return (f"others than this machine reach {place}, without TLS: keys and prompts can be read on the way",)

    def _missing_key(self) -> str | None:
        if self._secrets.has_key_of_open_webui():
            return None
        file = self._secrets.directory / KEY_OF_OPEN_WEBUI
        return f"it needs a key of its own: make one with POST /key/generate, write it to {file}, and run this again"


def _local(name: str) -> str:
    return f"http://127.0.0.1:{PORTS[name]}"
