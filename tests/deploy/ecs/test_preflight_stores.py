"""What RDS and ElastiCache offer."""

from typing import Any

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._preflight._questions import RefusedError
from headgate.deploy.ecs._preflight._stores import database_class, database_version, redis
from headgate.deploy.engine import Verdict
from tests.deploy.ecs.environments import environment
from tests.deploy.ecs.preflights import subject
from tests.doubles.moto_offers import answering

DEV, PROD = environment("dev"), environment("prod")
OPTION = {
    "StorageType": "gp3",
    "MultiAZCapable": True,
    "SupportsPerformanceInsights": True,
    "AvailabilityZones": [{"Name": "us-east-1a"}, {"Name": "us-east-1b"}],
}


def test_a_version_that_can_be_created_passes(account: Account) -> None:
    asked = answering(
        account,
        "rds",
        "DescribeDBEngineVersions",
        {"DBEngineVersions": [{"EngineVersion": "17.6", "Status": "available"}]},
    )
    assert database_version(subject(DEV, account)) == (Verdict.PASSED, "PostgreSQL 17.6 can be created")
    assert asked == [{"Engine": "postgres", "EngineVersion": "17.6"}]


@pytest.mark.parametrize("gone", [[], [{"EngineVersion": "17.6", "Status": "deprecated"}]])
def test_a_version_that_can_no_longer_be_created_names_others(account: Account, gone: list[dict[str, str]]) -> None:
    def offered(params: dict[str, Any]) -> dict[str, Any]:
        newer = [{"EngineVersion": "17.8", "Status": "available"}, {"EngineVersion": "17.4", "Status": "deprecated"}]
        return {"DBEngineVersions": newer if params["EngineVersion"] == "17" else gone}

    answering(account, "rds", "DescribeDBEngineVersions", offered)
    verdict, message = database_version(subject(DEV, account))
    assert verdict is Verdict.FAILED
    assert message.startswith("PostgreSQL 17.6 can no longer be created; of 17 RDS offers 17.8.")


def test_a_class_that_can_be_had_passes(account: Account) -> None:
    asked = answering(account, "rds", "DescribeOrderableDBInstanceOptions", {"OrderableDBInstanceOptions": [OPTION]})
    assert database_class(subject(PROD, account)) == (
        Verdict.PASSED,
        "db.t3.small with PostgreSQL 17.6 can be had in us-east-1a and us-east-1b",
    )
    assert (asked[0]["DBInstanceClass"], asked[0]["EngineVersion"]) == ("db.t3.small", "17.6")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "us-east-1 offers no db.t3.small with PostgreSQL 17.6 on gp3 storage"),
        ([OPTION | {"StorageType": "gp2"}], "us-east-1 offers no db.t3.small with PostgreSQL 17.6 on gp3 storage"),
        ([OPTION | {"MultiAZCapable": False}], "can not have a standby"),
        ([OPTION | {"SupportsPerformanceInsights": False}], "has no Performance Insights"),
        ([OPTION | {"AvailabilityZones": [{"Name": "us-east-1a"}]}], "is not offered in us-east-1b"),
    ],
)
def test_a_class_that_can_not_be_had_says_why(account: Account, options: list[Any], sentence: str) -> None:
    answering(account, "rds", "DescribeOrderableDBInstanceOptions", {"OrderableDBInstanceOptions": options})
    verdict, message = database_class(subject(PROD, account))
    assert verdict is Verdict.FAILED
    assert sentence in message


def test_one_zone_is_enough_without_a_standby(account: Account) -> None:
    option = OPTION | {"MultiAZCapable": False, "AvailabilityZones": [{"Name": "us-east-1b"}]}
    answering(account, "rds", "DescribeOrderableDBInstanceOptions", {"OrderableDBInstanceOptions": [option]})
    assert database_class(subject(DEV, account))[0] is Verdict.PASSED


def test_what_rds_may_not_be_asked_is_unknown(account: Account) -> None:
    answering(account, "rds", "DescribeDBEngineVersions", "AccessDenied")
    answering(account, "rds", "DescribeOrderableDBInstanceOptions", "AccessDenied")
    with pytest.raises(RefusedError, match="rds:DescribeDBEngineVersions"):
        database_version(subject(DEV, account))
    with pytest.raises(RefusedError, match="rds:DescribeOrderableDBInstanceOptions"):
        database_class(subject(DEV, account))


def test_redis_that_can_be_had_passes(account: Account) -> None:
    assert redis(subject(PROD, account)) == (Verdict.PASSED, "redis 7.1 on cache.t4g.micro can be had")


def test_a_version_of_redis_that_is_gone_keeps_a_new_one_from_being_made(account: Account) -> None:
    answering(account, "elasticache", "DescribeCacheEngineVersions", {"CacheEngineVersions": []})
    verdict, message = redis(subject(PROD, account))
    assert verdict is Verdict.FAILED
    assert message.startswith("ElastiCache no longer offers redis 7.1")
    assert redis(subject(PROD, account, frozenset()))[0] is Verdict.PASSED


def test_a_node_type_that_nobody_can_reserve_warns(account: Account) -> None:
    asked = answering(
        account, "elasticache", "DescribeReservedCacheNodesOfferings", {"ReservedCacheNodesOfferings": []}
    )
    verdict, message = redis(subject(PROD, account))
    assert verdict is Verdict.WARNING
    assert message.startswith("nobody can reserve cache.t4g.micro in us-east-1")
    assert asked == [{"CacheNodeType": "cache.t4g.micro"}]


def test_what_elasticache_may_not_be_asked_is_unknown(account: Account) -> None:
    answering(account, "elasticache", "DescribeCacheEngineVersions", "AccessDenied")
    with pytest.raises(RefusedError, match="elasticache:DescribeCacheEngineVersions"):
        redis(subject(PROD, account))
