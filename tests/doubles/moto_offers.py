"""What an ordinary account may do and is offered, which moto does not tell: everything that a deployment asks for.

A test that needs another answer gives it to the one client that asks (`answering`).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

from botocore.awsrequest import AWSResponse
from moto.bedrock.responses import BedrockResponse
from moto.core.responses import ActionResult
from moto.elasticache.responses import ElastiCacheResponse
from moto.iam.responses import IamResponse
from moto.rds.models import RDSBackend
from moto.rds.responses import RDSResponse
from moto.servicequotas.models import ServiceQuotasBackend

from headgate.deploy.ecs import Account

QUOTAS = {
    "L-0263D0A3": 5.0,
    "L-3032A538": 64.0,
    "L-36FBB829": 64.0,
    "L-53DA6B97": 50.0,
    "L-7B6409FD": 40.0,
    "L-F678F1CE": 5.0,
    "L-29B6F2EB": 50.0,
}
"""AWS' defaults, and for Fargate what a used account has."""


def answering(account: Account, service: str, operation: str, answer: Any) -> list[dict[str, Any]]:
    """Have an account answer an operation, by the API's name: with a dict, or with an error whose code is given.

    `answer` may be a function of the arguments. Returned are the arguments of each call as they come.
    """
    asked: list[dict[str, Any]] = []

    def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["asked"] = params
        asked.append(params)

    def answered(context: dict[str, Any], **_: Any) -> Any:
        found = answer(context["asked"]) if callable(answer) else answer
        status = 400 if isinstance(found, str) else 200
        told = {"Error": {"Code": found, "Message": f"AWS says {found}"}} if isinstance(found, str) else found
        response = AWSResponse("http://double", status, {}, None)
        return response, {"ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}}} | told

    events = account.client(service).meta.events
    events.register(f"before-parameter-build.*.{operation}", remember)
    events.register(f"before-call.*.{operation}", answered)
    return asked


def _simulate(self: Any) -> ActionResult:
    actions = self._get_param("ActionNames", [])
    return ActionResult({"EvaluationResults": [{"EvalActionName": one, "EvalDecision": "allowed"} for one in actions]})


def _quota(self: Any, service_code: str, quota_code: str) -> dict[str, Any]:
    return {"ServiceCode": service_code, "QuotaCode": quota_code, "Value": QUOTAS[quota_code]}


def _engine_versions(self: Any) -> ActionResult:
    version = self.params["EngineVersion"]
    offered = [f"{version}.{minor}" for minor in (5, 6)] if "." not in version else [version]
    return ActionResult(
        {"DBEngineVersions": [{"Engine": "postgres", "EngineVersion": one, "Status": "available"} for one in offered]}
    )


def _orderable(self: Any, engine: str, engine_version: str) -> list[dict[str, Any]]:
    return [
        {
            "Engine": engine,
            "EngineVersion": engine_version,
            "StorageType": storage,
            "MultiAZCapable": True,
            "SupportsPerformanceInsights": True,
            "AvailabilityZones": [{"Name": f"{self.region_name}{letter}"} for letter in "abc"],
        }
        for storage in ("gp2", "gp3")
    ]


def _cache_versions(self: Any) -> ActionResult:
    return ActionResult({"CacheEngineVersions": [{"Engine": "redis", "EngineVersion": self.params["EngineVersion"]}]})


def _cache_offers(self: Any) -> ActionResult:
    return ActionResult({"ReservedCacheNodesOfferings": [{"CacheNodeType": self.params["CacheNodeType"]}]})


def _model(self: Any) -> str:
    named = unquote(self.path.rpartition("/")[2])
    return json.dumps(
        {
            "modelDetails": {
                "modelArn": f"arn:aws:bedrock:{self.region}::foundation-model/{named}",
                "modelId": named,
                "inferenceTypesSupported": ["ON_DEMAND"],
                "modelLifecycle": {"status": "ACTIVE", "startOfLifeTime": datetime(2026, 1, 1, tzinfo=UTC).isoformat()},
            }
        }
    )


def _availability(self: Any) -> str:
    return json.dumps(
        {
            "modelId": unquote(self.path.rpartition("/")[2]),
            "agreementAvailability": {"status": "AVAILABLE"},
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": "AVAILABLE",
            "regionAvailability": "AVAILABLE",
        }
    )


def _profile(self: Any) -> str:
    named = unquote(self.path.rpartition("/")[2])
    base = named.partition(".")[2]
    return json.dumps(
        {
            "inferenceProfileName": named,
            "inferenceProfileArn": f"arn:aws:bedrock:{self.region}:123456789012:inference-profile/{named}",
            "inferenceProfileId": named,
            "status": "ACTIVE",
            "type": "SYSTEM_DEFINED",
            "models": [{"modelArn": f"arn:aws:bedrock:{self.region}::foundation-model/{base}"}],
        }
    )


@contextmanager
def offered() -> Iterator[None]:
    """Teach moto, in this process, for a while."""
    with (
        patch.object(IamResponse, "simulate_principal_policy", _simulate, create=True),
        patch.object(ServiceQuotasBackend, "get_service_quota", _quota),
        patch.object(RDSResponse, "describe_db_engine_versions", _engine_versions, create=True),
        patch.object(RDSBackend, "describe_orderable_db_instance_options", _orderable),
        patch.object(ElastiCacheResponse, "describe_cache_engine_versions", _cache_versions, create=True),
        patch.object(ElastiCacheResponse, "describe_reserved_cache_nodes_offerings", _cache_offers, create=True),
        patch.object(BedrockResponse, "get_foundation_model", _model, create=True),
        patch.object(BedrockResponse, "get_foundation_model_availability", _availability, create=True),
        patch.object(BedrockResponse, "get_inference_profile", _profile, create=True),
    ):
        yield
