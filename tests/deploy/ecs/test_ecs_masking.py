"""Values are shown, unless they could be secret."""

import json

import pytest

from headgate.deploy.ecs._masking import HIDDEN, LONGEST, shown

CANARY = "canary-value"
VARIABLES = json.dumps(
    {
        "ContainerDefinitions": [
            {
                "Environment": [
                    {"Name": "LITELLM_LOG", "Value": "DEBUG"},
                    {"Name": "MY_PASS", "Value": CANARY},
                ]
            }
        ]
    }
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/MasterUserPassword", CANARY),
        ("/SecretString", CANARY),
        ("/AuthToken", CANARY),
        ("/Connection/ApiKey", CANARY),
        ("/ContainerDefinitions/0/Environment/1/Value", CANARY),
        ("/ContainerDefinitions/0/Environment/9/Value", CANARY),
        ("/Environment/Variables/OPENAI_API_KEY", CANARY),
        ("/ContainerDefinitions/0/Environment", json.dumps([{"Name": "OPENAI_API_KEY", "Value": CANARY}])),
        ("/Environment", json.dumps({"Variables": {"TOKEN": CANARY}})),
        ("/Environment", json.dumps({"Variables": {"OTHER": f"sk-{CANARY}"}})),
        ("/Description", f"postgresql://user:{CANARY}@db.example/x"),
        ("/Description", f"key sk-{CANARY}"),
        ("/Description", f"-----BEGIN PRIVATE KEY-----\n{CANARY}"),
        ("/LaunchTemplateData", json.dumps({"UserData": CANARY, "Nested": {"Password": CANARY}})),
        ("/LinuxParameters/0/Anything", json.dumps([{"deep": [{"Password": CANARY}]}])),
    ],
)
def test_what_could_be_secret_is_hidden(path: str, value: str) -> None:
    said = shown(value, path, VARIABLES)
    assert CANARY not in said
    assert HIDDEN in said


def test_long_random_text_and_keys_of_aws_are_hidden() -> None:
    assert shown("0123456789abcdefABCDEF0123456789abcd", "/Description", "") == HIDDEN
    assert shown("by AKIAIOSFODNN7EXAMPLE", "/Description", "") == f"by {HIDDEN}"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("/SecurityGroupIngress/0/CidrIp", "0.0.0.0/0", "0.0.0.0/0"),
        ("/SecurityGroupIngress/1", '{"CidrIp":"0.0.0.0/0","FromPort":22}', '{"CidrIp": "0.0.0.0/0", "FromPort": 22}'),
        ("/ContainerDefinitions/0/Environment/0/Value", "DEBUG", "DEBUG"),
        ("/ContainerDefinitions/0/Image", f"repository@sha256:{'a' * 64}", f"repository@sha256:{'a' * 64}"),
        ("/ConfigurationKey", f"configuration/{'a' * 64}.yaml", f"configuration/{'a' * 64}.yaml"),
        ("/KmsKeyId", "arn:aws:kms:us-east-1:1:key/6cf56ead-c025-4138-a835-6eb085b35ea7", None),
        ("/EnableKeyRotation", "false", "false"),
        ("/KeyPolicy/Statement/0/Action", "kms:*", "kms:*"),
        ("/Port", "{broken", "{broken"),
    ],
)
def test_what_is_no_secret_is_shown(path: str, value: str, said: str | None) -> None:
    assert shown(value, path, VARIABLES) == (value if said is None else said)


def test_long_values_are_cut() -> None:
    assert shown("a b " * 500, "/Description", "") == f"{('a b ' * 500)[:LONGEST]}..."
