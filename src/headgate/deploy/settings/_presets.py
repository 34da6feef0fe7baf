"""What an environment is unless its file says otherwise: the tables of the ECS and the benchmark guides."""

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "dev": {
        "spot": True,
    },
    "prod": {
        "nat": True,
        "tasks": 2,
        "min_tasks": 2,
        "database_class": "db.t3.small",
        "multi_az": True,
        "waf": True,
        "deletion_protection": True,
        "container_insights": True,
        "performance_insights": True,
        "log_retention_days": 90,
    },
    "benchmark": {
        "nat": True,
        "tasks": 4,
        "min_tasks": 2,
        "max_tasks": 10,
        "task_cpu": 4096,
        "task_memory": 8192,
        "workers": 4,
        "database_class": "db.t3.medium",
        "database_storage_gb": 100,
        "max_connections": 200,
        "log_retention_days": 7,
        "health_check_path": "/health/readiness",
        "unhealthy_threshold": 3,
        # The guide's figures come from a load test against a fake endpoint (https://docs.litellm.ai/docs/benchmarks).
        "mock_upstream": True,
    },
}
"""Where each differs from the defaults of `Environment`. Other environments say with `like` which one they follow."""

ON_ONE_MACHINE: Mapping[str, Any] = {"tasks": 2, "min_tasks": 1, "max_tasks": 2, "redis": True, "spot": False}
"""What holds on one machine whatever the preset says: two gateways behind nginx, sharing Redis."""

ONE_MACHINE_ONLY = frozenset({"listen_address", "listen_port"})
"""Settings that the cloud has no use for."""

BOTH_PLATFORMS = frozenset(
    {"platform", "project", "image", "configuration", "tasks", "workers", "database_pool", "max_connections"}
    | {"open_webui"}
)
"""Settings that mean the same everywhere; the others are the cloud's."""


def has_effect(setting: str, platform: str) -> bool:
    """Tell whether a platform does anything with a setting."""
    return setting in BOTH_PLATFORMS or (setting in ONE_MACHINE_ONLY) == (platform == "compose")
