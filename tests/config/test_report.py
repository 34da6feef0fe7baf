from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from headgate.config import Disposition, ModelEntry, Report, Severity, check_configuration, load_configuration
from headgate.core.errors import ConfigurationError

_DEMO = "model_list: [{model_name: a, litellm_params: {model: demo/demo}}]\n"


def report(tmp_path: Path, text: str) -> Report:
    path = tmp_path / "config.yaml"
    path.write_text(_DEMO + text)
    return check_configuration(path, {})


def only(found: Report) -> tuple[Severity, int | None, str, str, Disposition | None]:
    (finding,) = found.findings
    return finding.severity, finding.line, finding.key, finding.suggestion, finding.disposition


@pytest.mark.parametrize(
    ("section", "key", "suggestion"),
    [
        ("router_settings", "context_policy_fallbacks: 1", "Did you mean content_policy_fallbacks?"),
        ("router_settings", "num-retries: 1", "Did you mean num_retries?"),
        ("router_settings", "retry_on: 1", "Remove it."),
        ("router_settings", "drop_params: true", "It belongs under litellm_settings."),
        ("litellm_settings", "master_key: sk-1", "It belongs under general_settings."),
        ("litellm_settings", "database_url: x", "It belongs under general_settings."),
        ("litellm_settings", "rpm: 1", "It belongs under model_list.*.litellm_params."),
        ("litellm_settings", "router_settings: {}", "It belongs at the top level."),
        ("general_settings", "routing_strategy: x", "It belongs under router_settings."),
    ],
)
def test_a_key_without_effect_is_an_error_that_still_lets_the_gateway_start(
    tmp_path: Path, section: str, key: str, suggestion: str
) -> None:
    found = report(tmp_path, f"{section}:\n  {key}\n")
    name = key.partition(":")[0]
    assert only(found) == (Severity.ERROR, 3, f"{section}.{name}", suggestion, None)
    assert found.exit_code == 2
    (warning,) = load_configuration(tmp_path / "config.yaml", {}).warnings
    assert suggestion in warning


def test_a_retry_policy_s_names_are_checked(tmp_path: Path) -> None:
    text = "router_settings:\n  retry_policy: {Timeout: 1}\n  model_group_retry_policy:\n    a: {RateLimit: 1}\n"
    first, second = report(tmp_path, text).findings
    assert (first.line, first.suggestion) == (3, "Did you mean TimeoutErrorRetries?")
    assert (second.line, second.suggestion) == (5, "Did you mean RateLimitErrorRetries?")


def test_a_mistyped_section_is_told(tmp_path: Path) -> None:
    assert only(report(tmp_path, "router_setting: {}\n"))[3] == "Did you mean router_settings?"


@pytest.mark.parametrize(
    ("parameter", "suggestion"),
    [
        ("api_bas: x", "Did you mean api_base?"),
        ("api_bse: x", "Did you mean api_base?"),
        ("apikey: x", "Did you mean api_key?"),
        ("Api-Base: x", "Did you mean api_base?"),
        ("stream_timeut: 1", "Did you mean stream_timeout?"),
        ("wieght: 1", "Did you mean weight?"),
        ("rmp: 1", "Did you mean rpm?"),
        ("temprature: 1", "Did you mean temperature?"),
        ("max_token: 1", "Did you mean max_tokens?"),
        ("mode: chat", "It belongs under model_list.*.model_info."),
    ],
)
def test_an_extra_parameter_close_to_a_known_one_is_warned_about(
    tmp_path: Path, parameter: str, suggestion: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"model_list:\n- model_name: a\n  litellm_params:\n    model: demo/demo\n    {parameter}\n")
    found = check_configuration(path, {})
    assert only(found)[:2] == (Severity.WARNING, 5)
    assert only(found)[3] == suggestion
    assert found.exit_code == 1


OF_PROVIDERS = (
    # vLLM, Ollama, Mistral, OpenRouter, Perplexity, Bedrock Converse: parameters of theirs beyond OpenAI's
    *("min_p", "top_a", "typical_p", "repetition_penalty", "length_penalty", "min_tokens", "ignore_eos", "best_of"),
    *("guided_json", "chat_template_kwargs", "skip_special_tokens", "prompt_logprobs", "truncate_prompt_tokens"),
    *("num_ctx", "num_predict", "num_gpu", "num_thread", "mirostat", "mirostat_tau", "repeat_penalty", "keep_alive"),
    *("safe_prompt", "random_seed", "transforms", "route", "provider", "models", "include_reasoning"),
    *("return_images", "search_domain_filter", "search_recency_filter", "requestMetadata", "performanceConfig"),
    *("additionalModelRequestFields", "enable_thinking", "format", "echo", "suffix", "documents"),
)


@pytest.mark.parametrize("parameter", OF_PROVIDERS)
def test_other_extra_parameters_are_passed_on(tmp_path: Path, parameter: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"model_list: [{{model_name: a, litellm_params: {{model: demo/demo, seed: 1, {parameter}: 1}}}}]")
    assert check_configuration(path, {}).findings == ()


def test_what_headgate_does_not_do_yet_is_a_warning(tmp_path: Path) -> None:
    found = report(tmp_path, "litellm_settings:\n  callbacks: [prometheus]\n")
    assert only(found) == (Severity.WARNING, 3, "litellm_settings.callbacks", "", Disposition.IGNORED)
    assert "Not yet" in found.findings[0].message
    assert found.exit_code == 1


def test_what_nobody_misses_is_only_mentioned(tmp_path: Path) -> None:
    found = report(tmp_path, "general_settings:\n  proxy_batch_write_at: 60\n")
    assert only(found) == (Severity.INFO, 3, "general_settings.proxy_batch_write_at", "", Disposition.IGNORED)
    assert found.exit_code == 0
    assert load_configuration(tmp_path / "config.yaml", {}).warnings == ()


def test_what_would_be_unsafe_is_refused(tmp_path: Path) -> None:
    found = report(tmp_path, "general_settings:\n  allowed_ips: [10.0.0.1]\n")
    assert only(found) == (Severity.ERROR, 3, "general_settings.allowed_ips", "", Disposition.REFUSED)
    with pytest.raises(ConfigurationError, match="allowed_ips is refused"):
        load_configuration(tmp_path / "config.yaml", {})


@pytest.mark.parametrize("value", ["false", "null", "[]", "''"])
def test_a_refused_key_that_is_switched_off_is_fine(tmp_path: Path, value: str) -> None:
    assert report(tmp_path, f"general_settings: {{allow_client_side_credentials: {value}}}\n").findings == ()


def test_every_key_is_reported_once_with_what_becomes_of_it(tmp_path: Path) -> None:
    text = "  - {model_name: b, litellm_params: {model: demo/demo, top_k: 1, vertex_project: ''}, model_info: {x: 1}}\n"
    path = tmp_path / "config.yaml"
    path.write_text(f"model_list:\n{text}{text}litellm_settings: {{cache: true, nothing: 1}}\n")
    uses = {use.key: (use.disposition, use.line, use.count) for use in check_configuration(path, {}).keys}
    assert uses == {
        "model_list": (Disposition.HONOURED, 1, 1),
        "model_list.*.model_name": (Disposition.HONOURED, 2, 2),
        "model_list.*.litellm_params": (Disposition.HONOURED, 2, 2),
        "model_list.*.litellm_params.model": (Disposition.HONOURED, 2, 2),
        "model_list.*.litellm_params.top_k": (Disposition.HONOURED, 2, 2),
        "model_list.*.litellm_params.vertex_project": (Disposition.IGNORED, 2, 2),
        "model_list.*.model_info": (Disposition.HONOURED, 2, 2),
        "model_list.*.model_info.x": (Disposition.HONOURED, 2, 2),
        "litellm_settings": (Disposition.HONOURED, 4, 1),
        "litellm_settings.cache": (Disposition.IGNORED, 4, 1),
        "litellm_settings.nothing": (None, 4, 1),
    }


def test_models_without_an_error_are_verified(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "environment_variables: {A: b}\nmodel_list:\n"
        "  - {model_name: a, litellm_params: {model: openai/x, rpm: many}}\n"
        "  - {model_name: b, litellm_params: {model: openai/y}}\n"
    )

    def verify(entry: ModelEntry, environ: Mapping[str, str]) -> Sequence[str]:
        return [f"{entry.model_name} lacks a key, A is {environ['A']}."]

    first, second = check_configuration(path, {}, verify).findings
    assert first.key == "model_list.0.litellm_params.rpm"
    assert str(second) == f"{path}:4: b lacks a key, A is b."


def test_a_file_that_can_not_be_read_is_a_finding(tmp_path: Path) -> None:
    found = check_configuration(tmp_path / "gone.yaml", {})
    assert [str(finding) for finding in found.findings] == [
        f"{tmp_path}/gone.yaml: Cannot be read: No such file or directory."
    ]
    assert (found.keys, found.exit_code) == ((), 2)
