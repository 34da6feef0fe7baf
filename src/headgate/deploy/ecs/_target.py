"""ECS Fargate as a target of the deployer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._backup import backup, backups
from headgate.deploy.ecs._data import Data, Foundation, remains
from headgate.deploy.ecs._drift import differences
from headgate.deploy.ecs._graph import container_variables, exports, imports, problems
from headgate.deploy.ecs._hooks import GATEWAY_SERVICE, hooks_of
from headgate.deploy.ecs._image import ImageComponent
from headgate.deploy.ecs._logs import logs
from headgate.deploy.ecs._outputs import outputs
from headgate.deploy.ecs._preflight import preflight
from headgate.deploy.ecs._prerequisites import Prerequisites
from headgate.deploy.ecs._render import render
from headgate.deploy.ecs._restore import restore
from headgate.deploy.ecs._scale import scale
from headgate.deploy.ecs._stack_component import Hooks, StackComponent
from headgate.deploy.ecs._stacks import TEMPLATES, StackSpec
from headgate.deploy.ecs._verify import verify
from headgate.deploy.ecs._world import World
from headgate.deploy.engine import (
    Action,
    Backup,
    Change,
    Check,
    Component,
    DeployError,
    Difference,
    Graph,
    Health,
    Progress,
    State,
    StateStore,
    Trait,
    Verdict,
)
from headgate.deploy.settings import Environment, configuration_checks
from headgate.deploy.verification import Internet, Web

FOUNDATION = "bootstrap"
_BESIDE_GATEWAY = frozenset({"webui", "mock"})
_CRITICAL = frozenset({"security", "network", "database", "redis", "gateway"})
_KEEPS = {
    "security": "the key, and secrets of a protected environment, stay",
    "database": "a final snapshot stays",
}


_BEYOND_IMPORTS: Mapping[str, tuple[str, ...]] = {
    "security": (FOUNDATION,),
    "gateway": ("image", "database"),
    "mock": ("image",),
    "webui": ("gateway",),
}
"""What a stack requires besides what it imports: the database's first rotation completes the gateway's secret, and the
gateway makes Open WebUI's key."""


class Superfluous(StackComponent):
    """A stack that an earlier deployment file asked for: it stays until somebody takes it away."""

    def plan(self, state: State) -> Change:
        """Leave it, and say how it goes."""
        return Change(Action.SKIP, (f"not asked for any more: `headgate deploy down {self.name}` takes it away",))


class EcsTarget:
    """An environment on ECS Fargate."""

    def __init__(self, environment: Environment, account: Account | None = None, web: Web | None = None) -> None:
        self._environment = environment
        self._web = web or Internet()
        self._account = account or Account(environment.region, environment.account)
        self._image = ImageComponent(self._account, environment, environment.image)
        self._world = World(environment, self._account, lambda: self._image.reference)

    @property
    def store(self) -> StateStore:
        """Where lock and journal are: in the bucket that the foundation makes."""
        return self._world.bucket

    @property
    def foundation(self) -> Component:
        """The stack that everything else stands on."""
        return Foundation(self._world, FOUNDATION, trait=Trait.COMPULSORY)

    def graph(self) -> Graph:
        """Return the components to bring up: a stack each, and what stands between them. Raises `DeployError`."""
        first = Prerequisites(lambda: self._checks(made))
        image = replace(self._image, requires=(first.name, *self._image.requires))
        made: list[Component] = [image, *self._stacks((first.name,))]
        return Graph([first, self.foundation, *made])

    def teardown(self, *, delete_data: bool = False) -> Graph:
        """Return the components to take down; with `delete_data` what they hold goes along. Raises `DeployError`."""
        data = [Data(self._world)] if delete_data else []
        also = tuple(one.name for one in data)
        return Graph(
            [self.foundation, self._image, *data, *self._stacks(also, taking_down=True, keep_data=not delete_data)]
        )

    def leftovers(self) -> Sequence[Check]:
        """Return what is left after a teardown. Raises `DeployError`."""
        return remains(self._world)

    def validate(self) -> list[Check]:
        """Check the gateway's configuration and the stacks, with nothing but files."""
        specs = self._world.specs()
        given = container_variables(specs["gateway"], "proxy")
        found = problems(list(specs.values()))
        verdict = Verdict.FAILED if found else Verdict.PASSED
        return [
            *configuration_checks(self._environment.configuration, given, of_litellm=self._environment.runs_litellm),
            Check("templates", verdict, " ".join(found) or f"{len(specs)} stacks fit together"),
        ]

    def render(self, directory: Path) -> list[str]:
        """Write templates, parameters and commands to a directory; return their paths in it. Raises `DeployError`."""
        world, package = self._world, self._world.package
        objects = {package.key: package.content}
        if world.configuration is not None:
            objects[world.configuration.key] = world.configuration.content
        lacking = () if package.complete else (package.key,)
        try:
            written = render(list(world.specs().values()), self._environment.region, directory, objects, lacking)
        except OSError as error:
            raise DeployError(f"{directory} can not be written: {error.strerror or 'unknown error'}.") from error
        return sorted(path.relative_to(directory).as_posix() for path in written)

    def outputs(self) -> Mapping[str, Any]:
        """Return where things are and how to get at them; names instead of secrets. Raises `DeployError`."""
        return outputs(self._world.environment, self._account, self._world.outputs())

    def logs(self, component: str, lines: int) -> str:
        """Return the last lines that a component wrote, secrets hidden. Raises `DeployError`."""
        return logs(self._account, self._environment, component, lines)

    def differences(self) -> Sequence[Difference]:
        """Return what somebody else changed since the last run. Raises `DeployError`."""
        return differences(self._account, list(self._world.specs().values()), lambda template: template)

    def scale(self, tasks: int, progress: Progress) -> None:
        """Have so many gateways run, and wait until they do. Raises `UsageError` and `DeployError`."""
        scale(self._account, self._world.prefix, GATEWAY_SERVICE, tasks, self._environment, progress)

    def verify(self) -> Sequence[Check]:
        """Look at the deployment from the outside, and at what stands behind. Raises `ConfigurationError`."""
        return verify(self._world.environment, self._account, self._outputs(), self._web)

    def backups(self) -> Sequence[Backup]:
        """Return the backups of the database, newest first. Raises `DeployError`."""
        return backups(self._account, self._environment)

    def backup(self, name: str, progress: Progress) -> Backup:
        """Make a snapshot of the database, and wait for it. Raises `DeployError`."""
        return backup(self._account, self._environment, name, progress)

    def restore(self, name: str, progress: Progress) -> None:
        """Bring a backup back in place of what the database holds, and wait until it serves. Raises `DeployError`."""
        restore(self._account, self._environment, name, progress)

    def _stacks(
        self, also: tuple[str, ...] = (), *, taking_down: bool = False, keep_data: bool = True
    ) -> list[Component]:
        """Return the stacks, each requiring those whose exports it imports, and `also` others."""
        wanted = self._world.specs()
        specs = [spec for template, spec in wanted.items() if template != FOUNDATION]
        producers = {name: spec.template for spec in specs for name in exports(spec)}
        hooks = hooks_of(self._world, self._web, keep_data=keep_data)
        made: list[Component] = [
            StackComponent(
                self._world,
                spec.template,
                requires=(*also, *_required(spec, producers)),
                trait=Trait.CRITICAL if spec.template in _CRITICAL else Trait.NORMAL,
                hooks=hooks.get(spec.template, Hooks()),
                keeps=_KEEPS.get(spec.template, ""),
            )
            for spec in specs
        ]
        # Taking down knows every name, so that what is written for one environment holds for all.
        left = (name for name in TEMPLATES if name not in wanted and (taking_down or self._is_there(name)))
        return [*made, *(Superfluous(self._world, name, requires=(*also, *_stood_on(name))) for name in left)]

    def _outputs(self) -> Mapping[str, Mapping[str, str]]:
        """Return the stacks' outputs; none where nobody can tell, so that what needs none can still be told."""
        try:
            return self._world.outputs()
        except DeployError:
            return {}

    def _checks(self, made: Sequence[Component]) -> tuple[Check, ...]:
        """Run the pre-flight; what is not there yet is made by this run, or not at all."""
        return preflight(self._world.environment, self._account, made_here=frozenset(filter(None, map(_absent, made))))

    def _is_there(self, template: str) -> bool:
        """Tell whether a stack stands; one that nobody can see does not count."""
        try:
            with explained(template):
                return self._world.runner().state(self._world.stack(template)) is not None
        except DeployError:
            return False


def _absent(component: Component) -> str | None:
    try:
        return component.name if component.describe().health is Health.ABSENT else None
    except DeployError:
        return None


def _stood_on(template: str) -> tuple[str, ...]:
    """Return what has to outlive a stack that nobody asks for any more."""
    return ("network", "gateway") if template in _BESIDE_GATEWAY else ("network",)


def _required(spec: StackSpec, producers: Mapping[str, str]) -> tuple[str, ...]:
    imported = [producers[name] for name in sorted(imports(spec)) if name in producers]
    return tuple(dict.fromkeys([*_BEYOND_IMPORTS.get(spec.template, ()), *imported]))
