"""Whether RDS and ElastiCache offer what the templates ask for."""

from headgate.deploy.ecs._graph import parameter_values
from headgate.deploy.ecs._preflight._caller import zones
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import Verdict

_ENGINE = "postgres"
_STORAGE = "gp3"


def database_version(subject: Subject) -> Result:
    """Ask whether databases of the template's version can still be created."""
    version = _version(subject)
    offered = subject.questions.listed(
        "rds", "describe_db_engine_versions", "DBEngineVersions", Engine=_ENGINE, EngineVersion=version
    )
    if any(one.get("Status", "available") == "available" for one in offered):
        return Verdict.PASSED, f"PostgreSQL {version} can be created"
    major = version.partition(".")[0]
    others = subject.questions.listed(
        "rds", "describe_db_engine_versions", "DBEngineVersions", Engine=_ENGINE, EngineVersion=major
    )
    known = ", ".join(sorted({one["EngineVersion"] for one in others if one.get("Status", "available") == "available"}))
    return Verdict.FAILED, (
        f"PostgreSQL {version} can no longer be created; of {major} RDS offers {known or 'nothing'}. Take a newer"
        " Headgate, or render the templates and change EngineVersion of the database."
    )


def database_class(subject: Subject) -> Result:
    """Ask whether the instance class can be had with the version, the storage and the standby that are asked for."""
    environment, version = subject.environment, _version(subject)
    options = subject.questions.listed(
        "rds",
        "describe_orderable_db_instance_options",
        "OrderableDBInstanceOptions",
        Engine=_ENGINE,
        EngineVersion=version,
        DBInstanceClass=environment.database_class,
        Vpc=True,
    )
    named = f"{environment.database_class} with PostgreSQL {version}"
    options = [one for one in options if one.get("StorageType") == _STORAGE]
    if not options:
        return Verdict.FAILED, (
            f"{environment.region} offers no {named} on {_STORAGE} storage: set another `database_class`, such as"
            " db.t4g.small."
        )
    if environment.multi_az and not any(one.get("MultiAZCapable") for one in options):
        return Verdict.FAILED, f"{named} can not have a standby: set another `database_class`, or `multi_az: false`."
    if environment.performance_insights and not any(one.get("SupportsPerformanceInsights") for one in options):
        return Verdict.FAILED, (
            f"{named} has no Performance Insights: set another `database_class`, or `performance_insights: false`."
        )
    offered = {zone["Name"] for one in options for zone in one.get("AvailabilityZones", ())}
    taken = zones(subject)[:2]
    there = [zone for zone in taken if zone in offered]
    missing = " and ".join(zone for zone in taken if zone not in offered)
    if len(there) < (2 if environment.multi_az else 1):
        return Verdict.FAILED, (
            f"{named} is not offered in {missing}, where the network has its subnets: set another `database_class`."
        )
    return Verdict.PASSED, f"{named} can be had in {' and '.join(there)}"


def redis(subject: Subject) -> Result:
    """Ask whether ElastiCache has the template's version, and the node type."""
    [group] = (
        resource["Properties"]
        for resource in subject.stacks["redis"].parsed["Resources"].values()
        if resource["Type"] == "AWS::ElastiCache::ReplicationGroup"
    )
    engine, version = group["Engine"], group["EngineVersion"]
    versions = subject.questions.listed(
        "elasticache", "describe_cache_engine_versions", "CacheEngineVersions", Engine=engine, EngineVersion=version
    )
    if subject.makes("redis") and not versions:
        return Verdict.FAILED, (
            f"ElastiCache no longer offers {engine} {version}: take a newer Headgate, or render the templates and"
            " change EngineVersion in that of redis."
        )
    node = subject.environment.redis_node_type
    # Nothing lists node types, but what can be reserved can be had.
    offers = subject.questions.listed(
        "elasticache",
        "describe_reserved_cache_nodes_offerings",
        "ReservedCacheNodesOfferings",
        CacheNodeType=node,
    )
    if not offers:
        return Verdict.WARNING, (
            f"nobody can reserve {node} in {subject.environment.region}, so that it may not be offered there: set"
            " another `redis_node_type`, such as cache.t4g.small."
        )
    return Verdict.PASSED, f"{engine} {version} on {node} can be had"


def _version(subject: Subject) -> str:
    return parameter_values(subject.stacks["database"])["EngineVersion"]
