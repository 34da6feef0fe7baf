"""How a Bedrock deployment is reached: model, region, endpoint and credentials, checked before the first request."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from headgate.core.errors import ConfigurationError
from headgate.providers._bedrock_models import is_identifier, is_region, parse_name
from headgate.providers._connection import Base, parse_base, setting
from headgate.transport.aws import AwsSettings

# LiteLLM 1.80.5 takes each from the environment where the deployment does not hold it. The standard variables (keys,
# AWS_PROFILE, AWS_ROLE_ARN ...) are read by botocore's chain.
_AWS_SETTINGS = {
    "access_key_id": ("aws_access_key_id", ()),
    "secret_access_key": ("aws_secret_access_key", ()),
    "session_token": ("aws_session_token", ()),
    "profile": ("aws_profile_name", ("AWS_PROFILE_NAME",)),
    "role_arn": ("aws_role_name", ("AWS_ROLE_NAME",)),
    "role_session_name": ("aws_session_name", ("AWS_SESSION_NAME",)),
    "external_id": ("aws_external_id", ("AWS_EXTERNAL_ID",)),
    "web_identity_token": ("aws_web_identity_token", ("AWS_WEB_IDENTITY_TOKEN",)),
    "sts_endpoint": ("aws_sts_endpoint", ("AWS_STS_ENDPOINT",)),
}
_REGION_VARIABLES = ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION")


class Connection(NamedTuple):
    """What a deployment's parameters say about the way to its model.

    `api_key` is a Bedrock API key, sent as a bearer token; empty where requests are signed with `aws` credentials.
    `model` is the identifier for the path and may hold one `*`; `base_model` tells what the model can do, where the
    identifier is an ARN that does not.
    """

    model: str
    base_model: str
    region: str
    base: Base
    api_key: str
    aws: AwsSettings


def parse_connection(model: str, parameters: Mapping[str, Any], environ: Mapping[str, str]) -> Connection:
    """Read a deployment's connection. Raises `ConfigurationError` with a sentence per problem."""
    named = parse_name(model)
    given = parse_name(setting(parameters, "model_id", environ, ()))
    identifier = given.identifier or named.identifier
    if not is_identifier(identifier.replace("*", "x", 1)):
        raise ConfigurationError(
            [f"'{identifier[:100]}' is not a model of Amazon Bedrock; expected its id or its ARN."]
        )
    region = (
        setting(parameters, "aws_region_name", environ, ())
        or setting(parameters, "region_name", environ, ())
        or given.region
        or named.region
        or setting({}, "aws_region_name", environ, _REGION_VARIABLES)
    )
    if not region:
        raise ConfigurationError(
            ["aws_region_name is not set, and neither is AWS_REGION; expected one like us-east-1."]
        )
    if not is_region(region):
        raise ConfigurationError([f"aws_region_name '{region[:40]}' is not a region; expected one like us-east-1."])
    base_model = setting(parameters, "base_model", environ, ()) or (
        named.identifier if given.identifier else identifier
    )
    api_key, aws = _credentials(parameters, environ, region)
    return Connection(identifier, base_model, region, _endpoint(parameters, environ, region), api_key, aws)


def _endpoint(parameters: Mapping[str, Any], environ: Mapping[str, str], region: str) -> Base:
    for name, variables in (
        ("aws_bedrock_runtime_endpoint", ("AWS_BEDROCK_RUNTIME_ENDPOINT",)),
        ("api_base", ()),
        ("base_url", ()),
    ):
        if url := setting(parameters, name, environ, variables):
            base = parse_base(url, field=name)
            if base.query:
                raise ConfigurationError([f"{name} must not have a query."])
            return base
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return parse_base(f"https://bedrock-runtime.{region}.{suffix}")


def _credentials(parameters: Mapping[str, Any], environ: Mapping[str, str], region: str) -> tuple[str, AwsSettings]:
    """Return the API key, or else where AWS credentials come from; what a deployment names beats the environment."""
    stated = {field: setting(parameters, name, environ, ()) for field, (name, _) in _AWS_SETTINGS.items()}
    ambient = () if any(stated.values()) else ("AWS_BEARER_TOKEN_BEDROCK",)
    if api_key := setting(parameters, "api_key", environ, ambient):
        return api_key, AwsSettings()
    values = {field: setting(parameters, *_named(field, environ)) for field in _AWS_SETTINGS}
    if not values["role_arn"]:
        # An ambient token alone says nothing; one that the deployment names must say which role it is for.
        values["web_identity_token"] = stated["web_identity_token"]
    if not any(values[field] for field in ("access_key_id", "profile", "web_identity_token", "role_arn")):
        values["access_key_id"] = setting({}, "aws_access_key_id", environ, ("AWS_ACCESS_KEY_ID",))
        values["secret_access_key"] = setting({}, "aws_secret_access_key", environ, ("AWS_SECRET_ACCESS_KEY",))
        values["session_token"] = setting({}, "aws_session_token", environ, ("AWS_SESSION_TOKEN",))
    return "", AwsSettings(**values, region=region)


def _named(field: str, environ: Mapping[str, str]) -> tuple[str, Mapping[str, str], tuple[str, ...]]:
    name, variables = _AWS_SETTINGS[field]
    return name, environ, variables
