"""What Headgate answers otherwise than LiteLLM 1.80.5, and why."""

from collections.abc import Iterable
from typing import NamedTuple

Deviation = tuple[str, str]
"""What deviates (`status`, `header`, `member`, `chunk`, `type`); `-` is only LiteLLM's, `+` only Headgate's."""


def deviations(kind: str, theirs: set[str], ours: set[str]) -> set[Deviation]:
    """Compare LiteLLM's values with Headgate's."""
    return {(kind, f"-{name}") for name in theirs - ours} | {(kind, f"+{name}") for name in ours - theirs}


class Difference(NamedTuple):
    """What a row of docs/compatibility.md tells, named by words of its first cell.

    `probes` None means wherever it occurs.
    """

    row: str
    why: str
    what: tuple[Deviation, ...]
    probes: tuple[str, ...] | None = None

    def concerns(self, probe: str) -> bool:
        """Tell whether the difference explains what this probe shows."""
        return self.probes is None or probe in self.probes

    def deviations(self, probe: str) -> Iterable[Deviation]:
        """Return what the difference explains of this probe."""
        return self.what if self.concerns(probe) else ()


def _all(kind: str, *names: str) -> tuple[Deviation, ...]:
    return tuple((kind, name) for name in names)


def _status(theirs: int, ours: int) -> tuple[Deviation, ...]:
    return _all("status", f"-{theirs}", f"+{ours}")


def _type(theirs: str, ours: str) -> tuple[Deviation, ...]:
    return _all("type", f"-{theirs}", f"+{ours}")


_ERROR_MEMBERS = ("error.code", "error.message", "error.param", "error.type")
_ANTHROPIC_ERROR = _all("member", "-error.code", "-error.param", "+type")
_PROVIDER_HEADERS = (
    *("content-length", "content-type", "date", "openai-processing-ms", "server", "x-ratelimit-remaining-requests"),
    "x-request-id",
)
_OWN_HEADERS = (
    *("attempted-fallbacks", "attempted-retries", "model-api-base", "model-group", "model-id", "overhead-duration-ms"),
    *("response-cost", "response-duration-ms"),
)
_STREAMS = ("STREAM", "STREAM_USAGE")

_HEADERS = (
    Difference(
        "`x-litellm-call-id`",
        "Whoever asks about an answer, failed or not, can name it.",
        _all("header", "+x-litellm-call-id"),
    ),
    Difference(
        "`x-litellm-version`",
        "Clients that test the version can do so on every answer of the pipeline.",
        _all("header", "+x-litellm-version"),
    ),
    Difference(
        "`x-litellm-response-cost`",
        "A failure is billed by nobody; a cost of 0 says no more than no cost.",
        _all("header", "-x-litellm-response-cost"),
    ),
    Difference(
        "`x-litellm-response-cost-original`, `-discount-amount`, `-key-spend`",
        "There are no discounts, and what a key has spent comes with virtual keys.",
        _all(
            "header",
            "-x-litellm-response-cost-original",
            "-x-litellm-response-cost-discount-amount",
            "-x-litellm-key-spend",
        ),
    ),
    Difference(
        "`x-litellm-timeout`",
        "It tells the configuration, not the failure.",
        _all("header", "-x-litellm-timeout"),
    ),
    Difference("`retry-after`", "Clients would back off blindly.", _all("header", "+retry-after"), ("UP_m429",)),
    Difference(
        "headers",
        "What is known when a stream begins is worth as much there as on a whole answer.",
        _all(
            "header",
            *("+cache-control", "+x-accel-buffering", "+x-litellm-model-group"),
            *("+x-litellm-attempted-retries", "+x-litellm-attempted-fallbacks"),
            *("+llm_provider-content-type", "+llm_provider-date", "+llm_provider-server", "+llm_provider-x-request-id"),
        ),
        _STREAMS,
    ),
)

_BODIES = (
    Difference(
        "body of an upstream that speaks the client's dialect",
        "The upstream's bytes pass unchanged: nothing is lost that the gateway does not know.",
        _all(
            "member",
            *("+choices[].logprobs", "-choices[].provider_specific_fields"),
            "-choices[].message.provider_specific_fields.refusal",
            *("-usage.completion_tokens", "-usage.completion_tokens_details", "-usage.prompt_tokens_details"),
        ),
        ("OK", "FB", "EMB"),
    ),
    Difference(
        "chunks",
        "The upstream's events pass unchanged.",
        _all("chunk", "+choices[].finish_reason"),
        _STREAMS,
    ),
    Difference(
        "usage chunk, `stream_options.include_usage`",
        "OpenAI documents that its choices are empty, and clients test for it.",
        _all(
            "chunk",
            *("+choices[]", "-choices[].delta", "-choices[].index"),
            "-usage.completion_tokens_details.reasoning_tokens",
        ),
        ("STREAM_USAGE",),
    ),
    Difference(
        "`GET /health/readiness`",
        "Callbacks, transport and license are nothing for everyone who can reach the port.",
        _all(
            "member",
            *("-license.expiration_date", "-license.has_license", "-success_callbacks[]", "-use_aiohttp_transport"),
        ),
        ("HEALTH_READY",),
    ),
    Difference(
        "`GET /model/info`",
        "What is not known is left out instead of null; the price data hold no more than this.",
        _all(
            "member",
            "-data[].litellm_params.merge_reasoning_content_in_choices",
            *("-data[].litellm_params.use_in_pass_through", "-data[].litellm_params.use_litellm_proxy"),
            *(
                f"-data[].model_info.{name}"
                for name in (
                    *("max_tokens", "max_output_tokens", "tiered_pricing", "output_vector_size"),
                    *("supports_response_schema", "supports_system_messages", "supports_vision"),
                    "cache_creation_input_token_cost_above_1hr",
                    "cache_creation_input_token_cost_above_200k_tokens",
                    "cache_read_input_token_cost_above_200k_tokens",
                    *("cache_read_input_token_cost_flex", "cache_read_input_token_cost_priority"),
                    *("citation_cost_per_token", "input_cost_per_audio_token", "input_cost_per_character"),
                    *("input_cost_per_query", "input_cost_per_second", "input_cost_per_token_above_128k_tokens"),
                    *("input_cost_per_token_above_200k_tokens", "input_cost_per_token_batches"),
                    *("input_cost_per_token_flex", "input_cost_per_token_priority"),
                    *("output_cost_per_audio_token", "output_cost_per_character"),
                    "output_cost_per_character_above_128k_tokens",
                    *("output_cost_per_image", "output_cost_per_image_token", "output_cost_per_reasoning_token"),
                    *("output_cost_per_second", "output_cost_per_token_above_128k_tokens"),
                    *("output_cost_per_token_above_200k_tokens", "output_cost_per_token_batches"),
                    *("output_cost_per_token_flex", "output_cost_per_token_priority"),
                    "output_cost_per_video_per_second",
                )
            ),
        ),
        ("MODELINFO",),
    ),
    Difference(
        "`/model_group/info`",
        "The gateway knows the operations of a deployment; what a model understands beside is not its to say.",
        _all(
            "member",
            *("+data[].supported_operations[]", "-data[].supported_openai_params[]", "-data[].input_cost_per_pixel"),
            *("-data[].configurable_clientside_auth_params", "-data[].is_public_model_group"),
            *("-data[].supports_function_calling", "-data[].supports_parallel_function_calling"),
            *("-data[].supports_reasoning", "-data[].supports_url_context", "-data[].supports_vision"),
            "-data[].supports_web_search",
        ),
        ("MGINFO",),
    ),
)

_ERRORS = (
    Difference(
        "wrong key",
        "A wrong key is the client's matter, not the database's.",
        (*_status(400, 401), *_type("no_db_connection", "auth_error")),
        ("BADKEY_nosk", "BADKEY_sk"),
    ),
    Difference(
        "unknown model",
        "A type is a word, and a message no Python value.",
        _type("None", "invalid_request_error"),
        ("UNKNOWN_MODEL", "EMB_BADMODEL", "RESP_BADMODEL", "COMPL"),
    ),
    Difference("no `model`", "A type is a word.", _type("None", "invalid_request_error"), ("NO_MODEL",)),
    Difference("empty body", "A type is a word.", _type("None", "invalid_request_error"), ("EMPTYBODY",)),
    Difference(
        "no `messages`",
        "The mistake is the client's.",
        (*_status(500, 400), *_type("None", "invalid_request_error")),
        ("NO_MESSAGES",),
    ),
    Difference(
        "body is a JSON array",
        "Nothing is wrong with the key.",
        (*_status(401, 400), *_type("auth_error", "invalid_request_error")),
        ("ARRAYBODY",),
    ),
    Difference(
        "unknown route, wrong method",
        "One shape of errors for every client.",
        (("member", "-detail"), *_all("member", *(f"+{name}" for name in _ERROR_MEMBERS))),
        ("ROOT404", "METHOD405"),
    ),
    Difference(
        "unknown model at `/models/{id}`",
        "One shape of errors for every client.",
        (("member", "-detail"), *_all("member", *(f"+{name}" for name in _ERROR_MEMBERS))),
        ("MODEL404",),
    ),
    Difference(
        "upstream 401 or 403",
        "The client must not take it for its own key.",
        _type("None", "authentication_error"),
        ("UP_m401",),
    ),
    Difference("upstream 500", "A type is a word.", _type("None", "internal_server_error"), ("UP_m500",)),
    Difference(
        "upstream times out",
        "408 says that the client was slow.",
        (*_status(408, 504), *_type("None", "timeout_error")),
        ("UP_slow",),
    ),
    Difference(
        "context window, content policy",
        "A program can tell the two apart.",
        _all("type", "-None", "+context_window_exceeded", "+content_policy_violation"),
        ("UP_ctx", "UP_policy"),
    ),
    Difference(
        "messages translated to chat",
        "LiteLLM leaves most of its own headers out on this route, and the counts of cached tokens.",
        (
            *_all("header", *(f"+llm_provider-{name}" for name in _PROVIDER_HEADERS)),
            *_all("header", *(f"+x-litellm-{name}" for name in _OWN_HEADERS), "+x-ratelimit-remaining-requests"),
            *_all("member", "+usage.cache_creation_input_tokens", "+usage.cache_read_input_tokens"),
        ),
        ("MESSAGES",),
    ),
    Difference(
        "errors of `/v1/messages`",
        "Anthropic's SDKs can not read OpenAI's shape.",
        (
            *_ANTHROPIC_ERROR,
            *_status(400, 401),
            *_all("type", "-None", "+invalid_request_error", "-no_db_connection", "+authentication_error"),
        ),
        ("MESSAGES_BADMODEL", "MESSAGES_BADKEY"),
    ),
    Difference(
        "`/messages/count_tokens`",
        "An estimate would be taken for a count, and money for what it says.",
        (
            *_status(200, 501),
            *_all("member", "+error.message", "+error.type", "+type", "-input_tokens"),
            *_all("header", "+x-should-retry"),
        ),
        ("COUNT",),
    ),
)

_NOT_YET = (
    Difference(
        "management (`/key`",
        "Not yet: there is no store.",
        (*_status(500, 404), *_type("internal_server_error", "not_found_error")),
        ("KEYGEN_NODB", "KEYINFO_NODB"),
    ),
    Difference(
        "`/metrics`",
        "Not yet.",
        (
            *_status(307, 404),
            *_all("header", "-location", "+content-type"),
            *_all("member", *(f"+{name}" for name in _ERROR_MEMBERS)),
        ),
        ("METRICS",),
    ),
)

DIFFERENCES: tuple[Difference, ...] = (*_HEADERS, *_BODIES, *_ERRORS, *_NOT_YET)
