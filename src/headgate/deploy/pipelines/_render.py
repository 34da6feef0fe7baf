"""From a provider, a platform and a few names to the text of every pipeline file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from headgate.core.errors import ConfigurationError
from headgate.deploy.pipelines._sets import COMPOSE, ECS, Pipeline

if TYPE_CHECKING:
    from jinja2 import Environment

PINS: Mapping[str, str] = {
    "checkout": "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
    "setup_python": "actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0",
    "aws": "aws-actions/configure-aws-credentials@d979d5b3a71173a29b74b5b88418bfda9437d885 # v6.1.1",
}
"""Actions of others, by commit, because a tag can be moved; the Dependabot configuration raises them."""

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
_VERSION = re.compile(r"\d+(\.\d+)*([a-z0-9.+]*)")


class Provider(StrEnum):
    """Who runs the pipelines."""

    AZURE = "azure"
    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """What the pipelines differ by.

    `environments` are those of the deployment file, `project` its prefix of names; `version` is the version of Headgate
    that they install.
    """

    platform: str = "ecs"
    environments: Sequence[str] = ("dev", "prod")
    project: str = "headgate"
    version: str = ""


def render_pipelines(provider: Provider, settings: PipelineSettings) -> dict[str, str]:
    """Return the files of a provider: path below the repository's root, and text.

    Raises `ConfigurationError` for settings that can not be used, and when jinja2 is not installed.
    """
    _check(settings)
    return _FILES[provider](_Texts(settings))


def _check(settings: PipelineSettings) -> None:
    problems = [
        f"{name[:60]!r} is not the name of an environment or project: up to 20 lower-case letters, digits and hyphens."
        for name in (*settings.environments, settings.project)
        if _NAME.fullmatch(name) is None
    ]
    if settings.platform not in ("ecs", "compose"):
        problems.append(f"There is no platform {settings.platform[:60]!r}; there are ecs and compose.")
    if not settings.environments:
        problems.append("The pipelines need an environment at least.")
    if _VERSION.fullmatch(settings.version) is None:
        problems.append(f"{settings.version[:60]!r} is not a version of Headgate.")
    if problems:
        raise ConfigurationError(problems)


class _Texts:
    """Fills the templates with what the settings say."""

    def __init__(self, settings: PipelineSettings) -> None:
        self.cloud = settings.platform == "ecs"
        self.pipelines = ECS if self.cloud else COMPOSE
        self._templates = _templates()
        self._values: dict[str, Any] = {
            "cloud": self.cloud,
            "environments": list(settings.environments),
            "project": settings.project,
            "version": settings.version,
            "pins": PINS,
        }
        for script in ("confirm", "typed", "image", "redeploy", "machine"):
            self._values[f"{script}_script"] = self.fill(f"shared/{script}.sh.j2").rstrip()

    def fill(self, template: str, pipeline: Pipeline | None = None, **more: Any) -> str:
        """Return the text of a template, for one pipeline where it is about one."""
        about = {} if pipeline is None else {name: getattr(pipeline, name) for name in _FIELDS}
        text = self._templates.get_template(template).render(**self._values, **about, **more)
        return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


_FIELDS = (
    *("name", "title", "components", "bootstrap", "build", "verify", "redeploy", "teardown"),
    *("stage", "arguments", "confirmed"),
)


def _templates() -> "Environment":
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise ConfigurationError(["Pipelines need jinja2: install headgate[deploy]."]) from error
    # Delimiters that no provider uses; and YAML is not HTML, so nothing is escaped: every value is checked instead.
    return Environment(  # noqa: S701
        loader=PackageLoader("headgate.deploy.pipelines"),
        undefined=StrictUndefined,
        variable_start_string="<{",
        variable_end_string="}>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _azure(texts: _Texts) -> dict[str, str]:
    hosted = "pool:\n  vmImage: ubuntu-24.04"
    more: dict[str, Any] = {
        "hosted_pool": hosted,
        "pool": hosted if texts.cloud else "pool:\n  name: headgate",
        "credentials_script": texts.fill("azure/credentials.sh.j2").rstrip(),
    }
    templates = ["aws-cfn-deploy.yml", "check-prerequisites.yml", *(["aws-ecr-build.yml"] if texts.cloud else [])]
    return {
        **{
            f"azure-devops/azure-pipelines-{pipeline.name}.yml": texts.fill(
                f"azure/{'teardown' if pipeline.teardown else 'deploy'}.yml.j2", pipeline, **more
            )
            for pipeline in texts.pipelines
        },
        "azure-devops/azure-pipelines-validate.yml": texts.fill("azure/validate.yml.j2", **more),
        **{f"azure-devops/templates/{name}": texts.fill(f"azure/{name}.j2", **more) for name in templates},
        "azure-devops/requirements.txt": texts.fill("shared/requirements.txt.j2"),
    }


def _github(texts: _Texts) -> dict[str, str]:
    hosted = "ubuntu-24.04"
    more: dict[str, Any] = {"hosted": hosted, "runner": hosted if texts.cloud else "[self-hosted, headgate]"}
    return {
        **{
            f".github/workflows/{pipeline.own}.yml": texts.fill(
                f"github/{'teardown' if pipeline.teardown else 'deploy'}.yml.j2", pipeline, **more
            )
            for pipeline in texts.pipelines
        },
        ".github/workflows/validate.yml": texts.fill("github/validate.yml.j2", **more),
        ".github/actions/headgate/action.yml": texts.fill("github/action.yml.j2"),
        ".github/headgate/requirements.txt": texts.fill("shared/requirements.txt.j2"),
        ".github/dependabot.yml": texts.fill("github/dependabot.yml.j2"),
    }


def _gitlab(texts: _Texts) -> dict[str, str]:
    return {
        ".gitlab-ci.yml": texts.fill("gitlab/gitlab-ci.yml.j2"),
        ".gitlab/headgate/pipeline.yml": texts.fill("gitlab/pipeline.yml.j2", jobs=texts.pipelines),
        ".gitlab/headgate/requirements.txt": texts.fill("shared/requirements.txt.j2"),
    }


_FILES = {Provider.AZURE: _azure, Provider.GITHUB: _github, Provider.GITLAB: _gitlab}
