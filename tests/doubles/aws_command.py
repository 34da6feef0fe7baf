"""The part of the aws command line that rendered scripts use, over boto3. Made into a file called `aws` by a test."""

import json
import sys
from pathlib import Path
from typing import Any

import boto3


def option(words: list[str], name: str) -> str:
    """Return the value after an option."""
    return words[words.index(name) + 1]


def say(text: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{text}\n")


def deploy(words: list[str]) -> None:
    """Create or update a stack as `aws cloudformation deploy` does."""
    client = boto3.client("cloudformation")
    name = option(words, "--stack-name")
    given = json.loads(Path(option(words, "--parameter-overrides").removeprefix("file://")).read_text())
    there = {stack["StackName"] for stack in client.describe_stacks()["Stacks"]}
    start = words.index("--capabilities") + 1
    capabilities = words[start : words.index("--tags")]
    request: dict[str, Any] = {
        "StackName": name,
        "ChangeSetName": "deploy",
        "ChangeSetType": "UPDATE" if name in there else "CREATE",
        "TemplateBody": Path(option(words, "--template-file")).read_text(),
        "Parameters": [
            {"ParameterKey": one.partition("=")[0], "ParameterValue": one.partition("=")[2]} for one in given
        ],
        "Capabilities": capabilities,
    }
    client.create_change_set(**request)
    client.execute_change_set(StackName=name, ChangeSetName="deploy")


def bucket_name(words: list[str]) -> None:
    """Print the one output that scripts ask for."""
    assert "BucketName" in option(words, "--query")
    [stack] = boto3.client("cloudformation").describe_stacks(StackName=option(words, "--stack-name"))["Stacks"]
    say(next(one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == "BucketName"))


def copy(words: list[str]) -> None:
    """Upload a file."""
    source, target = words[-2:]
    bucket, _, key = target.removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=Path(source).read_bytes())


def read_secret(words: list[str]) -> None:
    """Print a secret's value."""
    say(boto3.client("secretsmanager").get_secret_value(SecretId=option(words, "--secret-id"))["SecretString"])


def write_secret(words: list[str]) -> None:
    """Put what comes from standard input."""
    assert option(words, "--secret-string") == "file:///dev/stdin"
    boto3.client("secretsmanager").put_secret_value(
        SecretId=option(words, "--secret-id"), SecretString=sys.stdin.read()
    )


def protect(words: list[str]) -> None:
    """Turn termination protection on."""
    client = boto3.client("cloudformation")
    client.update_termination_protection(StackName=option(words, "--stack-name"), EnableTerminationProtection=True)


COMMANDS = {
    ("cloudformation", "deploy"): deploy,
    ("cloudformation", "describe-stacks"): bucket_name,
    ("cloudformation", "update-termination-protection"): protect,
    ("s3", "cp"): copy,
    ("secretsmanager", "get-secret-value"): read_secret,
    ("secretsmanager", "put-secret-value"): write_secret,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1], sys.argv[2]](sys.argv[3:])
