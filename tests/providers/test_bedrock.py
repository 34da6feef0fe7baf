import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headgate.config import load_configuration
from headgate.core.errors import ConfigurationError, InvalidRequestError
from headgate.core.json import raw
from headgate.core.provider import Call, Operation
from headgate.providers import create
from headgate.providers._bedrock import BedrockProvider

CLAUDE = "anthropic.claude-3-5-sonnet-20241022-v2:0"
PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2c3"
KEYS: dict[str, Any] = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "very-secret"}
CONFIG = Path(__file__).parents[2] / "configs" / "bedrock.yaml"


def make(model: str = CLAUDE, environ: dict[str, str] | None = None, **parameters: Any) -> BedrockProvider:
    return BedrockProvider.from_parameters("bedrock", model, parameters, {"AWS_REGION": "us-east-1", **(environ or {})})


def call(operation: Operation = Operation.CHAT, *, content: Any = "hi", **options: Any) -> Call:
    return Call(operation, "group", {"messages": raw([{"role": "user", "content": content}])}, b"", **options)


def target(provider: BedrockProvider, **options: Any) -> str:
    request = provider.encode(call(**options))
    return f"{request.origin.scheme}://{request.origin.host}:{request.origin.port}{request.target.decode()}"


@pytest.mark.parametrize(
    ("model", "parameters", "environ", "url"),
    [
        (
            CLAUDE,
            {},
            {},
            "bedrock-runtime.us-east-1.amazonaws.com:443/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/",
        ),
        (f"converse/{CLAUDE}", {"aws_region_name": "eu-west-3"}, {}, "bedrock-runtime.eu-west-3.amazonaws.com:443/"),
        (f"us-west-2/{CLAUDE}", {}, {}, "bedrock-runtime.us-west-2.amazonaws.com:443/model/anthropic."),
        (f"us-west-2/{CLAUDE}", {"region_name": "eu-west-3"}, {}, "bedrock-runtime.eu-west-3.amazonaws.com:443/"),
        (CLAUDE, {}, {"AWS_REGION_NAME": "ap-south-1"}, "bedrock-runtime.ap-south-1.amazonaws.com:443/"),
        (CLAUDE, {"aws_region_name": "cn-north-1"}, {}, "bedrock-runtime.cn-north-1.amazonaws.com.cn:443/"),
        (PROFILE, {}, {}, "bedrock-runtime.eu-west-1.amazonaws.com:443/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A"),
        (CLAUDE, {"model_id": PROFILE}, {}, "bedrock-runtime.eu-west-1.amazonaws.com:443/model/arn%3Aaws"),
        (CLAUDE, {"api_base": "https://proxy.example/aws/"}, {}, "proxy.example:443/aws/model/anthropic."),
        (
            CLAUDE,
            {"aws_bedrock_runtime_endpoint": "https://vpce.example", "api_base": "https://other"},
            {},
            "vpce.example:443/model/anthropic.",
        ),
        (CLAUDE, {}, {"AWS_BEDROCK_RUNTIME_ENDPOINT": "https://vpce.example:8443"}, "vpce.example:8443/model/"),
    ],
)
def test_where_requests_go(model: str, parameters: Any, environ: Any, url: str) -> None:
    assert target(make(model, environ, **KEYS, **parameters)).startswith(f"https://{url}")


@pytest.mark.parametrize(
    ("operation", "stream", "action"),
    [
        (Operation.CHAT, False, "/converse"),
        (Operation.CHAT, True, "/converse-stream"),
        (Operation.MESSAGES, False, "/invoke"),
        (Operation.MESSAGES, True, "/invoke-with-response-stream"),
        (Operation.COUNT_TOKENS, False, "/count-tokens"),
    ],
)
def test_what_is_called(operation: Operation, stream: bool, action: str) -> None:
    assert target(make(**KEYS), operation=operation, stream=stream).endswith(action)


@pytest.mark.parametrize(
    ("model", "parameters", "environ", "words"),
    [
        (CLAUDE, {}, {"AWS_REGION": ""}, "aws_region_name is not set"),
        (CLAUDE, {"aws_region_name": "us-east-1.evil.example"}, {}, "is not a region"),
        ("../admin", {}, {}, "is not a model"),
        ("a/b", {}, {}, "is not a model"),
        ("anthropic..x", {}, {}, "is not a model"),
        (CLAUDE, {"model_id": "x?y"}, {}, "is not a model"),
        (CLAUDE, {"api_base": "https://x/?a=b"}, {}, "must not have a query"),
        (CLAUDE, {"aws_access_key_id": "AKIA"}, {}, "belong together"),
        (CLAUDE, {"max_tokens": 0}, {}, "max_tokens"),
        (CLAUDE, {"guardrailConfig": {"guardrailVersion": "1"}}, {}, "guardrailConfig"),
    ],
)
def test_settings_that_can_not_work(model: str, parameters: Any, environ: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make(model, environ, **parameters)


def headers(provider: BedrockProvider) -> bytes:
    return provider.encode(call()).headers


def test_which_credentials_are_used() -> None:
    bearer = {"AWS_BEARER_TOKEN_BEDROCK": "from-environment"}
    assert b"authorization: Bearer from-environment\r\n" in headers(make(environ=bearer))
    assert b"authorization: Bearer stated\r\n" in headers(make(environ=bearer, api_key="stated"))
    # What a deployment names beats the environment.
    assert b"Credential=AKIA/" in headers(make(environ=bearer, **KEYS))
    ambient = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    assert b"Credential=AKIAENV/" in headers(make(environ=ambient))
    assert b"X-Amz-Security-Token: t\r\n" in headers(make(environ=ambient))


def test_credentials_that_must_be_fetched_are_shared() -> None:
    first, second = make(aws_profile_name="team"), make("amazon.nova-pro-v1:0", aws_profile_name="team")
    assert first.credentials is not None
    assert first.credentials is second.credentials
    assert first.credentials.refresh_due
    assert make(**KEYS).credentials is None
    assert make(api_key="k").credentials is None


def test_no_secret_is_shown() -> None:
    assert "very-secret" not in repr(vars(make(**KEYS)))
    with pytest.raises(ConfigurationError) as caught:
        make(api_key="very-secret\n\x00", aws_region_name="us-east-1")
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("wildcard", ["anthropic.claude-3-haiku-20240307-v1:0", PROFILE])
def test_a_wildcard_is_replaced(wildcard: str) -> None:
    encoded = wildcard.replace(":", "%3A").replace("/", "%2F")
    assert f"/model/{encoded}/converse" in target(make("*", **KEYS), wildcard=wildcard)


@pytest.mark.parametrize(
    "wildcard",
    [
        *("..", "../x", "a/../b", "a/b", "a?b", "a#b", "a%2fb", "a\r\nx", "a\x00", "ä", ".a", "a" * 300),
        *(f"{PROFILE}/../x", f"{PROFILE}?x", "arn:aws:s3:::bucket/key", "arn:aws:bedrock:eu-west-1:1:x/../../y"),
    ],
)
def test_a_wildcard_can_not_leave_its_path(wildcard: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        make("*", **KEYS).encode(call(wildcard=wildcard))
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("model", "supported"),
    [
        (CLAUDE, {Operation.CHAT, Operation.MESSAGES, Operation.COUNT_TOKENS}),
        ("meta.llama3-1-8b-instruct-v1:0", {Operation.CHAT}),
        ("amazon.titan-embed-text-v2:0", {Operation.EMBEDDING}),
        ("*", {Operation.CHAT, Operation.MESSAGES, Operation.COUNT_TOKENS, Operation.EMBEDDING}),
    ],
)
def test_what_is_supported(model: str, supported: set[Operation]) -> None:
    provider = make(model, **KEYS)
    assert {operation for operation in Operation if provider.supports(operation)} == supported


def test_an_arn_does_not_hide_what_its_base_model_can() -> None:
    assert not make(PROFILE, **KEYS).supports(Operation.MESSAGES)
    assert make(PROFILE, base_model=CLAUDE, **KEYS).supports(Operation.MESSAGES)
    assert make(CLAUDE, model_id=PROFILE, **KEYS).supports(Operation.MESSAGES)


def test_files_to_fetch_are_named_once() -> None:
    url = "https://example.com/a.png"
    image = {"type": "image_url", "image_url": {"url": url}}
    inline = {"type": "image_url", "image_url": "data:image/png;base64,AA=="}
    remote = {"type": "file", "file": {"file_id": "http://example.com/b.pdf"}}
    provider = make(**KEYS)
    assert provider.attachments(call(content=[image, image, inline, remote])) == [url, "http://example.com/b.pdf"]
    assert provider.attachments(call(content="see https://example.com")) == ()
    many = [{"type": "image_url", "image_url": f"{url}?{number}"} for number in range(21)]
    with pytest.raises(InvalidRequestError, match="at most 20"):
        provider.attachments(call(content=many))


def test_the_limit_holds_for_messages() -> None:
    body = make(max_tokens=5, **KEYS).encode(call(Operation.MESSAGES)).body
    assert b'"max_tokens":5' in body


def test_the_example_configuration_makes_every_provider() -> None:
    configuration = load_configuration(CONFIG, {"LITELLM_MASTER_KEY": "sk-1234"})
    assert not configuration.warnings
    limits = {}
    for entry in configuration.models:
        parameters = entry.parameters.model_dump(exclude_unset=True)
        provider = create(parameters.pop("model"), parameters, {})
        assert provider.name == "bedrock"
        limits[entry.model_name] = parameters.get("max_tokens")
    assert (
        limits.items()
        >= {
            "claude-3-5-sonnet-v2": 8192,
            "claude-3-sonnet": 4096,
            "claude-3-haiku": 4096,
            "claude-3-opus": 4096,
            "llama-3-1-70b": 2048,
            "llama-3-1-8b": 2048,
            "mistral-large": 4096,
        }.items()
    )


def test_botocore_is_loaded_with_the_first_deployment_only() -> None:
    code = (
        "import sys, headgate.providers, headgate.providers._bedrock as b\n"
        "assert 'botocore' not in sys.modules\n"
        "b.BedrockProvider.from_parameters('bedrock', 'a.b', {'aws_region_name': 'us-east-1'}, {})\n"
        "assert 'botocore.auth' in sys.modules\n"
        "assert 'botocore.loaders' not in sys.modules, 'data loaders belong to refresh() only'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
