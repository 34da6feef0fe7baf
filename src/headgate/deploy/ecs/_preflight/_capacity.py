"""What the deployment file alone decides: connections, a way out, who is told."""

from headgate.config import check_configuration
from headgate.core.errors import ConfigurationError
from headgate.deploy.ecs._configuration import GatewayConfiguration
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import Verdict
from headgate.deploy.settings import connection_budget

_INSIDE = ("bedrock/", "demo/")
_SHOWN = 3


def connections(subject: Subject) -> Result:
    """Compare the connections of all workers with what the database takes: the benchmark guide's arithmetic."""
    asked, most = (connection_budget(subject.environment, scaled_out=scaled_out) for scaled_out in (False, True))
    if not asked.fits:
        return Verdict.FAILED, f"{asked}: raise max_connections, or lower tasks, workers or database_pool."
    if not most.fits:
        return Verdict.WARNING, (
            f"{asked}, but scaled out {most}: lower max_tasks or database_pool, or raise max_connections and with it"
            " database_class."
        )
    return Verdict.PASSED, f"{asked}; scaled out {most}"


def way_out(subject: Subject) -> Result:
    """Look for models outside of AWS where private subnets do not reach the internet."""
    outside = sorted(
        {
            one.model
            for one in subject.models
            # An address of one's own may well lie inside the VPC.
            if one.model != "demo" and not one.model.startswith(_INSIDE) and "api_base" not in one.parameters
        }
    )
    if not outside:
        return Verdict.PASSED, "no model lies outside of AWS"
    more = f" and {len(outside) - _SHOWN} more" if len(outside) > _SHOWN else ""
    return Verdict.WARNING, (
        f"{', '.join(outside[:_SHOWN])}{more} can not be reached: without a NAT gateway tasks reach AWS alone. Set"
        " `nat: true`."
    )


def is_protected(subject: Subject) -> bool:
    """Tell whether the environment is production's, or protected like it."""
    return subject.environment.name == "prod" or subject.environment.deletion_protection


def alarms(subject: Subject) -> Result:
    """Ask for somebody who is told, and for a budget."""
    environment = subject.environment
    if environment.alarm_email is None:
        lost = " and the budget has no effect" if environment.budget_dollars is not None else ""
        return Verdict.WARNING, f"nobody is told of alarms{lost}: set `alarm_email`."
    if environment.budget_dollars is None:
        return Verdict.WARNING, "nobody is told when costs rise: set `budget_dollars`, a month's."
    return Verdict.PASSED, f"alarms go to {environment.alarm_email}, from {environment.budget_dollars} dollars a month"


def configuration(subject: Subject) -> Result:
    """Read the gateway's configuration and, where Headgate is to run with it, look for what would keep it from that."""
    try:
        found = subject.configuration
        assert found is not None  # noqa: S101 - this check applies only with one
    except ConfigurationError as error:
        return Verdict.FAILED, _few(error.problems)
    if not subject.environment.runs_litellm and (problems := _independent(subject, found)):
        return Verdict.FAILED, _few(problems)
    return Verdict.PASSED, f"{len(found.models)} models, {len(found.variables)} variables of the environment"


def _independent(subject: Subject, found: GatewayConfiguration) -> list[str]:
    """Return the fatal problems that there are whatever the variables hold: with any value, and without one."""
    assert subject.environment.configuration is not None  # noqa: S101 - see above
    told = []
    for environ in (dict.fromkeys(found.variables, "x"), {}):
        report = check_configuration(subject.environment.configuration, environ)
        told.append([str(one) for one in report.findings if one.fatal])
    return [one for one in told[0] if one in told[1]]


def _few(problems: list[str] | tuple[str, ...]) -> str:
    more = f" And {len(problems) - _SHOWN} more: `headgate check`." if len(problems) > _SHOWN else ""
    return " ".join(problems[:_SHOWN]) + more
