"""The parts of the stack as the engine sees them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headgate.deploy.compose._docker import Container, Docker
from headgate.deploy.compose._images import gateway_image, is_built_here
from headgate.deploy.compose._render import MOUNT_POINTS
from headgate.deploy.compose._secret_files import SecretFiles
from headgate.deploy.engine import Action, Change, DeployError, Health, Operation, Progress, Risk, State, Trait

WAIT_SECONDS = 300
"""How long services may take to become healthy."""


@dataclass(frozen=True)
class Prerequisites:
    """Docker on this machine, and the image that no registry has."""

    docker: Docker
    image: str
    name: str = "docker"
    requires: tuple[str, ...] = ()
    trait: Trait = Trait.COMPULSORY

    def describe(self) -> State:
        """Ask Docker for itself and for the image."""
        problem = self.docker.problem() or self._missing_image()
        return State(Health.UNKNOWN, problem) if problem else State(Health.HEALTHY, "Docker answers")

    def _missing_image(self) -> str | None:
        reference = gateway_image(self.image)
        if not is_built_here(self.image) or self.docker.has_image(reference):
            return None
        return f"There is no image {reference}: build it with `docker build --tag {reference} .` in Headgate's source."

    def plan(self, state: State) -> Change:
        """Nothing is installed; a run stops here until what is missing is there."""
        if state.health is Health.HEALTHY:
            return Change(Action.SKIP, ("it answers",))
        return Change(Action.CREATE, ("checked first; a run stops here until it can be used",))

    def plan_destroy(self, state: State) -> Change:
        """Docker is not ours to remove."""
        return Change(Action.SKIP, ("it was there before",))

    def apply(self, progress: Progress) -> None:
        """Insist on it."""
        progress("asking Docker")
        state = self.describe()
        if state.health is not Health.HEALTHY:
            raise DeployError(state.reason)

    def destroy(self, progress: Progress) -> None:
        """Leave it alone."""


@dataclass(frozen=True)
class Files:
    """The compose file and what the services read."""

    docker: Docker
    directory: Path
    wanted: Callable[[], Mapping[str, str]]
    name: str = "files"
    requires: tuple[str, ...] = ("docker", "secrets")
    trait: Trait = Trait.NORMAL

    def describe(self) -> State:
        """Compare what is on disk with what is wanted."""
        wanted = self.wanted()
        there = [path for path in wanted if (self.directory / path).is_file()]
        if not there:
            return State(Health.ABSENT, f"nothing is in {self.directory}")
        changed = self._changed(wanted)
        if changed:
            return State(Health.UNHEALTHY, f"not as wanted: {', '.join(changed)}")
        return State(Health.HEALTHY, f"{len(wanted)} files in {self.directory}")

    def _changed(self, wanted: Mapping[str, str]) -> list[str]:
        changed = []
        for path, text in wanted.items():
            try:
                if (self.directory / path).read_text() != text:
                    changed.append(path)
            except (OSError, UnicodeDecodeError):
                changed.append(path)
        return changed

    def plan(self, state: State) -> Change:
        """Write what differs."""
        if state.health is Health.HEALTHY:
            return Change(Action.SKIP, ("every file is as wanted",))
        changed = self._changed(self.wanted())
        if state.health is Health.ABSENT:
            return Change(Action.CREATE, (f"writes {len(changed)} files to {self.directory}",))
        return Change(Action.UPDATE, (f"writes {', '.join(changed)}",))

    def plan_destroy(self, state: State) -> Change:
        """Delete what was written; rules and dashboards that somebody put beside it stay."""
        if state.health is Health.ABSENT:
            return Change(Action.SKIP, (state.reason,))
        return Change(Action.DELETE, ("rules and dashboards of your own are kept",))

    def apply(self, progress: Progress) -> None:
        """Write every file, into a directory that only its owner may enter."""
        progress(f"writing to {self.directory}")
        write_files(self.directory, self.wanted(), mode=0o700)

    def destroy(self, progress: Progress) -> None:
        """Remove the network, then the files."""
        if (self.directory / "compose.yaml").is_file():
            progress("removing the networks")
            self.docker.compose("down", "--remove-orphans")
        progress(f"deleting what was written to {self.directory}")
        for path in self.wanted():
            try:
                (self.directory / path).unlink(missing_ok=True)
            except OSError as error:
                raise DeployError(f"{self.directory / path} can not be deleted: {error.strerror}.") from error


@dataclass(frozen=True)
class Secrets:
    """The files of the secrets."""

    docker: Docker
    files: SecretFiles
    delete_data: bool
    name: str = "secrets"
    requires: tuple[str, ...] = ("docker",)
    trait: Trait = Trait.CRITICAL

    def describe(self) -> State:
        """Look at names, sizes and rights, not at values."""
        if not self.files.directory.is_dir():
            return State(Health.ABSENT, f"there is no {self.files.directory}")
        if missing := self.files.missing():
            names = ", ".join(secret.file for secret in missing)
            return State(Health.UNHEALTHY, f"missing or empty in {self.files.directory}: {names}")
        if exposed := self.files.exposed():
            return State(Health.UNHEALTHY, f"others may read {', '.join(exposed)}")
        if not self.files.is_current():
            return State(Health.UNHEALTHY, "a secret was changed and has not reached the services' files")
        return State(Health.HEALTHY, f"in {self.files.directory}, readable by their owner only")

    def plan(self, state: State) -> Change:
        """Generate what is missing, never what is there; what a volume depends on is a risk."""
        if state.health is Health.HEALTHY:
            return Change(Action.SKIP, ("every secret is there; none is ever generated again",))
        missing = self.files.missing()
        reasons = (f"generates {', '.join(secret.file for secret in missing)}",) if missing else (state.reason,)
        action = Action.CREATE if state.health is Health.ABSENT else Action.UPDATE
        return Change(action, reasons, risks=self._risks())

    def _risks(self) -> tuple[Risk, ...]:
        try:
            volumes = self.docker.volumes()
        except DeployError:
            # Without Docker a run ends before it gets here.
            return ()
        return tuple(
            Risk(
                secret.resource,
                Operation.REGENERATE,
                f"its file {secret.file} is gone, and the volume {secret.volume} was made with it",
            )
            for secret in self.files.missing()
            if secret.volume in volumes
        )

    def plan_destroy(self, state: State) -> Change:
        """Keep them as long as the volumes: what is in those can not be read without."""
        if state.health is Health.ABSENT:
            return Change(Action.SKIP, (state.reason,))
        if not self.delete_data:
            return Change(Action.SKIP, ("kept with the volumes, which can not be read without them",))
        return Change(Action.DELETE, ("every secret is deleted",), risks=(Risk("data", Operation.DELETE_DATA),))

    def apply(self, progress: Progress) -> None:
        """Generate what is missing."""
        made = self.files.create()
        progress(f"generated {', '.join(made)}" if made else "nothing to generate")

    def destroy(self, progress: Progress) -> None:
        """Delete them."""
        progress(f"deleting {self.files.directory}")
        self.files.delete()


@dataclass(frozen=True)
class Services:
    """Containers that belong together. `security` are notes on what starting them opens."""

    docker: Docker
    name: str
    requires: tuple[str, ...]
    services: tuple[str, ...]
    wanted: Callable[[], Mapping[str, str]]
    trait: Trait = Trait.NORMAL
    volumes: tuple[str, ...] = ()
    delete_data: bool = False
    security: tuple[str, ...] = ()
    obstacle: Callable[[], str | None] = field(default=lambda: None)

    def describe(self) -> State:
        """Ask Docker for the containers."""
        found = self._containers()
        if not found:
            return State(Health.ABSENT, "no container")
        wrong = [container_problem(found.get(service), service) for service in self.services]
        if problems := [problem for problem in wrong if problem]:
            return State(Health.UNHEALTHY, "; ".join(problems))
        return State(Health.HEALTHY, f"{len(self.services)} running")

    def _containers(self) -> dict[str, Container]:
        return {one.service: one for one in self.docker.containers() if one.service in self.services}

    def plan(self, state: State) -> Change:
        """Start what is missing, recreate what is made of something else."""
        if (obstacle := self.obstacle()) is not None:
            return Change(Action.BLOCKED, (obstacle,))
        if state.health is Health.ABSENT:
            return Change(Action.CREATE, (f"starts {', '.join(self.services)}",), self.security)
        if state.health is Health.UNKNOWN:
            return Change(
                Action.CREATE, ("not known whether it exists; what does is brought up to date",), self.security
            )
        if outdated := self._outdated():
            return Change(Action.REPLACE, (f"made of something else now: {', '.join(outdated)}",), self.security)
        if state.health is Health.UNHEALTHY:
            return Change(Action.UPDATE, (state.reason,), self.security)
        return Change(Action.SKIP, ("running as wanted",))

    def _outdated(self) -> list[str]:
        wanted = self.wanted()
        return [name for name, one in self._containers().items() if one.digest != wanted[name]]

    def plan_destroy(self, state: State) -> Change:
        """Remove the containers; their volumes stay unless that was asked for as well."""
        if not self.delete_data:
            kept = f"keeps the volumes {', '.join(self.volumes)}" if self.volumes else "keeps nothing: it has no data"
            return Change(Action.SKIP if state.health is Health.ABSENT else Action.DELETE, (kept,))
        if state.health is Health.ABSENT and not self._volumes():
            return Change(Action.SKIP, ("nothing is left of it",))
        gone = f"deletes the volumes {', '.join(self.volumes)}" if self.volumes else "it has no data"
        risks = (Risk("data", Operation.DELETE_DATA),) if self.volumes else ()
        return Change(Action.DELETE, (gone,), risks=risks)

    def _volumes(self) -> list[str]:
        there = self.docker.volumes()
        return [volume for volume in self.volumes if volume in there]

    def apply(self, progress: Progress) -> None:
        """Start the services and wait until they are healthy. Raises `DeployError` with their last words."""
        progress(f"starting {', '.join(self.services)}")
        options = ("--detach", "--wait", "--wait-timeout", str(WAIT_SECONDS), "--no-deps", "--remove-orphans")
        try:
            self.docker.compose("up", *options, *self.services)
        except DeployError as error:
            raise DeployError(f"{error}{self._last_words()}") from error

    def _last_words(self) -> str:
        try:
            state = self.describe().reason
            words = self.docker.compose("logs", "--no-color", "--tail", "20", *self.services, seconds=30)
        except DeployError:
            return ""
        return f"\n{state}\n{self.docker.hide(words[-4000:])}".rstrip()

    def destroy(self, progress: Progress) -> None:
        """Stop and remove the containers, and the volumes when that was asked for."""
        if self._containers():
            progress(f"removing {', '.join(self.services)}")
            self.docker.compose("rm", "--stop", "--force", *self.services)
        if self.delete_data and (volumes := self._volumes()):
            progress(f"deleting the volumes {', '.join(volumes)}")
            self.docker.delete_volumes(volumes)


def write_files(directory: Path, wanted: Mapping[str, str], mode: int | None = None) -> None:
    """Write rendered files and the directories for rules and dashboards. Raises `DeployError`.

    The services, which run as users of their own, can read them; `mode` is for the directory that holds them all.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if mode is not None:
            directory.chmod(mode)
        for path, text in wanted.items():
            target = directory / path
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            target.write_text(text)
            target.chmod(0o644)
        for name in MOUNT_POINTS:
            (directory / name).mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise DeployError(f"{directory} can not be written: {error.strerror or 'unknown error'}.") from error


def container_problem(container: Container | None, service: str) -> str | None:
    """Say what is wrong with a service's container; None when it runs and is healthy."""
    if container is None:
        return f"{service} has no container"
    if container.state != "running":
        return f"{service} is {container.state} (exit code {container.exit_code})"
    if container.health not in ("", "healthy"):
        return f"{service} is {container.health}"
    return None
