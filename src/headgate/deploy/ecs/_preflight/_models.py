"""Whether Bedrock still has the models of the gateway's configuration."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from headgate.deploy.ecs._bedrock import GEOGRAPHIES
from headgate.deploy.ecs._preflight._questions import AnswerError
from headgate.deploy.ecs._preflight._subject import Deployed, Result, Subject, gravest
from headgate.deploy.engine import DeployError, Verdict

_BEDROCK = "bedrock/"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_ARN = re.compile(r"arn:[a-z-]+:bedrock:(?P<region>[a-z0-9-]*):\d*:(?P<kind>[a-z-]+)/(?P<name>.+)")
_PROFILES = ("inference-profile", "application-inference-profile")
_OTHER_ACCOUNTS = ("aws_role_name", "aws_access_key_id", "aws_profile_name", "api_key", "api_base")
"""Parameters with which a model may be another account's."""
_GONE = ("ResourceNotFoundException", "ValidationException")


@dataclass(frozen=True)
class Target:
    """A model in a region by its id, and the profile that it is called by; `model` is empty where nothing tells it."""

    region: str
    model: str
    profile: str = ""

    @property
    def called(self) -> str:
        """What requests name."""
        return self.profile or self.model


def models_apply(subject: Subject) -> bool:
    """Tell whether the configuration has models of this account in Bedrock. Raises `ConfigurationError`."""
    return bool(_targets(subject))


def models(subject: Subject) -> Result:
    """Look up each Bedrock model: is it there, for how long, may this account call it."""
    targets = _targets(subject)
    results = subject.questions.together([partial(_judged, subject, *item) for item in targets.items()])
    verdict, message = gravest(results)
    if verdict is Verdict.PASSED:
        return verdict, f"{', '.join(sorted({one.called for one in targets}))} can be called"
    return verdict, message


def _targets(subject: Subject) -> Mapping[Target, bool]:
    """Return the models, and of each whether all its deployments have a fallback that answers without it."""
    targets: dict[Target, bool] = {}
    fallbacks = _fallbacks(subject.document)
    for one in subject.models:
        if one.model.startswith(_BEDROCK) and not any(name in one.parameters for name in _OTHER_ACCOUNTS):
            target = _target(one, subject.environment.region)
            if target is not None:
                targets[target] = targets.get(target, True) and (one.name in fallbacks or "*" in fallbacks)
    return targets


def _target(one: Deployed, region: str) -> Target | None:
    rest = one.model.removeprefix(_BEDROCK)
    named = one.parameters.get("aws_region_name")
    if isinstance(named, str) and _REGION.fullmatch(named):
        region = named
    if "arn:" in rest:
        arn = rest[rest.index("arn:") :]
        found = _ARN.fullmatch(arn)
        if found is None:
            return None
        region = found["region"] or region
        if found["kind"] == "foundation-model":
            return Target(region, found["name"])
        return Target(region, "", arn) if found["kind"] in _PROFILES else None
    *routes, model = rest.split("/")
    region = next((route for route in routes if _REGION.fullmatch(route)), region)
    if "*" in model:
        return None
    geography, _, base = model.partition(".")
    return Target(region, base, model) if geography in GEOGRAPHIES else Target(region, model)


def _fallbacks(document: Mapping[str, Any]) -> set[str]:
    """Return the names that have a fallback, `*` where all have one."""
    found: set[str] = set()
    for section in ("router_settings", "litellm_settings"):
        settings = document.get(section)
        if isinstance(settings, dict):
            entries = settings.get("fallbacks")
            for entry in entries if isinstance(entries, list) else ():
                found.update(entry if isinstance(entry, dict) else ())
            if settings.get("default_fallbacks"):
                found.add("*")
    return found


def _judged(subject: Subject, target: Target, has_fallback: bool) -> Result:
    try:
        verdict, message = _looked_up(subject, target)
    except DeployError as error:
        return Verdict.UNKNOWN, str(error)
    if verdict is Verdict.FAILED and has_fallback:
        return Verdict.WARNING, f"{message} Until then each request waits for its refusal before the fallback answers."
    return verdict, message


def _looked_up(subject: Subject, target: Target) -> Result:
    questions = subject.elsewhere(target.region)
    model = target.model
    try:
        if target.profile:
            profile = questions.ask("bedrock", "get_inference_profile", inferenceProfileIdentifier=target.profile)
            model = model or profile["models"][0]["modelArn"].rpartition("/")[2]
        details = questions.ask("bedrock", "get_foundation_model", modelIdentifier=model)["modelDetails"]
    except AnswerError as error:
        if error.code not in _GONE:
            raise
        return Verdict.FAILED, (
            f"{target.called} is not to be had in {target.region}: its end of life has passed, or its name is wrong."
            " Name its successor: `aws bedrock list-inference-profiles` and `list-foundation-models` show them."
        )
    kinds = details.get("inferenceTypesSupported") or ()
    if not target.profile and kinds and "ON_DEMAND" not in kinds:
        return Verdict.FAILED, (
            f"{model} is called by an inference profile only: put its geography before the name, such as us.{model}."
        )
    return gravest([_lifetime(subject, target, details.get("modelLifecycle", {})), _access(subject, target, model)])


def _lifetime(subject: Subject, target: Target, lifecycle: Mapping[str, Any]) -> Result:
    ends = lifecycle.get("endOfLifeTime")
    if isinstance(ends, datetime) and ends <= datetime.fromtimestamp(subject.clock(), UTC):
        return Verdict.FAILED, f"{target.called} has reached its end of life on {ends:%Y-%m-%d}: name its successor."
    if lifecycle.get("status") == "LEGACY":
        when = f" on {ends:%Y-%m-%d}" if isinstance(ends, datetime) else ""
        return Verdict.WARNING, f"{target.called} is legacy and comes to its end of life{when}: name its successor."
    return Verdict.PASSED, ""


def _access(subject: Subject, target: Target, model: str) -> Result:
    answer = subject.elsewhere(target.region).ask("bedrock", "get_foundation_model_availability", modelId=model)
    if answer.get("regionAvailability") == "NOT_AVAILABLE" and not target.profile:
        return (
            Verdict.FAILED,
            f"{model} is not offered in {target.region}: name another region or an inference profile.",
        )
    lacking = [
        what
        for what, lacks in (
            ("authorized", answer.get("authorizationStatus") == "NOT_AUTHORIZED"),
            ("entitled", answer.get("entitlementAvailability") == "NOT_AVAILABLE"),
            ("under its agreement", answer.get("agreementAvailability", {}).get("status") != "AVAILABLE"),
        )
        if lacks
    ]
    if lacking:
        return Verdict.WARNING, (
            f"this account is not yet {' nor '.join(lacking)} for {model}: open it once in Bedrock's model catalog and"
            " accept its terms."
        )
    return Verdict.PASSED, ""
