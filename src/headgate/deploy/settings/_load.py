"""From `headgate.deploy.yaml` to environments with every value decided."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from headgate.config.documents import (
    DocumentError,
    Finding,
    Findings,
    KeyPath,
    Node,
    Severity,
    mapping,
    plain,
    read,
    validate,
)
from headgate.core.errors import ConfigurationError
from headgate.deploy.settings._checks import check
from headgate.deploy.settings._environment import RESERVED_NAMES, Environment
from headgate.deploy.settings._presets import ON_ONE_MACHINE, PRESETS, has_effect

FILE_NAME = "headgate.deploy.yaml"
"""Where the deployer looks when no file is named."""

_PLATFORMS = ("ecs", "compose")
_SECTIONS = {"gateway": {"image": "image", "configuration": "configuration", "workers": "workers"}}
"""Settings that may also stand in a section of their own, under these names."""
_KEYS = tuple(name for name in Environment.model_fields if name not in ("name", "platform"))
_FILES = ("configuration", "database_authorities")
_FROM_ENVIRONMENT = {"region": "AWS_REGION", "account": "AWS_ACCOUNT_ID"}


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """A deployment file that has nothing wrong with it.

    `environments` holds what the file lists (all presets when it lists none), in its order; `warnings` what has no
    effect, a sentence each.
    """

    source: Path
    platform: str
    environments: Mapping[str, Environment]
    warnings: tuple[str, ...] = ()

    def environment(self, name: str) -> Environment:
        """Return one environment. Raises `ConfigurationError` when the file does not list it."""
        if name not in self.environments:
            listed = ", ".join(self.environments)
            problem = f"{self.source}: no environment is called {name[:60]!r}; there are {listed}."
            raise ConfigurationError([" ".join([problem, *_nearest(name, self.environments)])])
        return self.environments[name]


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> DeploySettings:
    """Read a deployment file. Raises `ConfigurationError` with everything that is wrong, each with its line.

    A setting of an environment counts before the same one at the top level, that before the preset, that before the
    default. `environ` gives region and account (`AWS_REGION`, `AWS_ACCOUNT_ID`) where the file does not.
    """
    findings = Findings()
    try:
        root = read(path)
    except DocumentError as error:
        hint = "" if path.exists() else " `headgate deploy init` writes one."
        raise ConfigurationError([_located(path, error) + hint]) from None
    if not isinstance(root.value, dict):
        raise ConfigurationError([f"{path}:{root.line}: Expected `key: value` lines, such as platform: compose."])
    settings = _Reader(root, environ or {}, findings).settings(path)
    if findings.fatal:
        raise ConfigurationError([str(finding) for finding in findings if finding.fatal])
    return replace(settings, warnings=tuple(str(found) for found in findings if found.severity is Severity.WARNING))


class _Reader:
    """Reads one file; notes what is wrong instead of stopping at it."""

    def __init__(self, root: Node, environ: Mapping[str, str], findings: Findings) -> None:
        self._root = root
        self._environ = environ
        self._findings = findings
        self._platform = self._read_platform()

    def settings(self, path: Path) -> DeploySettings:
        common = self._flat(self._root, (), also=("platform", "environments"))
        environments: dict[str, Environment] = {}
        for name, node in self._listed().items():
            environment = self._environment(name, node, common)
            if environment is not None:
                environments[name] = environment
        return DeploySettings(path, self._platform, environments)

    def _read_platform(self) -> str:
        node = self._root.get("platform")
        if node is None:
            self._error(self._root, ("platform",), "platform is missing.", "Set it to compose or ecs.")
        elif node.value not in _PLATFORMS:
            near = _nearest(str(node.value), _PLATFORMS)
            self._error(node, ("platform",), "platform should be compose or ecs.", *near)
        else:
            return str(node.value)
        return "compose"

    def _listed(self) -> Mapping[str, Node]:
        node = self._root.get("environments")
        if node is None or node.value is None:
            return {name: replace(self._root, value={}) for name in PRESETS}
        if not isinstance(node.value, dict):
            self._error(node, ("environments",), "environments takes a name per environment, such as `dev:`.")
            return {}
        return node.value

    def _environment(self, name: str, node: Node, common: Mapping[str, Node]) -> Environment | None:
        path: KeyPath = ("environments", name)
        if node.value is None:
            node = replace(node, value={})
        if not isinstance(node.value, dict):
            self._error(node, path, f"environments.{name[:60]} takes `key: value` lines.")
            return None
        if name in RESERVED_NAMES:
            self._error(node, path, f"{name} can not be the name of an environment.")
            return None
        like = self._like(name, node)
        if like is None:
            return None
        given = {**common, **self._flat(node, path, also=("like",))}
        self._warn_without_effect(given)
        values = self._defaults(like, given) | {key: plain(value) for key, value in given.items()}
        tree = mapping({**given, "name": replace(node, value=name)}, node.file, node.line)
        found = Findings()
        given_name = {"name": name, "platform": self._platform}
        environment = validate(Environment, values | given_name, tree, (), found)
        for finding in found:
            self._add(finding)
        if environment is None:
            return None
        for setting, problem in check(environment, like):
            self._error(given.get(setting, node), (*path, setting), f"{name}: {setting}: {problem}")
        return self._with_paths(environment, given)

    def _like(self, name: str, node: Node) -> str | None:
        said = node.get("like")
        like = name if said is None else str(said.value)
        if like in PRESETS:
            return like
        presets = ", ".join(PRESETS)
        key: KeyPath = ("environments", name, "like")
        if said is not None:
            self._error(said, key, f"like should be one of {presets}.", *_nearest(like, PRESETS))
        else:
            self._error(node, key, f"{name[:60]} needs `like:` and one of {presets}.", *_nearest(like, PRESETS))
        return None

    def _defaults(self, like: str, given: Mapping[str, Node]) -> dict[str, object]:
        values: dict[str, object] = dict(PRESETS[like])
        if self._platform == "compose":
            values |= ON_ONE_MACHINE
            if isinstance(given.get("tasks", self._root).value, int):
                values["max_tasks"] = given["tasks"].value
        else:
            tasks = plain(given["tasks"]) if "tasks" in given else values.get("tasks", 1)
            values["redis"] = isinstance(tasks, int) and tasks > 1
            if "image" in given and "litellm" in str(given["image"].value).rpartition("/")[2]:
                # The mock runs in Headgate's image.
                values["mock_upstream"] = False
        for setting, variable in _FROM_ENVIRONMENT.items():
            if self._environ.get(variable):
                values[setting] = self._environ[variable]
        return values

    def _flat(self, node: Node, path: KeyPath, also: Iterable[str]) -> dict[str, Node]:
        """Return the settings of a mapping, sections opened, and note keys that nobody knows."""
        assert isinstance(node.value, dict)  # noqa: S101 - both callers have checked it
        flat: dict[str, Node] = {}
        for key, value in node.value.items():
            if key in _SECTIONS:
                flat |= self._section(key, value, (*path, key))
            elif key in _KEYS:
                flat[key] = value
            elif key not in also:
                near = _nearest(key, (*_KEYS, *_SECTIONS, *also))
                self._error(value, (*path, key), f"{_shown((*path, key))} is not a setting.", *near)
        return {key: value for key, value in flat.items() if value.value is not None}

    def _section(self, section: str, node: Node, path: KeyPath) -> dict[str, Node]:
        if not isinstance(node.value, dict):
            self._error(node, path, f"{_shown(path)} takes `key: value` lines.")
            return {}
        known = _SECTIONS[section]
        for key, value in node.value.items():
            if key not in known:
                near = _nearest(key, known)
                self._error(value, (*path, key), f"{_shown((*path, key))} is not a setting.", *near)
        return {known[key]: value for key, value in node.value.items() if key in known}

    def _warn_without_effect(self, given: Mapping[str, Node]) -> None:
        for setting, node in given.items():
            if not has_effect(setting, self._platform) and not self._findings.has(setting):
                message = f"{setting} has no effect on the platform {self._platform}."
                self._findings.add(Finding(Severity.WARNING, message, node.file, node.line, setting))

    def _with_paths(self, environment: Environment, given: Mapping[str, Node]) -> Environment:
        """See files from the deployment file, and insist that they are there."""
        found: dict[str, Path] = {}
        for setting in _FILES:
            named = getattr(environment, setting)
            if named is None:
                continue
            node = given[setting]
            found[setting] = path = node.file.parent / named
            if not path.is_file():
                self._error(node, (setting,), f"{setting}: there is no file {path}.")
        return environment.model_copy(update=found)

    def _error(self, node: Node, path: KeyPath, message: str, suggestion: str = "") -> None:
        key = ".".join(str(part) for part in path)
        self._add(Finding(Severity.ERROR, message, node.file, node.line, key, suggestion, fatal=True))

    def _add(self, finding: Finding) -> None:
        """Note something once, however many environments it concerns."""
        if str(finding) not in {str(other) for other in self._findings}:
            self._findings.add(finding)


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    near = difflib.get_close_matches(name.lower().replace("-", "_")[:100], list(known), n=1, cutoff=0.6)
    return [f"Did you mean {near[0]}?"] if near else []


def _located(path: Path, error: DocumentError) -> str:
    return f"{path}: {error.message}" if error.line is None else f"{path}:{error.line}: {error.message}"


def _shown(path: KeyPath) -> str:
    text = ".".join(str(part) for part in path)
    return text if len(text) <= 120 and text.isprintable() else repr(text[:120])
