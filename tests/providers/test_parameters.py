import datetime
from typing import Any

import pytest

from headgate.config._keys import SECTIONS
from headgate.config._models import is_cost
from headgate.core.errors import ConfigurationError
from headgate.core.json import Members, decode_object, encode
from headgate.core.provider import Call, Operation
from headgate.providers import create
from headgate.providers._parameters import _SETTINGS, Defaults, is_setting

KNOWN = {key.name for key in SECTIONS["model_list", "*", "litellm_params"]}
"""Every key of LiteLLM's `litellm_params`."""
SENT = decode_object(b'{"model":"m","temperature":1,"metadata":{ "a":1}}')


def _applied(parameters: dict[str, Any], members: Members = SENT, **more: Any) -> bytes:
    return encode(Defaults.from_parameters(parameters, **more).apply(members))


@pytest.mark.parametrize(
    "name",
    [
        *("model", "api_key", "api_base", "rpm", "weight", "timeout", "stream_timeout", "tags", "order", "stream"),
        *("aws_region_name", "azure_ad_token", "vertex_project", "mock_response", "litellm_credential_name"),
        *("input_cost_per_token", "cache_read_input_token_cost", "output_cost_per_second", "tiered_pricing"),
        *("extra_headers", "extra_body", "drop_params", "additional_drop_params", "max_retries", "model_id"),
        *("input_cost_per_token_above_200k_tokens", "cache_read_input_token_cost_above_200k_tokens"),
        *("cache_read_input_token_cost_flex", "search_context_cost_per_query", "langfuse_secret", "s3_bucket_name"),
    ],
)
def test_settings_are_told_from_defaults(name: str) -> None:
    assert is_setting(name)
    assert Defaults.from_parameters({name: None}) == Defaults()


@pytest.mark.parametrize("name", ["temperature", "max_tokens", "thinking", "top_k", "reasoning_effort", "seed"])
def test_anything_else_is_a_default_for_the_model(name: str) -> None:
    assert not is_setting(name)


def test_the_configuration_says_of_every_setting_what_becomes_of_it() -> None:
    assert {name for name in _SETTINGS if name not in KNOWN} == set()
    assert all(is_setting(name) == is_cost(name) for name in KNOWN if "_cost" in name)


KEY = "sk-canary-secret"
_TYPED = {
    "extra_headers": {"x-canary": "canary"},
    "headers": {"x-canary": "canary"},
    "additional_drop_params": ["canary"],
    "allowed_openai_params": ["canary"],
    "extra_body": {},
    "drop_params": True,
    "aws_region_name": "us-east-1",
    "custom_llm_provider": None,
    "aws_bedrock_runtime_endpoint": None,
    "aws_sts_endpoint": None,
    "api_base": "https://upstream.example/v1",
    "base_url": "https://upstream.example/v1",
    "api_version": "2025-02-01-preview",
    "model_id": None,
    "base_model": None,
}
"""Settings whose value must be of a kind; every other one holds the canary."""


@pytest.mark.parametrize(
    ("model", "operation"),
    [
        ("openai/gpt-4o", Operation.CHAT),
        ("openai/text-embedding-3-small", Operation.EMBEDDING),
        ("azure/dep", Operation.CHAT),
        ("anthropic/claude-sonnet-4-5", Operation.CHAT),
        ("anthropic/claude-sonnet-4-5", Operation.MESSAGES),
        ("bedrock/amazon.nova-lite-v1:0", Operation.CHAT),
        ("bedrock/amazon.titan-embed-text-v2:0", Operation.EMBEDDING),
        ("bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0", Operation.MESSAGES),
    ],
)
def test_no_setting_reaches_the_upstream_s_body(model: str, operation: Operation) -> None:
    parameters = {name: _TYPED.get(name, KEY) for name in KNOWN}
    provider = create(model, {**parameters, "model": model}, {})
    bare = create(model, {name: parameters[name] for name in ("api_key", "api_base", "aws_region_name")}, {})
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5}'
    if operation is Operation.EMBEDDING:
        body = b'{"model":"m","input":"hi"}'
    call = Call(operation, "m", decode_object(body), body)
    assert provider.encode(call).body == bare.encode(call).body


def test_members_that_nothing_changes_stay_the_same_dict() -> None:
    assert Defaults.from_parameters({"api_key": "k", "drop_params": True}).apply(SENT) is SENT


def test_a_default_counts_where_the_client_sent_nothing() -> None:
    changed = _applied({"temperature": 0.2, "thinking": {"type": "enabled"}, "seed": None, "rpm": 5})
    assert changed == b'{"model":"m","temperature":1,"metadata":{ "a":1},"thinking":{"type":"enabled"}}'
    assert sorted(SENT) == ["metadata", "model", "temperature"]


@pytest.mark.parametrize("sent", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_a_limit_of_the_client_s_keeps_the_default_limit_away_whatever_its_name(sent: str) -> None:
    members = decode_object(b'{"%b":5}' % sent.encode())
    assert _applied({"max_tokens": 9}, members) == b'{"%b":5}' % sent.encode()


def test_extra_body_counts_before_what_the_client_sent() -> None:
    assert _applied({"extra_body": {"temperature": 0, "top_k": 3}}) == (
        b'{"model":"m","temperature":0,"metadata":{ "a":1},"top_k":3}'
    )


def test_named_members_are_dropped_and_not_given_as_defaults_either() -> None:
    parameters = {"additional_drop_params": ["temperature", "seed"], "seed": 4}
    assert _applied(parameters) == b'{"model":"m","metadata":{ "a":1}}'


def test_unsupported_members_are_dropped_only_on_request_and_only_where_known() -> None:
    supported = frozenset({"model", "temperature"})
    assert _applied({}, supported=supported) == encode(SENT)
    assert _applied({"drop_params": True}) == encode(SENT)
    assert _applied({"drop_params": True}, supported=supported) == b'{"model":"m","temperature":1}'
    allowed = {"drop_params": True, "allowed_openai_params": ["metadata"]}
    assert _applied(allowed, supported=supported) == encode(SENT)


def test_every_problem_is_told_at_once() -> None:
    parameters = {
        "extra_body": {"when": object()},
        "stop": {1: object()},
        "additional_drop_params": "temperature",
        "allowed_openai_params": ["tools[*].strict"],
    }
    with pytest.raises(ConfigurationError) as caught:
        Defaults.from_parameters(parameters)
    assert caught.value.problems == (
        "stop holds a value that can not be written as JSON.",
        "extra_body.when holds a value that can not be written as JSON.",
        "additional_drop_params must be a list of member names.",
        "allowed_openai_params: 'tools[*].strict' is a path; only whole top-level members can be named.",
    )
    with pytest.raises(ConfigurationError, match="extra_body must be a mapping"):
        Defaults.from_parameters({"extra_body": [1]})


def test_dates_that_yaml_reads_are_written_as_text() -> None:
    assert _applied({"cutoff": datetime.date(2026, 1, 2)}, {}) == b'{"cutoff":"2026-01-02"}'
