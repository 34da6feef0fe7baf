"""Where everything of a deployment on ECS is, and how to get at it. Secrets are named, never shown."""

import contextlib
import re
import shlex
from collections.abc import Mapping

from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._names import names_of, stacks_of
from headgate.deploy.engine import DeployError
from headgate.deploy.secrets import catalogue_for
from headgate.deploy.settings import Environment

Facts = dict[str, str]
StackOutputs = Mapping[str, Mapping[str, str]]
"""The outputs of the stacks that exist, by template."""

_AS_HEADER = (
    'python3 -c \'import json, sys; print("Authorization: Bearer", json.load(sys.stdin)["LITELLM_MASTER_KEY"])\''
)
"""Turns the secret into a header for curl's standard input: an argument would be seen by everybody on the machine."""
_CONTAINER = "proxy"


def outputs(environment: Environment, account: Account, stack_outputs: StackOutputs) -> dict[str, Facts]:
    """Return facts by subject: addresses, names, and command lines for the aws command line.

    What a stack that is not there would tell is left out, and the stack named under `not_there_yet`. Whether shells can
    be opened is asked of AWS, and left out where that can not be told.
    """
    found = {
        "gateway": _gateway(environment, stack_outputs),
        "open-webui": _open_webui(environment, stack_outputs),
        "shell": _shell(environment, account, stack_outputs),
        "database": _database(environment, stack_outputs),
        "secrets": _secrets(environment, stack_outputs),
        "logs": _logs(environment, stack_outputs),
        "dashboard": _named(stack_outputs, "monitoring", {"url": "DashboardUrl"}),
        "alarms": _named(stack_outputs, "security", {"topic": "AlarmTopicArn"}),
        "images": _images(environment, stack_outputs),
        "buckets": _named(stack_outputs, "bootstrap", {"state": "BucketName"})
        | _named(stack_outputs, "security", {"logs": "LogBucketName"}),
    }
    missing = [template for template in stacks_of(environment) if template not in stack_outputs]
    if missing:
        found["not_there_yet"] = {"stacks": ", ".join(missing)}
    return {subject: facts for subject, facts in found.items() if facts}


def _named(stack_outputs: StackOutputs, template: str, names: Mapping[str, str]) -> Facts:
    there = stack_outputs.get(template, {})
    return {fact: there[name] for fact, name in names.items() if name in there}


def _aws(environment: Environment, *words: str) -> str:
    return shlex.join(["aws", *words[:2], "--region", environment.region, *words[2:]])


def _gateway(environment: Environment, stack_outputs: StackOutputs) -> Facts:
    facts = _named(stack_outputs, "alb", {"url": "Url", "load_balancer": "LoadBalancerDnsName"})
    if "url" not in facts:
        return {}
    secret = f"{environment.project}/{environment.name}/master-key"
    words = ("secretsmanager", "get-secret-value", "--secret-id", secret, "--query", "SecretString", "--output", "text")
    ask = f"curl --silent --show-error --fail-with-body --header @- {facts['url']}/v1/models"
    facts["list_models"] = f"{_aws(environment, *words)} | {_AS_HEADER} | {ask}"
    if environment.runs_litellm:
        facts["admin_page"] = f"{facts['url']}/ui, with user and password of the secret ui-password"
    return facts


def _open_webui(environment: Environment, stack_outputs: StackOutputs) -> Facts:
    facts = _named(stack_outputs, "alb", {"url": "OpenWebUiUrl"})
    if facts:
        facts["login"] = f"in the secret {environment.project}/{environment.name}/open-webui-admin"
    return facts


def _shell(environment: Environment, account: Account, stack_outputs: StackOutputs) -> Facts:
    if "gateway" not in stack_outputs:
        return {}
    enabled = _may_open_shells(account, stack_outputs["gateway"])
    if enabled is None:
        return {}
    if not enabled:
        return {"how": "not enabled: ExecuteCommand of the stacks security and gateway switches it on (docs/ecs.md)"}
    cluster = stack_outputs["gateway"]["ClusterName"]
    words = ("ecs", "execute-command", "--cluster", cluster, "--container", _CONTAINER, "--interactive")
    return {"open": f'{_aws(environment, *words)} --command /bin/sh --task "$({_a_task(environment, stack_outputs)})"'}


def _a_task(environment: Environment, stack_outputs: StackOutputs) -> str:
    there = stack_outputs["gateway"]
    words = ("ecs", "list-tasks", "--cluster", there["ClusterName"], "--service-name", there["ServiceName"])
    return _aws(environment, *words, "--query", "taskArns[0]", "--output", "text")


def _may_open_shells(account: Account, gateway: Mapping[str, str]) -> bool | None:
    with contextlib.suppress(DeployError), explained("The gateway's service"):
        answer = account.call(
            account.client("ecs").describe_services, cluster=gateway["ClusterName"], services=[gateway["ServiceName"]]
        )
        for service in answer["services"]:
            return bool(service.get("enableExecuteCommand"))
    return None


def _database(environment: Environment, stack_outputs: StackOutputs) -> Facts:
    there = stack_outputs.get("database", {})
    if "DatabaseEndpoint" not in there:
        return {}
    host, port = there["DatabaseEndpoint"], there.get("DatabasePort", "5432")
    facts = {
        "endpoint": f"{host}:{port}",
        "login": f"in the secret {environment.project}/{environment.name}/database",
        "reach": "private: from inside the VPC, or through a task where shells can be opened",
    }
    if "gateway" in stack_outputs:
        cluster = stack_outputs["gateway"]["ClusterName"]
        query = f"tasks[0].containers[?name=='{_CONTAINER}'].runtimeId | [0]"
        words = ("ecs", "describe-tasks", "--cluster", cluster, "--query", query, "--output", "text")
        runtime = f'{_aws(environment, *words)} --tasks "$({_a_task(environment, stack_outputs)})"'
        document = ("--document-name", "AWS-StartPortForwardingSessionToRemoteHost")
        parameters = f"host={host},portNumber={port},localPortNumber={port}"
        session = _aws(environment, "ssm", "start-session", *document, "--parameters", parameters)
        # The runtime's id is the task's id, a hyphen and a number.
        facts["tunnel"] = f'runtime="$({runtime})"; {session} --target "ecs:{cluster}_${{runtime%-*}}_$runtime"'
    return facts


def _secrets(environment: Environment, stack_outputs: StackOutputs) -> Facts:
    if "security" not in stack_outputs:
        return {}
    facts = {
        entry.name: f"{environment.project}/{environment.name}/{entry.name}"
        for entry in catalogue_for(redis=environment.redis, open_webui=environment.open_webui)
    }
    return facts | _named(stack_outputs, "database", {"database_administrator": "AdministratorSecretArn"})


def _logs(environment: Environment, stack_outputs: StackOutputs) -> Facts:
    facts = {}
    for template, spec in stacks_of(environment).items():
        if template in stack_outputs:
            for logical, name in names_of(spec, "AWS::Logs::LogGroup", "LogGroupName"):
                words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", logical.removesuffix("LogGroup")).lower()
                facts[words or template] = name
    if facts:
        facts["follow"] = f"{_aws(environment, 'logs', 'tail', '--follow')} NAME"
    return facts


def _images(environment: Environment, stack_outputs: StackOutputs) -> Facts:
    facts = _named(stack_outputs, "bootstrap", {"repository": "RepositoryUri"})
    if not facts:
        return {}
    uri = facts["repository"]
    login = f"docker login --username AWS --password-stdin {uri.partition('/')[0]}"
    facts["login"] = f"{_aws(environment, 'ecr', 'get-login-password')} | {login}"
    facts["push"] = f"docker tag IMAGE {uri}:TAG && docker push {uri}:TAG"
    return facts
