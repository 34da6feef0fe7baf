import json
from typing import Any

import pytest

from headgate.core.errors import InvalidRequestError
from headgate.core.provider import Operation
from headgate.dialects import Request, Steering, decode


def _decode(headers: dict[str, str] | None = None, /, **members: Any) -> Request:
    body = json.dumps({"model": "m", "messages": [1], **members}).encode()
    return decode(
        Operation.CHAT, body, headers=[(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    )


def _refusal(headers: dict[str, str] | None = None, /, **members: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        _decode(headers, **members)
    return caught.value


@pytest.mark.parametrize(
    "name",
    [
        *("api_base", "base_url", "api_key", "mock_response", "custom_llm_provider", "extra_headers", "headers"),
        *("aws_access_key_id", "aws_region_name", "vertex_project", "azure_ad_token", "model_list", "user_config"),
    ],
)
def test_what_would_choose_another_upstream_is_refused_by_name(name: str) -> None:
    error = _refusal(**{name: "http://169.254.169.254/"})
    assert (error.status, error.param) == (400, name)
    assert name in error.message
    assert "169.254" not in error.message


def test_the_gateway_s_own_members_never_travel_upstream() -> None:
    request = _decode(
        fallbacks=["b"],
        num_retries=1,
        timeout=5,
        cache={"no-cache": True},
        caching=True,
        guardrails=["g"],
        litellm_metadata={"a": 1},
        mock_testing_fallbacks=True,
        mock_timeout=True,
        drop_params=True,
        tags=["t"],
        top_k=4,
        custom={"kept": True},
        **{"no-log": True},
    )
    assert sorted(request.call.members) == ["custom", "messages", "model", "top_k"]


def test_nothing_said_leaves_everything_to_the_configuration() -> None:
    assert _decode().steering == Steering()
    assert _decode(fallbacks=None, num_retries=None, timeout=None, tags=None).steering == Steering()


def test_what_the_client_asks_is_read() -> None:
    steering = _decode(
        fallbacks=["b", "c"],
        context_window_fallbacks=[{"m": ["long"]}, {"other": ["x"]}],
        content_policy_fallbacks=[{"*": ["any"]}],
        disable_fallbacks=True,
        num_retries=2,
        timeout=1.5,
        stream_timeout="0.5",
        user="u-1",
    ).steering
    assert steering == Steering((), ("b", "c"), ("long",), ("any",), True, 2, 1.5, 0.5, "u-1")


def test_a_list_of_fallbacks_for_other_models_asks_for_none() -> None:
    assert _decode(fallbacks=[{"other": ["x"]}]).steering.fallbacks == ()


def test_headers_count_before_the_body() -> None:
    headers = {
        "x-litellm-timeout": "7",
        "x-litellm-stream-timeout": "3",
        "x-litellm-num-retries": "1",
        "x-litellm-tags": "a, b,,a",
        "x-litellm-call-id": "ignored",
        "x-other": "ignored",
    }
    steering = _decode(headers, timeout=5, num_retries=4, tags=["c"], metadata={"tags": ["d"]}).steering
    assert (steering.timeout, steering.stream_timeout, steering.num_retries) == (7.0, 3.0, 1)
    assert steering.tags == ("c", "d", "a", "b")


def test_counts_and_times_are_capped() -> None:
    steering = _decode({"x-litellm-stream-timeout": "inf"}, num_retries=1_000_000, timeout=1e300).steering
    assert (steering.num_retries, steering.timeout, steering.stream_timeout) == (10, 6_000.0, 6_000.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fallbacks", "b"),
        ("fallbacks", [5]),
        ("fallbacks", [""]),
        ("fallbacks", ["a\nb"]),
        ("fallbacks", ["a"] * 6),
        ("fallbacks", [{"m": "b"}]),
        ("fallbacks", ["a", {"m": ["b"]}]),
        ("context_window_fallbacks", {"m": ["b"]}),
        ("disable_fallbacks", "yes"),
        ("num_retries", -1),
        ("num_retries", 1.5),
        ("num_retries", True),
        ("num_retries", "many"),
        ("timeout", 0),
        ("timeout", -5),
        ("timeout", "soon"),
        ("timeout", []),
        ("stream_timeout", {}),
        ("tags", "a"),
        ("tags", ["x" * 257]),
        ("tags", ["t"] * 33),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name: str, value: object) -> None:
    error = _refusal(**{name: value})
    assert error.param == name
    assert error.message.startswith(f"Invalid value for '{name}': expected ")


@pytest.mark.parametrize("header", ["x-litellm-timeout", "x-litellm-stream-timeout", "x-litellm-num-retries"])
@pytest.mark.parametrize("value", ["", "nan", "soon", "-1"])
def test_a_header_that_makes_no_sense_is_refused_by_name(header: str, value: str) -> None:
    assert _refusal({header: value}).param == header


def test_tags_are_taken_out_of_metadata_and_the_rest_stays() -> None:
    request = _decode(metadata={"tags": ["a"], "run": "7"})
    assert request.steering.tags == ("a",)
    assert bytes(request.call.members["metadata"]) == b'{"run":"7"}'
    assert "metadata" not in _decode(metadata={"tags": ["a"]}).call.members
    untouched = _decode(metadata={"note": '"tags"', "nested": {"tags": [1]}})
    assert untouched.steering.tags == ()
    assert json.loads(bytes(untouched.call.members["metadata"])) == {"note": '"tags"', "nested": {"tags": [1]}}
    assert _refusal(metadata={"tags": "a"}).param == "metadata.tags"


@pytest.mark.parametrize(("sent", "label"), [("u", "u"), ("a\r\nb\u202e", "ab"), ("x" * 999, "x" * 256), ("\n", None)])
def test_the_client_s_user_is_only_a_label(sent: str, label: str | None) -> None:
    request = _decode(user=sent)
    assert request.steering.user == label
    assert json.loads(bytes(request.call.members["user"])) == sent


def test_a_user_of_another_type_is_for_the_upstream_to_judge() -> None:
    assert _decode(user=5).steering.user is None


def test_anthropic_s_user_is_in_its_metadata() -> None:
    body = b'{"model":"m","max_tokens":1,"messages":[1],"metadata":{"user_id":"u-9"}}'
    request = decode(Operation.MESSAGES, body)
    assert request.steering.user == "u-9"
    assert bytes(request.call.members["metadata"]) == b'{"user_id":"u-9"}'
