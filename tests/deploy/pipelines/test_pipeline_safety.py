"""What a pipeline must never do, and what every pipeline must have."""

import re
from typing import Any

import pytest

from headgate.deploy.pipelines import COMPOSE, ECS, Provider
from tests.deploy.pipelines.rendering import EVERYTHING, PLATFORMS, parsed, rendered, scripts

SETS = {"ecs": ECS, "compose": COMPOSE}
GITHUB = [
    (platform, name)
    for platform in PLATFORMS
    for name in rendered(Provider.GITHUB, platform)
    if name.startswith(".github/workflows/")
]
CHANGING = [(platform, pipeline) for platform in PLATFORMS for pipeline in SETS[platform]]


@pytest.mark.parametrize(("provider", "platform"), EVERYTHING)
def test_there_are_no_static_keys_and_no_stored_secrets(provider: Provider, platform: str) -> None:
    for name, text in rendered(provider, platform).items():
        assert not re.search(r"(?i)access_key|secret_access|aws_session|\bsecrets\.|AKIA", text), name


@pytest.mark.parametrize(("provider", "platform"), EVERYTHING)
def test_nothing_prints_the_environment_or_a_token(provider: Provider, platform: str) -> None:
    for name in rendered(provider, platform):
        if name.endswith(".yml"):
            for script in scripts(parsed(provider, platform, name)):
                assert not re.search(r"(^|[;|&]\s*)(printenv|env|set)\s*($|[|>])|set -\w*x", script, re.MULTILINE)
                for line in script.splitlines():
                    if re.search(r"idToken|AWS_TOKEN\b|get-login-password", line):
                        assert re.search(r'> "\$AWS_WEB_IDENTITY_TOKEN_FILE"|^unset |password-stdin', line.strip()), (
                            line
                        )


@pytest.mark.parametrize(("provider", "platform"), EVERYTHING)
def test_no_parameter_is_pasted_into_a_script(provider: Provider, platform: str) -> None:
    for name in rendered(provider, platform):
        if name.endswith(".yml"):
            for script in scripts(parsed(provider, platform, name)):
                # The commands are those of our own pipelines, not what somebody typed.
                assert set(re.findall(r"\$\{\{.*?\}\}", script)) <= {"${{ parameters.commands }}"}, name


@pytest.mark.parametrize(("platform", "name"), GITHUB)
def test_a_workflow_has_no_permissions_but_those_of_its_jobs(platform: str, name: str) -> None:
    workflow = parsed(Provider.GITHUB, platform, name)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        allowed = {"contents": "read"} | ({"id-token": "write"} if platform == "ecs" else {})
        assert job["permissions"] in ({}, allowed)


@pytest.mark.parametrize(("platform", "name"), GITHUB)
def test_a_workflow_uses_only_pinned_actions_and_keeps_no_credentials(platform: str, name: str) -> None:
    workflow = parsed(Provider.GITHUB, platform, name)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    for step in steps:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}|\./\.github/actions/headgate", step.get("uses", "a@" + "0" * 40))
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}


@pytest.mark.parametrize(("platform", "name"), GITHUB)
def test_a_workflow_fails_when_a_part_of_a_pipe_does_and_is_never_cut_off_in_a_deployment(
    platform: str, name: str
) -> None:
    workflow = parsed(Provider.GITHUB, platform, name)
    assert workflow["defaults"] == {"run": {"shell": "bash"}}
    changes = _changes(workflow)
    assert workflow["concurrency"]["cancel-in-progress"] is not changes
    if changes:
        assert workflow["concurrency"]["group"] == "headgate-${{ inputs.environment }}"


def _changes(job: Any) -> bool:
    return bool(re.search(r"headgate deploy (up|down|bootstrap)|update_service|docker push", "\n".join(scripts(job))))


@pytest.mark.parametrize(("platform", "name"), GITHUB)
def test_a_github_job_that_changes_something_waits_for_approval_on_the_default_branch(platform: str, name: str) -> None:
    workflow = parsed(Provider.GITHUB, platform, name)
    for job in workflow["jobs"].values():
        if _changes(job):
            assert job["environment"] == "${{ inputs.environment }}"
            assert job["if"] == "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)"
            assert job["needs"] in ("plan", "check")
        else:
            assert "environment" not in job
            assert "HEADGATE_DEPLOY_ROLE_ARN" not in str(job)
    assert any(_changes(job) for job in workflow["jobs"].values()) is not name.endswith("validate.yml")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_pull_requests_are_planned_and_nothing_else(platform: str) -> None:
    workflow = parsed(Provider.GITHUB, platform, ".github/workflows/validate.yml")
    assert "pull_request" in workflow["on"]
    assert "pull_request_target" not in workflow["on"]
    assert workflow["jobs"]["plan"]["if"] == "github.event_name == 'pull_request'"
    assert workflow["jobs"]["verify"]["if"] == "github.event_name != 'pull_request'"
    assert workflow["jobs"]["plan"]["runs-on"] == "ubuntu-24.04"
    for name in (name for one, name in GITHUB if one == platform and not name.endswith("validate.yml")):
        assert list(parsed(Provider.GITHUB, platform, name)["on"]) == ["workflow_dispatch"]


@pytest.mark.parametrize(("platform", "pipeline"), CHANGING)
def test_an_azure_pipeline_starts_by_hand_and_deploys_through_the_approved_template(
    platform: str, pipeline: Any
) -> None:
    file = parsed(Provider.AZURE, platform, f"azure-devops/azure-pipelines-{pipeline.name}.yml")
    assert (file["trigger"], file["pr"]) == ("none", "none")
    preflight, deploy = file["stages"]
    assert "Preflight" in str(preflight) or preflight["template"] == "templates/check-prerequisites.yml"
    assert deploy["template"] == "templates/aws-cfn-deploy.yml"
    assert not _changes(preflight)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_azure_template_deploys_to_an_environment_from_main_one_at_a_time(platform: str) -> None:
    (stage,) = parsed(Provider.AZURE, platform, "azure-devops/templates/aws-cfn-deploy.yml")["stages"]
    assert "refs/heads/main" in stage["condition"]
    assert (stage["dependsOn"], stage["lockBehavior"]) == ("Preflight", "sequential")
    (job,) = stage["jobs"]
    assert job["environment"] == "headgate-${{ parameters.environment }}"
    assert "deployment" in job


def test_azure_plans_with_a_connection_of_its_own() -> None:
    for name, text in rendered(Provider.AZURE, "ecs").items():
        plans = name.endswith(("check-prerequisites.yml", "validate.yml"))
        assert ("azureSubscription: headgate-plan" in text) is plans
        assert not (plans and "HEADGATE_DEPLOY_ROLE_ARN" in text)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_gitlab_job_that_changes_something_is_started_by_hand_in_a_protected_environment(platform: str) -> None:
    jobs = parsed(Provider.GITLAB, platform, ".gitlab/headgate/pipeline.yml")
    change = jobs[".change"]
    assert change["environment"] == {"name": "$HEADGATE_ENVIRONMENT"}
    assert change["rules"] == [
        {"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "when": "manual", "allow_failure": True}
    ]
    assert change["resource_group"] == "headgate-$HEADGATE_ENVIRONMENT"
    for pipeline in SETS[platform]:
        job = jobs[pipeline.own]
        assert _changes(job)
        assert job["extends"] == ".change"
        assert not job.keys() & {"rules", "environment", "resource_group"}
    assert {name for name, job in jobs.items() if _changes(job)} == {pipeline.own for pipeline in SETS[platform]}


@pytest.mark.parametrize(("platform", "pipeline"), [(one, two) for one, two in CHANGING if two.teardown])
def test_a_teardown_takes_a_typed_confirmation(platform: str, pipeline: Any) -> None:
    github = parsed(Provider.GITHUB, platform, f".github/workflows/{pipeline.own}.yml")
    assert github["on"]["workflow_dispatch"]["inputs"]["typed"]["required"] is True
    assert github["jobs"]["destroy"]["needs"] == "check"
    assert 'if [ "$TYPED" != "destroy $HEADGATE_ENVIRONMENT" ]' in "\n".join(scripts(github["jobs"]["check"]))
    azure = parsed(Provider.AZURE, platform, f"azure-devops/azure-pipelines-{pipeline.name}.yml")
    (typed,) = [one for one in azure["parameters"] if one["name"] == "typed"]
    assert "default" not in typed
    assert '"$TYPED" != "destroy $HEADGATE_ENVIRONMENT"' in "\n".join(scripts(azure["stages"][0]))
    gitlab = parsed(Provider.GITLAB, platform, ".gitlab/headgate/pipeline.yml")[pipeline.own]
    (script,) = gitlab["script"]
    assert script.index('"$TYPED" != "destroy') < script.index("headgate deploy down")


@pytest.mark.parametrize(("provider", "platform"), EVERYTHING)
def test_nothing_is_asked_and_nothing_healthy_is_left_out_of_an_update(provider: Provider, platform: str) -> None:
    text = "\n".join(rendered(provider, platform).values())
    assert "INTERACTIVE_MODE" in text
    assert not re.search(r"AUTO_SKIP_HEALTHY|SKIP_ALL", text)


def test_one_machine_needs_no_role_and_no_token() -> None:
    for provider in Provider:
        text = "\n".join(rendered(provider, "compose").values())
        assert not re.search(r"AWS_|ROLE_ARN|id-token|id_tokens|azureSubscription", text)


def test_a_pull_request_never_runs_on_the_machine_that_is_deployed_to() -> None:
    jobs = parsed(Provider.GITLAB, "compose", ".gitlab/headgate/pipeline.yml")
    assert "tags" not in jobs["plan"]
    assert "tags" not in jobs[".plan"]
    assert jobs[".change"]["tags"] == jobs["validate"]["tags"] == ["headgate"]
    validate = parsed(Provider.AZURE, "compose", "azure-devops/azure-pipelines-validate.yml")
    for stage in validate["stages"]:
        plan, verify = stage["jobs"]
        assert "pool" not in plan
        assert verify["pool"] == {"name": "headgate"}
        assert verify["condition"] == "ne(variables['Build.Reason'], 'PullRequest')"
