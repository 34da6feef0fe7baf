"""The gateway on ECS Fargate: CloudFormation stacks as data, and a runner that brings them about as change sets."""

from headgate.deploy.ecs._account import Account, Identity, explained
from headgate.deploy.ecs._bedrock import bedrock_model_arns
from headgate.deploy.ecs._calls import Caller
from headgate.deploy.ecs._changes import Change, Plan, creation
from headgate.deploy.ecs._environment import Environment, Inputs
from headgate.deploy.ecs._errors import (
    ConfirmationNeededError,
    CredentialsError,
    Failure,
    StackError,
    WrongAccountError,
)
from headgate.deploy.ecs._graph import exports, imports, problems, resources
from headgate.deploy.ecs._reader import Event
from headgate.deploy.ecs._render import render
from headgate.deploy.ecs._runner import Deletion, Outcome, StackRunner
from headgate.deploy.ecs._stacks import CAPABILITIES, TEMPLATES, StackSpec, stack_specs
from headgate.deploy.ecs._target import EcsTarget
from headgate.deploy.ecs._tasks import StoppedTask, scale_service, stopped_tasks
from headgate.deploy.ecs._templates import parse_template, template_text

__all__ = [
    "CAPABILITIES",
    "TEMPLATES",
    "Account",
    "Caller",
    "Change",
    "ConfirmationNeededError",
    "CredentialsError",
    "Deletion",
    "EcsTarget",
    "Environment",
    "Event",
    "Failure",
    "Identity",
    "Inputs",
    "Outcome",
    "Plan",
    "StackError",
    "StackRunner",
    "StackSpec",
    "StoppedTask",
    "WrongAccountError",
    "bedrock_model_arns",
    "creation",
    "explained",
    "exports",
    "imports",
    "parse_template",
    "problems",
    "render",
    "resources",
    "scale_service",
    "stack_specs",
    "stopped_tasks",
    "template_text",
]
