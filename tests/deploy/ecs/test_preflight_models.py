"""What becomes of the configuration's Bedrock models."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._preflight._models import models, models_apply
from headgate.deploy.ecs._preflight._subject import Subject
from headgate.deploy.engine import Verdict
from tests.deploy.ecs.environments import ACCOUNT, environment
from tests.deploy.ecs.preflights import NOW, subject
from tests.doubles.moto_offers import answering

TITAN, SONNET = "amazon.titan-embed-text-v2:0", "anthropic.claude-sonnet-4-6"
AVAILABLE = {
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}


def serving(tmp_path: Path, account: Account, *named: str | dict[str, Any], **more: Any) -> Subject:
    """Return a subject whose configuration has these models."""
    entries = [{"model": one} if isinstance(one, str) else one for one in named]
    document = {"model_list": [{"model_name": f"m{n}", "litellm_params": one} for n, one in enumerate(entries)], **more}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return subject(environment("dev", configuration=path), account)


def living(account: Account, **details: Any) -> list[dict[str, Any]]:
    found = {
        "modelDetails": {"modelLifecycle": {"status": "ACTIVE"}, "inferenceTypesSupported": ["ON_DEMAND"], **details}
    }
    return answering(account, "bedrock", "GetFoundationModel", found)


def test_models_and_profiles_that_can_be_called_pass(account: Account, tmp_path: Path) -> None:
    asked = living(account, inferenceTypesSupported=["INFERENCE_PROFILE"])
    profiles = answering(account, "bedrock", "GetInferenceProfile", {"models": []})
    of = serving(tmp_path, account, f"bedrock/us.{SONNET}", f"bedrock/converse/us.{SONNET}")
    assert models(of) == (Verdict.PASSED, f"us.{SONNET} can be called")
    assert asked == [{"modelIdentifier": SONNET}]
    assert profiles == [{"inferenceProfileIdentifier": f"us.{SONNET}"}]


def test_models_are_asked_for_where_they_are_called(account: Account, tmp_path: Path) -> None:
    here = living(account)
    of = serving(
        tmp_path, account, f"bedrock/{TITAN}", f"bedrock/eu-west-1/{TITAN}",
        {"model": f"bedrock/{TITAN}", "aws_region_name": "eu-west-1"},
    )  # fmt: skip
    assert models(of)[0] is Verdict.PASSED
    assert len(here) == 1


def test_arns_are_taken_as_they_are(account: Account, tmp_path: Path) -> None:
    profile = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc"
    source = f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}"
    asked = living(account)
    profiles = answering(account, "bedrock", "GetInferenceProfile", {"models": [{"modelArn": source}]})
    of = serving(
        tmp_path,
        account,
        f"bedrock/{profile}",
        f"bedrock/arn:aws:bedrock:us-east-1::foundation-model/{TITAN}",
        f"bedrock/arn:aws:bedrock:us-east-1:{ACCOUNT}:provisioned-model/xyz",
    )
    assert models(of)[0] is Verdict.PASSED
    assert sorted(one["modelIdentifier"] for one in asked) == [TITAN, SONNET]
    assert profiles == [{"inferenceProfileIdentifier": profile}]


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "ValidationException"])
def test_a_model_that_is_gone_fails(account: Account, tmp_path: Path, code: str) -> None:
    answering(account, "bedrock", "GetFoundationModel", code)
    verdict, message = models(serving(tmp_path, account, "bedrock/anthropic.claude-v2"))
    assert verdict is Verdict.FAILED
    assert message.startswith("anthropic.claude-v2 is not to be had in us-east-1: its end of life has passed")


def test_a_profile_that_is_gone_fails(account: Account, tmp_path: Path) -> None:
    answering(account, "bedrock", "GetInferenceProfile", "ResourceNotFoundException")
    assert models(serving(tmp_path, account, f"bedrock/us.{SONNET}"))[0] is Verdict.FAILED


@pytest.mark.parametrize(
    ("ends", "expected", "sentence"),
    [
        (datetime(2026, 11, 19, tzinfo=NOW.tzinfo), Verdict.FAILED, "has reached its end of life on 2026-11-19"),
        (datetime(2026, 11, 21, tzinfo=NOW.tzinfo), Verdict.WARNING, "comes to its end of life on 2026-11-21"),
        (None, Verdict.WARNING, "comes to its end of life: name its successor."),
    ],
)
def test_the_end_of_life_is_told(
    account: Account, tmp_path: Path, ends: datetime | None, expected: Verdict, sentence: str
) -> None:
    lifecycle = {"status": "LEGACY"} | ({} if ends is None else {"endOfLifeTime": ends})
    living(account, modelLifecycle=lifecycle)
    verdict, message = models(serving(tmp_path, account, f"bedrock/{TITAN}"))
    assert verdict is expected
    assert sentence in message


@pytest.mark.parametrize(
    "settings",
    [
        {"router_settings": {"fallbacks": [{"m0": ["m1"]}]}},
        {"litellm_settings": {"fallbacks": [{"*": ["m1"]}]}},
        {"litellm_settings": {"default_fallbacks": ["m1"]}},
    ],
)
def test_a_model_that_is_gone_only_warns_where_a_fallback_answers(
    account: Account, tmp_path: Path, settings: dict[str, Any]
) -> None:
    def found(params: dict[str, Any]) -> Any:
        return "ResourceNotFoundException" if "v2" in params["modelIdentifier"] else {"modelDetails": {}}

    answering(account, "bedrock", "GetFoundationModel", found)
    of = serving(tmp_path, account, "bedrock/anthropic.claude-v2", f"bedrock/{SONNET}", **settings)
    verdict, message = models(of)
    assert verdict is Verdict.WARNING
    assert "before the fallback answers" in message


def test_a_model_that_needs_a_profile_says_so(account: Account, tmp_path: Path) -> None:
    living(account, inferenceTypesSupported=["INFERENCE_PROFILE"])
    verdict, message = models(serving(tmp_path, account, f"bedrock/{SONNET}"))
    assert verdict is Verdict.FAILED
    assert f"such as us.{SONNET}" in message


@pytest.mark.parametrize(
    ("change", "expected", "sentence"),
    [
        ({"authorizationStatus": "NOT_AUTHORIZED"}, Verdict.WARNING, "not yet authorized for"),
        ({"entitlementAvailability": "NOT_AVAILABLE"}, Verdict.WARNING, "not yet entitled for"),
        ({"agreementAvailability": {"status": "NOT_AVAILABLE"}}, Verdict.WARNING, "not yet under its agreement for"),
        ({"regionAvailability": "NOT_AVAILABLE"}, Verdict.FAILED, "is not offered in us-east-1"),
    ],
)
def test_access_is_told(
    account: Account, tmp_path: Path, change: dict[str, Any], expected: Verdict, sentence: str
) -> None:
    answering(account, "bedrock", "GetFoundationModelAvailability", AVAILABLE | change)
    verdict, message = models(serving(tmp_path, account, f"bedrock/{TITAN}"))
    assert verdict is expected
    assert sentence in message


def test_the_gravest_finding_of_all_models_counts(account: Account, tmp_path: Path) -> None:
    def found(params: dict[str, Any]) -> Any:
        if params["modelIdentifier"] == SONNET:
            return {"modelDetails": {"modelLifecycle": {"status": "LEGACY"}}}
        return "ResourceNotFoundException" if params["modelIdentifier"] == TITAN else "AccessDeniedException"

    answering(account, "bedrock", "GetFoundationModel", found)
    verdict, message = models(serving(tmp_path, account, f"bedrock/{SONNET}", f"bedrock/{TITAN}", "bedrock/meta.llama"))
    assert verdict is Verdict.FAILED
    assert TITAN in message
    assert SONNET not in message


def test_models_that_may_not_be_asked_for_are_unknown_with_the_action(account: Account, tmp_path: Path) -> None:
    answering(account, "bedrock", "GetFoundationModel", "AccessDeniedException")
    verdict, message = models(serving(tmp_path, account, f"bedrock/{TITAN}"))
    assert verdict is Verdict.UNKNOWN
    assert "bedrock:GetFoundationModel" in message


def test_only_models_of_this_account_in_bedrock_are_looked_at(account: Account, tmp_path: Path) -> None:
    others: list[str | dict[str, Any]] = [
        "openai/gpt",
        "bedrock/*",
        {"model": f"bedrock/{TITAN}", "aws_role_name": "arn:aws:iam::210987654321:role/models"},
        {"model": f"bedrock/{TITAN}", "api_base": "http://proxy.internal"},
    ]
    assert not models_apply(serving(tmp_path, account, *others))
    assert models_apply(serving(tmp_path, account, *others, f"bedrock/{TITAN}"))
    assert not models_apply(subject(environment("dev"), account))
