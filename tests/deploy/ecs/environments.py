"""Environments to deploy in tests, and what earlier steps would have produced for them."""

from dataclasses import replace

from headgate.deploy.ecs import Inputs, StackSpec, bedrock_model_arns, stack_specs
from headgate.deploy.settings import PRESETS, Environment

ACCOUNT = "123456789012"
DIGEST = "0" * 64

INPUTS = Inputs(
    image=f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/headgate-prod@sha256:{DIGEST}",
    rotation_package=f"packages/{DIGEST}.zip",
    configuration=f"configuration/{DIGEST}.yaml",
    bedrock_model_arns=bedrock_model_arns(["bedrock/us.anthropic.claude-sonnet-4-6"], "us-east-1", ACCOUNT),
)


def environment(name: str = "prod", **changes: object) -> Environment:
    """Return a preset with `changes`."""
    plain: dict[str, object] = {"allow_plaintext": True} if name == "dev" else {}
    public = {"domain": "llm.example.com", "hosted_zone_id": "Z0123456789ABC"} if name != "dev" else {}
    shared = {"redis": name != "dev"}
    return Environment.model_validate(
        {"name": name, "platform": "ecs", **PRESETS[name], **plain, **public, **shared, **changes}
    )


def everything_on() -> Environment:
    """Return a production environment with every switch on."""
    return environment(
        alarm_email="operators@example.com",
        budget_dollars=500,
        cloudtrail=True,
        mock_upstream=True,
        open_webui=True,
        database_iam=True,
    )


def specs(of: Environment) -> dict[str, StackSpec]:
    """Return an environment's stacks by template."""
    return {spec.template: spec for spec in stack_specs(of, INPUTS)}


def with_parameters(spec: StackSpec, **parameters: str) -> StackSpec:
    """Return a stack with other values for some parameters."""
    return replace(spec, parameters={**spec.parameters, **parameters})
