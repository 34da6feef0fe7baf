import pytest

from headgate.config import embedded_default
from headgate.core.errors import ConfigurationError


def groups(**environ: str) -> dict[str, dict[str, object]]:
    return {entry.model_name: entry.parameters.resolved() for entry in embedded_default(environ).models}


def test_without_anything_there_is_the_demo_model() -> None:
    assert groups() == {"demo": {"model": "demo/demo"}}


def test_each_provider_with_credentials_gets_a_wildcard() -> None:
    found = groups(
        OPENAI_API_KEY="sk-o",
        GROQ_API_KEY="",
        TOGETHER_API_KEY="t",
        AZURE_API_KEY="z",
        AZURE_API_BASE="https://z.example",
        HOSTED_VLLM_API_BASE="http://vllm:8000/v1",
        AWS_PROFILE="dev",
        AWS_REGION="eu-west-1",
    )
    assert found == {
        "demo": {"model": "demo/demo"},
        "openai/*": {"model": "openai/*", "api_key": "sk-o"},
        "together_ai/*": {"model": "together_ai/*", "api_key": "t"},
        "azure/*": {"model": "azure/*", "api_key": "z", "api_base": "https://z.example"},
        "bedrock/*": {"model": "bedrock/*", "aws_region_name": "eu-west-1"},
        "hosted_vllm/*": {"model": "hosted_vllm/*", "api_base": "http://vllm:8000/v1"},
    }


@pytest.mark.parametrize(
    "name",
    [
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ],
)
def test_aws_credentials_show_in_many_ways(name: str) -> None:
    assert "bedrock/*" in groups(**{name: "x"})


def test_azure_needs_a_key_and_an_address() -> None:
    assert "azure/*" not in groups(AZURE_API_KEY="z")


def test_azure_is_also_reached_as_an_application() -> None:
    application = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s"}
    base = {"AZURE_API_BASE": "https://z.example"}
    assert "azure/*" not in groups(**application)
    found = {"model": "azure/*", "api_base": "https://z.example"}
    assert groups(**application, **base)["azure/*"] == found
    assert groups(**application, **base, AZURE_API_KEY="z")["azure/*"] == {**found, "api_key": "z"}


def test_the_environment_completes_the_settings() -> None:
    configuration = embedded_default({"LITELLM_MASTER_KEY": "sk-m", "REQUEST_TIMEOUT": "9"})
    assert configuration.general.master_key is not None
    assert configuration.general.master_key.get_secret_value() == "sk-m"
    assert configuration.router.timeout == 9
    assert configuration.source is None


def test_a_bad_variable_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="REQUEST_TIMEOUT"):
        embedded_default({"REQUEST_TIMEOUT": "soon"})
