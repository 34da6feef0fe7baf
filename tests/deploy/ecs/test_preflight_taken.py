"""Names that are taken."""

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._preflight._taken import SERVICES, names, names_apply
from headgate.deploy.engine import DeployError, Verdict
from tests.deploy.ecs.environments import environment, everything_on
from tests.deploy.ecs.preflights import subject
from tests.doubles.moto_offers import answering

DEV = environment("dev")


def test_names_that_are_free_pass(account: Account) -> None:
    of = subject(everything_on(), account)
    verdict, message = names(of)
    assert (verdict, message) == (Verdict.PASSED, f"nothing has the name of anything in {len(of.stacks) - 1} stacks")
    # Clients are made before the threads that use them.
    assert set(account._clients) - {"sts"} == set(SERVICES)


def test_a_name_that_is_taken_fails(account: Account) -> None:
    account.client("logs").create_log_group(logGroupName="/ecs/dev-headgate-proxy")
    verdict, message = names(subject(DEV, account))
    assert verdict is Verdict.FAILED
    assert message.startswith(
        "headgate-dev-gateway makes the log group /ecs/dev-headgate-proxy, and there is one already"
    )
    assert names(subject(DEV, account, frozenset({"network"})))[0] is Verdict.PASSED


def test_many_names_are_counted(account: Account) -> None:
    client = account.client("secretsmanager")
    for name in ("master-key", "salt-key", "ui-password", "api-keys", "database"):
        client.create_secret(Name=f"headgate/dev/{name}", SecretString="{}")
    message = names(subject(DEV, account))[1]
    assert message.count("headgate-dev-security makes the secret headgate/dev/") == 3
    assert message.endswith("And 1 more.")


def test_names_that_may_not_be_looked_up_are_unknown(account: Account) -> None:
    answering(account, "iam", "GetRole", "AccessDenied")
    with pytest.raises(DeployError, match="these credentials may not do this"):
        names(subject(DEV, account))


@pytest.mark.parametrize(
    ("made_here", "applies"),
    [(frozenset({"image"}), False), (frozenset[str](), False), (frozenset({"image", "alb"}), True)],
)
def test_names_count_for_a_run_that_gives_some(account: Account, made_here: frozenset[str], applies: bool) -> None:
    assert names_apply(subject(DEV, account, made_here)) is applies
