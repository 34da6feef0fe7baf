"""Model identifiers of Amazon Bedrock: which ones may go into a request's path, and what their models accept."""

import re
from typing import Literal, NamedTuple

from headgate.core.errors import InvalidRequestError
from headgate.providers._anthropic_models import Capabilities, capabilities

# The service model's pattern for `modelId`, without its single letters of latitude: names such as
# us.anthropic.claude-opus-4-5-20251101-v1:0, and ARNs of profiles, provisioned or custom models, routers and endpoints.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,255}")
_ARN = re.compile(
    r"arn:aws[a-z-]{0,20}:(?:bedrock|sagemaker):([a-z0-9-]{1,20}):(?:[0-9]{12})?:[a-z-]{1,40}/[A-Za-z0-9._:/-]{1,256}"
)
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}")
# LiteLLM's names of ways to call; every chat goes by Converse here.
_ROUTES = ("converse/", "invoke/")

# https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html; Claude 4.7 and later refuse it on
# Bedrock (https://github.com/anthropics/anthropic-sdk-python/issues/1759).
_STRUCTURED = re.compile(
    r"claude-(?:opus|sonnet|haiku)-4-[56]|openai\.gpt-oss|qwen\.qwen3|mistral-large-3|ministral-3|magistral"
    r"|google\.gemma-3|nvidia\.nemotron|minimax\.|moonshot|deepseek\.v3"
)
_EMBEDDING = re.compile(r"embed|marengo")


class ModelName(NamedTuple):
    """A model as a deployment names it. `region` is empty where the name does not hold one."""

    identifier: str
    region: str = ""


class Traits(NamedTuple):
    """What a model accepts in Converse beyond the common ground."""

    family: Literal["claude", "nova", "nova-2", "gpt-oss", "other"]
    claude: Capabilities
    """What a Claude model accepts; of no meaning for other families."""
    structured_outputs: bool
    """`outputConfig.textFormat` constrains the answer to a JSON schema."""
    forced_tool: Literal["tool", "any", "none"]
    """How a tool call can be demanded: by its name, only as any tool, or not at all."""


def parse_name(model: str) -> ModelName:
    """Split LiteLLM's forms: `converse/<model>`, `invoke/<model>`, `<region>/<model>`, ARNs, plain identifiers."""
    for route in _ROUTES:
        model = model.removeprefix(route)
    prefix, slash, rest = model.partition("/")
    if slash and _REGION.fullmatch(prefix):
        return ModelName(rest, prefix)
    arn = _ARN.fullmatch(model)
    return ModelName(model, arn[1] if arn else "")


def is_region(name: str) -> bool:
    """Tell whether a text has the form of an AWS region."""
    return _REGION.fullmatch(name) is not None


def is_identifier(model: str) -> bool:
    """Tell whether a text may be a model's identifier: nothing that climbs or ends a path passes."""
    return ".." not in model and (_NAME.fullmatch(model) or _ARN.fullmatch(model)) is not None


def path_segment(model: str) -> str:
    """Percent-encode an identifier for the path. Raises `InvalidRequestError` for what is not one."""
    if not is_identifier(model):
        raise InvalidRequestError(f"Invalid model name for Amazon Bedrock: {model[:100]!r}.", param="model")
    # AWS' clients encode everything but the unreserved characters (RFC 3986, section 2.3).
    return model.replace(":", "%3A").replace("/", "%2F")


def is_embedding(model: str) -> bool:
    """Tell whether the model makes embeddings, not text."""
    return _EMBEDDING.search(model) is not None


def is_claude(model: str) -> bool:
    """Tell whether the model is one of Anthropic's."""
    return "claude" in model or "anthropic." in model


def traits(model: str) -> Traits:
    """Return what the model accepts, read from its name."""
    family: Literal["claude", "nova", "nova-2", "gpt-oss", "other"] = "other"
    forced: Literal["tool", "any", "none"] = "none"
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html
    if is_claude(model):
        family, forced = "claude", "tool"
    elif "nova-2" in model:
        family, forced = "nova-2", "tool"
    elif "amazon.nova" in model:
        family, forced = "nova", "tool"
    elif "gpt-oss" in model:
        family = "gpt-oss"
    elif "mistral-large" in model:
        forced = "any"
    return Traits(family, capabilities(model), _STRUCTURED.search(model) is not None, forced)
