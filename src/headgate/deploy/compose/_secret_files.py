"""Secrets as files: made once, readable by their owner only, and never written anywhere else."""

import hashlib
import os
import secrets
import stat
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.deploy.engine import DeployError

_LETTERS = string.ascii_letters + string.digits
"""Characters that mean nothing to a shell, to a URL or to a configuration file."""

_PROVIDERS = """\
# Keys of the providers, one a line, such as OPENAI_API_KEY=... and ANTHROPIC_API_KEY=...
# `headgate deploy up` gives them to the gateways.
"""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of its own file: `resource` in the safety rules, and `volume` is what can not be read without it."""

    file: str
    resource: str
    prefix: str = ""
    length: int = 48
    volume: str | None = None

    def generate(self) -> str:
        """Return a new value from the system's source of chance."""
        return self.prefix + "".join(secrets.choice(_LETTERS) for _ in range(self.length - len(self.prefix)))


SECRETS = (
    Secret("master_key", "master-key", "sk-", volume="postgres"),
    Secret("salt_key", "salt-key", "sk-", volume="postgres"),
    Secret("database_password", "database-url", volume="postgres"),
    Secret("redis_password", "redis-password", volume="redis-primary"),
    Secret("grafana_password", "grafana-password", length=24),
    Secret("open_webui_secret", "open-webui-secret"),
)
"""Lengths are those of the ECS guide: 48 for keys, 24 for passwords of people."""

KEY_OF_OPEN_WEBUI = "open_webui_key"
"""The file for a virtual key of Open WebUI's own; a person puts it there."""
PROVIDERS = "providers.env"
_ENVIRONMENTS = {"gateway": "gateway.env", "postgres": "postgres.env", "redis": "redis.env", "grafana": "grafana.env"}
_ENVIRONMENTS |= {"open-webui": "open-webui.env"}


class SecretFiles:
    """The directory of the secrets of one environment."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def missing(self) -> tuple[Secret, ...]:
        """Return the secrets whose file is missing or empty. Raises `DeployError`."""
        return tuple(secret for secret in SECRETS if not self._read(secret.file))

    def exposed(self) -> tuple[str, ...]:
        """Return the files that others than their owner may read."""
        return tuple(path.name for path in self._files() if stat.S_IMODE(path.stat().st_mode) & 0o077)

    def is_current(self) -> bool:
        """Tell whether the environment files hold what the secrets say. Raises `DeployError`."""
        if self.missing():
            return False
        wanted = self._environments()
        return all(self._read(name) == text.strip() for name, text in wanted.items()) and self._exists(PROVIDERS)

    def has_key_of_open_webui(self) -> bool:
        """Tell whether somebody has put a key for Open WebUI into its file. Raises `DeployError`."""
        return bool(self._read(KEY_OF_OPEN_WEBUI))

    def create(self) -> tuple[str, ...]:
        """Make what is missing and leave the rest alone; return the names of the files made. Raises `DeployError`."""
        made = []
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(0o700)
            for secret in self.missing():
                self._write(secret.file, f"{secret.generate()}\n")
                made.append(secret.file)
            for name, text in ((PROVIDERS, _PROVIDERS), (KEY_OF_OPEN_WEBUI, ""), (".gitignore", "*\n")):
                if not self._exists(name):
                    self._write(name, text)
            for name, text in self._environments().items():
                self._write(name, text)
            for path in self._files():
                path.chmod(0o600)
        except OSError as error:
            raise DeployError(f"{self.directory} can not be written: {error.strerror or 'unknown error'}.") from error
        return tuple(made)

    def delete(self) -> None:
        """Delete every file of the directory, and it. Raises `DeployError`."""
        try:
            for path in self._files():
                path.unlink()
            self.directory.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            raise DeployError(f"{self.directory} can not be deleted: {error.strerror or 'unknown error'}.") from error

    def master_key(self) -> str:
        """Return the gateways' master key. Raises `DeployError` when there is none."""
        if value := self._read("master_key"):
            return value
        raise DeployError(f"{self.directory / 'master_key'} holds nothing: `headgate deploy up` makes what is missing.")

    def values(self) -> Iterator[str]:
        """Yield every secret value there is, for hiding it."""
        for name in (*(secret.file for secret in SECRETS), KEY_OF_OPEN_WEBUI):
            if value := self._read(name):
                yield value
        for line in self._read(PROVIDERS).splitlines():
            _, found, value = line.partition("=")
            if found and not line.startswith("#") and len(value.strip()) >= 8:
                yield value.strip().strip("\"'")

    def fingerprint(self, file: str) -> str:
        """Return a short digest of one secret, empty where there is none. Raises `DeployError`."""
        value = self._read(file)
        return hashlib.sha256(value.encode()).hexdigest()[:12] if value else ""

    def versions(self) -> Mapping[str, str]:
        """Return, by component, a short digest that changes with its secrets; empty before there are any."""
        if self.missing():
            return {}
        texts = {component: self._environments()[name] for component, name in _ENVIRONMENTS.items()}
        texts["gateway"] += self._read(PROVIDERS)
        # Of 48 random characters a digest tells nothing.
        return {component: hashlib.sha256(text.encode()).hexdigest()[:12] for component, text in texts.items()}

    def _environments(self) -> Mapping[str, str]:
        value = {secret.file: self._read(secret.file) for secret in SECRETS}
        database = f"postgresql://headgate:{value['database_password']}@postgres:5432/headgate"
        lines = {
            "gateway": {
                "LITELLM_MASTER_KEY": value["master_key"],
                "LITELLM_SALT_KEY": value["salt_key"],
                "DATABASE_URL": database,
                "REDIS_PASSWORD": value["redis_password"],
            },
            "postgres": {"POSTGRES_PASSWORD": value["database_password"]},
            "redis": {"REDIS_PASSWORD": value["redis_password"]},
            "grafana": {"GF_SECURITY_ADMIN_PASSWORD": value["grafana_password"]},
            "open-webui": {
                "OPENAI_API_KEY": self._read(KEY_OF_OPEN_WEBUI),
                "WEBUI_SECRET_KEY": value["open_webui_secret"],
            },
        }
        return {
            _ENVIRONMENTS[component]: "".join(f"{name}={text}\n" for name, text in pairs.items())
            for component, pairs in lines.items()
        }

    def _files(self) -> list[Path]:
        return sorted(path for path in self.directory.glob("*") if path.is_file())

    def _exists(self, name: str) -> bool:
        return (self.directory / name).is_file()

    def _read(self, name: str) -> str:
        try:
            return (self.directory / name).read_text().strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise DeployError(f"{self.directory / name} can not be read.") from error

    def _write(self, name: str, text: str) -> None:
        """Write a file that never exists with more rights than its owner's, nor half written."""
        path = self.directory / name
        temporary = self.directory / f".{name}.new"
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        temporary.replace(path)
