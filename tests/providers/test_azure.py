from typing import Any

import pytest

from headgate.core.errors import Category, ConfigurationError, InvalidRequestError, UpstreamError
from headgate.core.json import decode_object
from headgate.core.provider import Call, Operation, Origin, UpstreamRequest
from headgate.providers import create
from tests.doubles.entra import CLIENT_SECRET, PARAMETERS

BASE = "https://res.openai.azure.com"
BODY = b'{"model":"group","messages":[{"role":"user","content":"Hi"}]}'


def _provider(model: str = "azure/dep", environ: dict[str, str] | None = None, **parameters: Any) -> Any:
    return create(model, {"api_key": "azure-key-1", "api_base": BASE, **parameters}, environ or {})


def _request(provider: Any, operation: Operation = Operation.CHAT, **more: Any) -> UpstreamRequest:
    request: UpstreamRequest = provider.encode(Call(operation, "group", decode_object(BODY), BODY, **more))
    return request


def _problem(model: str = "azure/dep", environ: dict[str, str] | None = None, **parameters: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        create(model, parameters, environ or {})
    return "\n".join(caught.value.problems)


def test_a_deployment_is_asked_under_its_own_path_with_its_key() -> None:
    request = _request(_provider(api_version="2024-10-21"))
    assert request.origin == Origin("https", "res.openai.azure.com", 443)
    assert request.target == b"/openai/deployments/dep/chat/completions?api-version=2024-10-21"
    assert b"api-key: azure-key-1\r\n" in request.headers
    assert b"Authorization" not in request.headers
    assert request.body == BODY.replace(b"group", b"dep")


@pytest.mark.parametrize(
    ("base", "version", "operation", "target"),
    [
        (BASE, None, Operation.EMBEDDING, "/openai/deployments/dep/embeddings?api-version=2025-02-01-preview"),
        (f"{BASE}/", "2024-10-21", Operation.SPEECH, "/openai/deployments/dep/audio/speech?api-version=2024-10-21"),
        (
            f"{BASE}/openai",
            "2024-10-21",
            Operation.CHAT,
            "/openai/deployments/dep/chat/completions?api-version=2024-10-21",
        ),
        (
            "https://apim/x",
            "2024-10-21",
            Operation.CHAT,
            "/x/openai/deployments/dep/chat/completions?api-version=2024-10-21",
        ),
        (
            f"{BASE}/openai/deployments/other",
            "2024-10-21",
            Operation.CHAT,
            "/openai/deployments/other/chat/completions?api-version=2024-10-21",
        ),
        (BASE, "2025-04-01-preview", Operation.RESPONSES, "/openai/responses?api-version=2025-04-01-preview"),
        (
            f"{BASE}/openai/deployments/other",
            "2025-04-01-preview",
            Operation.RESPONSES,
            "/openai/responses?api-version=2025-04-01-preview",
        ),
        (BASE, "v1", Operation.CHAT, "/openai/v1/chat/completions"),
        (BASE, "latest", Operation.CHAT, "/openai/v1/chat/completions"),
        (BASE, "preview", Operation.RESPONSES, "/openai/v1/responses?api-version=preview"),
        (f"{BASE}/openai/v1/", None, Operation.CHAT, "/openai/v1/chat/completions"),
        (f"{BASE}/openai/v1", "preview", Operation.CHAT, "/openai/v1/chat/completions?api-version=preview"),
    ],
)
def test_every_form_of_url(base: str, version: str | None, operation: Operation, target: str) -> None:
    provider = _provider(api_base=base, api_version=version)
    assert _request(provider, operation).target == target.encode()


def test_settings_come_from_the_environment_too() -> None:
    environ = {"AZURE_API_BASE": BASE, "AZURE_API_KEY": "from-environment", "AZURE_API_VERSION": "2024-06-01"}
    request = _request(create("azure/dep", {}, environ))
    assert request.target.endswith(b"?api-version=2024-06-01")
    assert b"api-key: from-environment\r\n" in request.headers


def test_a_token_of_entra_goes_as_bearer() -> None:
    request = _request(_provider(api_key=None, azure_ad_token="ey.token"))
    assert b"Authorization: Bearer ey.token\r\n" in request.headers
    assert b"api-key" not in request.headers
    environ = {"AZURE_AD_TOKEN": "ey.environment"}
    assert b"Bearer ey.environment" in _request(_provider(environ=environ, api_key=None)).headers
    # A token in the parameters means this deployment, a key in the environment any.
    provider = _provider(environ={"AZURE_API_KEY": "any"}, api_key=None, azure_ad_token="ey.token")
    assert b"Bearer ey.token" in _request(provider).headers


def _signed_in(model: str = "azure/dep", **parameters: Any) -> Any:
    return _provider(model, **{"api_key": None, **PARAMETERS, "client_id": "of-this-test", **parameters})


def test_an_application_goes_as_bearer_with_the_token_at_hand() -> None:
    provider = _signed_in(extra_headers={"x-team": "research"})
    token = provider.credentials
    assert not token.available
    with pytest.raises(UpstreamError, match="no Microsoft Entra token"):
        _request(provider)
    for number in (1, 2):
        token.request()
        token.accept(200, b'{"access_token": "eyJ0.token-%d", "expires_in": 3600}' % number)
        headers = _request(provider).headers
        assert headers.count(b"Authorization: Bearer eyJ0.token-%d\r\n" % number) == 1
        assert b"x-team: research\r\n" in headers
        assert b"api-key" not in headers
    assert CLIENT_SECRET.encode() not in headers
    failure = provider.failure(400, (), b'{"error": {"message": "I was sent eyJ0.token-2."}}')
    assert "token-2" not in failure.message


def test_deployments_of_one_application_share_its_token() -> None:
    assert _signed_in("azure/a").credentials is _signed_in("azure/b").credentials


@pytest.mark.parametrize(
    ("parameters", "environ", "sent"),
    [
        ({"api_key": "own-key"}, {}, b"api-key: own-key"),
        ({"azure_ad_token": "own.token"}, {}, b"Bearer own.token"),
        ({"client_secret": ""}, {"AZURE_API_KEY": "any-key"}, b"api-key: any-key"),
        ({"client_secret": ""}, {"AZURE_AD_TOKEN": "any.token"}, b"Bearer any.token"),
    ],
)
def test_a_key_or_a_token_goes_before_an_application(
    parameters: dict[str, str], environ: dict[str, str], sent: bytes
) -> None:
    provider = create("azure/dep", {"api_base": BASE, **PARAMETERS, **parameters}, environ)
    assert provider.credentials is None
    assert sent in _request(provider).headers


def test_an_application_in_the_parameters_goes_before_a_key_for_every_deployment() -> None:
    provider = create("azure/dep", {"api_base": BASE, **PARAMETERS}, {"AZURE_API_KEY": "any"})
    assert provider.credentials is not None


def test_an_application_of_the_environment() -> None:
    environ = {f"AZURE_{name.upper()}": value for name, value in PARAMETERS.items()}
    assert create("azure/dep", {"api_base": BASE}, environ).credentials is not None


def test_nothing_else_may_be_sent_where_the_token_goes() -> None:
    parameters: dict[str, Any] = {**PARAMETERS, "extra_headers": {"authorization": "Basic x"}}
    problem = _problem(api_base=BASE, **parameters)
    assert "extra_headers sets Authorization" in problem


def test_what_can_not_work_is_refused_with_its_reason() -> None:
    assert "AZURE_API_BASE" in _problem(api_key="k")
    assert "no api_key, azure_ad_token or client_secret" in _problem(api_base=BASE)
    assert "client_id is not set" in _problem(api_base=BASE, tenant_id="t", client_secret="hidden-secret")
    assert "oidc/" in _problem(api_base=BASE, azure_ad_token="oidc/x")
    assert "hidden-secret" not in _problem(api_base=BASE, client_secret="hidden-secret")
    for version in ("yesterday", "2024-10-21&x=y", "2024-10-21/../.."):
        assert "api_version must be" in _problem(api_base=BASE, api_key="k", api_version=version)
    assert "does not name a deployment" in _problem("azure/..", api_base=BASE, api_key="k")


def test_hints_about_a_family_are_no_part_of_the_name() -> None:
    assert _provider("azure/o_series/my-o3").model == "my-o3"
    assert _provider("azure/gpt5_series/my-gpt5").model == "my-gpt5"


def test_no_name_reaches_beyond_its_segment_of_the_path() -> None:
    assert b"/deployments/a%2F..%2Fb%3Fc%23d%20%C3%A9/chat" in _request(_provider("azure/a/../b?c#d é")).target
    wild = _provider("azure/*", api_version="2024-10-21")
    assert (
        _request(wild, wildcard="gpt-4o").target
        == b"/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    )
    assert b"%2F..%2F..%2Fadmin" in _request(wild, wildcard="x/../../admin").target
    for name in (".", "..", "a\r\nb"):
        with pytest.raises(InvalidRequestError):
            _request(wild, wildcard=name)


@pytest.mark.parametrize(
    ("version", "asked"),
    [("2024-06-01", False), ("2024-09-01-preview", True), ("2024-10-21", True), ("v1", True)],
)
def test_usage_is_asked_for_where_the_version_knows_how(version: str, asked: bool) -> None:
    body = _request(_provider(api_version=version), stream=True).body
    assert (b'"stream_options":{"include_usage":true}' in body) is asked


def test_operations_that_azure_lacks_are_not_offered() -> None:
    provider = _provider()
    assert [each.name for each in Operation if not provider.supports(each)] == [
        "MESSAGES",
        "COUNT_TOKENS",
        "MODERATION",
        "RERANK",
    ]


def test_the_content_filter_is_a_refusal_by_policy() -> None:
    body = (
        b'{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI\'s content '
        b'management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":'
        b'{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}}'
    )
    error = _provider().failure(400, (), body)
    assert (error.category, error.status, error.param) == (Category.CONTENT_POLICY, 400, "prompt")


def test_azure_s_own_gateway_writes_another_shape() -> None:
    error = _provider().failure(
        429, ((b"retry-after-ms", b"2500"),), b'{"statusCode":429,"message":"Rate limit is exceeded."}'
    )
    assert (error.message, error.retry_after) == ("Rate limit is exceeded.", 2.5)
