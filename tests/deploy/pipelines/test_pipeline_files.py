"""Which files there are, and what they call."""

import re

import pytest

from headgate.core.errors import ConfigurationError
from headgate.deploy.pipelines import PINS, PipelineSettings, Provider, render_pipelines
from headgate.deploy.pipelines._sets import COMPOSE, ECS, Pipeline
from tests.deploy.pipelines.rendering import EVERYTHING, VERSION, parsed, rendered, scripts

# The ECS guide, "Pipeline Files".
DEPLOYMENT = ("security", "network", "alb", "database", "litellm")
UPDATE = ("litellm-config", "litellm-update")
TEARDOWN = ("teardown", *(f"teardown-{stack}" for stack in ("litellm", "database", "alb", "network", "security")))
TEMPLATES = ("aws-cfn-deploy.yml", "aws-ecr-build.yml", "check-prerequisites.yml")
VERBS = {"bootstrap", "plan", "up", "down", "status", "verify", "outputs"}


@pytest.mark.parametrize("name", [*DEPLOYMENT, *UPDATE, *TEARDOWN, "validate"])
def test_the_guide_s_azure_pipelines_are_there(name: str) -> None:
    assert f"azure-devops/azure-pipelines-{name}.yml" in rendered(Provider.AZURE, "ecs")


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_guide_s_azure_templates_are_there_and_used(name: str) -> None:
    files = rendered(Provider.AZURE, "ecs")
    assert f"azure-devops/templates/{name}" in files
    users = [
        text for path, text in files.items() if f"template: templates/{name}" in text or f"template: {name}" in text
    ]
    assert users


def test_there_is_no_other_azure_file_but_the_requirements() -> None:
    assert len(rendered(Provider.AZURE, "ecs")) == 5 + 2 + 6 + 1 + 3 + 1


def test_github_and_gitlab_have_a_pipeline_for_each_of_azure() -> None:
    names = {"deploy-security", "deploy-network", "deploy-alb", "deploy-database", "deploy-gateway"}
    names |= {"update-config", "update-gateway", "teardown", "validate"}
    names |= {f"teardown-{stack}" for stack in ("gateway", "database", "alb", "network", "security")}
    workflows = {f".github/workflows/{name}.yml" for name in names}
    others = {".github/dependabot.yml", ".github/actions/headgate/action.yml", ".github/headgate/requirements.txt"}
    assert set(rendered(Provider.GITHUB, "ecs")) == workflows | others
    jobs = parsed(Provider.GITLAB, "ecs", ".gitlab/headgate/pipeline.yml")
    assert names <= set(jobs)


@pytest.mark.parametrize(("provider", "platform"), EVERYTHING)
def test_pipelines_call_nothing_but_verbs_of_headgate_deploy(provider: Provider, platform: str) -> None:
    text = "\n".join(rendered(provider, platform).values())
    called = set(re.findall(r"headgate deploy (\S+)", text))
    assert called == (VERBS if platform == "ecs" else VERBS - {"bootstrap"})


@pytest.mark.parametrize(("provider", "platform"), EVERYTHING)
def test_every_command_names_its_environment(provider: Provider, platform: str) -> None:
    for name in rendered(provider, platform):
        if name.endswith(".yml"):
            for script in scripts(parsed(provider, platform, name)):
                for line in script.splitlines():
                    assert "headgate deploy" not in line or re.search(r'--env ("\$HEADGATE_ENVIRONMENT"|\w+)', line), (
                        line
                    )


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("security", "headgate deploy up security "),
        ("network", "headgate deploy up network "),
        ("alb", "headgate deploy up alb "),
        ("database", "headgate deploy up database "),
        ("litellm", "headgate deploy up --env"),
        ("litellm-config", "headgate deploy up gateway "),
        ("litellm-update", "forceNewDeployment=True"),
        ("teardown", "headgate deploy down --env"),
        ("teardown-litellm", "headgate deploy down monitoring webui mock gateway "),
        ("teardown-database", "headgate deploy down database "),
        ("teardown-alb", "headgate deploy down alb "),
        ("teardown-network", "headgate deploy down network "),
        ("teardown-security", "headgate deploy down security "),
    ],
)
def test_an_azure_pipeline_does_what_its_name_says(name: str, command: str) -> None:
    file = f"azure-devops/azure-pipelines-{name}.yml"
    (commands,) = list(scripts(parsed(Provider.AZURE, "ecs", file)["stages"][1]))
    assert command in commands


def test_only_the_first_makes_the_ground_and_only_the_last_builds() -> None:
    files = rendered(Provider.AZURE, "ecs")
    assert [name for name, text in files.items() if "deploy bootstrap" in text] == [
        "azure-devops/azure-pipelines-security.yml"
    ]
    assert [name for name, text in files.items() if "build: true" in text] == [
        "azure-devops/azure-pipelines-litellm.yml"
    ]
    for name in ("litellm", "litellm-config", "litellm-update"):
        assert "headgate deploy verify" in files[f"azure-devops/azure-pipelines-{name}.yml"]


@pytest.mark.parametrize(("provider", "platform"), EVERYTHING)
def test_what_runs_requests_anew_is_verified_last(provider: Provider, platform: str) -> None:
    changing = [one for one in (ECS if platform == "ecs" else COMPOSE) if one.verify]
    assert {one.own for one in changing} == (
        {"deploy-gateway", "update-config", "update-gateway"} if platform == "ecs" else {"deploy"}
    )
    for pipeline in changing:
        commands = _commands(provider, platform, pipeline)
        change = commands.index("forceNewDeployment=True" if pipeline.redeploy else "headgate deploy up")
        assert change < commands.index("headgate deploy verify") < commands.index("headgate deploy outputs")


def _commands(provider: Provider, platform: str, pipeline: Pipeline) -> str:
    """Return what a pipeline runs, the steps that change something included, in order."""
    if provider is Provider.AZURE:
        value = parsed(provider, platform, f"azure-devops/azure-pipelines-{pipeline.name}.yml")
    elif provider is Provider.GITHUB:
        value = parsed(provider, platform, f".github/workflows/{pipeline.own}.yml")
    else:
        value = parsed(provider, platform, ".gitlab/headgate/pipeline.yml")[pipeline.own]
    return "\n".join(scripts(value))


@pytest.mark.parametrize(("provider", "platform"), EVERYTHING)
def test_one_file_says_which_version_is_installed(provider: Provider, platform: str) -> None:
    files = rendered(provider, platform)
    (requirements,) = [name for name in files if name.endswith("requirements.txt")]
    assert f"headgate[deploy]=={VERSION}\n" in files[requirements]
    for name, text in files.items():
        assert VERSION not in text or name == requirements
        assert "pip install" not in text or f"--requirement {requirements}" in text


def test_dependabot_keeps_actions_requirements_and_images_up_to_date() -> None:
    updates = parsed(Provider.GITHUB, "ecs", ".github/dependabot.yml")["updates"]
    assert {one["package-ecosystem"] for one in updates} == {"github-actions", "pip", "docker"}
    (actions,) = [one for one in updates if one["package-ecosystem"] == "github-actions"]
    assert "/.github/actions/headgate" in actions["directories"]


def test_pins_are_commits_with_the_version_beside_them() -> None:
    for pin in PINS.values():
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", pin)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (PipelineSettings("eks", version=VERSION), "no platform 'eks'"),
        (PipelineSettings(environments=(), version=VERSION), "need an environment"),
        (PipelineSettings(environments=("Prod",), version=VERSION), "'Prod' is not the name"),
        (PipelineSettings(environments=("a]\n  x: y",), version=VERSION), "is not the name"),
        (PipelineSettings(project="$(id)", version=VERSION), "is not the name"),
        (PipelineSettings(version="1 --index-url x"), "is not a version"),
    ],
)
def test_settings_that_could_not_work_are_refused(settings: PipelineSettings, words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        render_pipelines(Provider.AZURE, settings)


def test_a_stack_is_planned_with_what_it_requires_and_the_first_one_with_everything() -> None:
    planned = {
        name: parsed(Provider.AZURE, "ecs", f"azure-devops/azure-pipelines-{name}.yml")["stages"][0]["parameters"]
        for name in (*DEPLOYMENT, *UPDATE)
    }
    assert {name for name, given in planned.items() if "components" not in given} == {
        "security",
        "litellm",
        "litellm-update",
    }
    assert planned["alb"]["components"] == "alb"
    assert "headgate deploy plan alb --env" in rendered(Provider.GITHUB, "ecs")[".github/workflows/deploy-alb.yml"]


def test_on_one_machine_the_deployment_lives_where_no_checkout_cleans() -> None:
    for provider in Provider:
        for name, text in rendered(provider, "compose").items():
            changes = "headgate deploy up" in text or "headgate deploy down" in text
            if changes and "commands: |" not in text:
                assert 'git archive HEAD | tar --extract --directory "$HEADGATE_DIRECTORY"' in text, name
                assert 'cd "$HEADGATE_DIRECTORY"' in text, name
