"""A deployment is looked at: all is well, and each thing that is not is told with what to do."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.cloudformation.models import cloudformation_backends
from moto.ecs.models import ecs_backends
from moto.kms.models import kms_backends
from moto.rds.models import rds_backends
from moto.secretsmanager.models import secretsmanager_backends

from headgate.core.errors import ConfigurationError
from headgate.deploy.ecs import Account, Caller, parse_template, template_text
from headgate.deploy.ecs._verify import INTERNAL_PATHS, verify
from headgate.deploy.engine import Check, Verdict
from headgate.deploy.settings import Environment
from headgate.deploy.verification import Answer, WebError
from tests.deploy.ecs.environments import ACCOUNT, environment
from tests.deploy.ecs.settled import CANARY, REGION, Outputs, deploy
from tests.doubles.web import ScriptedWeb

URL = "https://llm.example.com"
KEY = f"sk-{CANARY}-master"
REDIRECT = Answer(301, {"location": "https://llm.example.com:443/v1/models"})
_CONFIGURATION = """
model_list:
- {model_name: gpt, litellm_params: {model: openai/gpt-5, api_key: os.environ/OPENAI_API_KEY}}
"""


def _web(days: float = 90) -> ScriptedWeb:
    ends = datetime.now(UTC) + timedelta(days=days)
    answers: dict[str, Answer | WebError] = {"http://llm.example.com/v1/models": REDIRECT}
    return ScriptedWeb(URL, KEY, ("gpt",), ends, answers)


def _environment(tmp_path: Path) -> Environment:
    path = tmp_path / "config.yaml"
    path.write_text(_CONFIGURATION)
    return environment(configuration=path)


def _by_name(checks: tuple[Check, ...]) -> dict[str, Check]:
    found = {check.name: check for check in checks}
    assert len(found) == len(checks)
    assert CANARY not in repr(checks)
    return found


@pytest.fixture
def world(account: Account, tmp_path: Path) -> tuple[Account, Environment, Outputs]:
    """Return a production environment with everything in it."""
    of = _environment(tmp_path)
    return account, of, deploy(account, of)


def test_all_is_well_and_then_one_thing_after_the_other_is_not(world: tuple[Account, Environment, Outputs]) -> None:
    account, of, outputs = world
    checks = _by_name(verify(of, account, outputs, _web()))
    assert {name: check.message for name, check in checks.items() if check.verdict is not Verdict.PASSED} == {}
    assert list(checks) == [
        *("stacks", "service gateway", "targets", "database", "redis", "alarms", "encryption key", "buckets"),
        *(f"secret {name}" for name in ("master-key", "ui-password", "api-keys", "database", "salt-key", "redis")),
        *("liveliness", "readiness", "unknown key", "models", "internal paths", "redirect to HTTPS", "certificate"),
    ]
    for break_it, name, verdict, said in _BREAKAGES:
        break_it(account, outputs)
        check = _by_name(verify(of, account, outputs, _web()))[name]
        assert (check.verdict, said in check.message) == (verdict, True), check


def _call(service: str, method: str, /, **arguments: Any) -> Callable[[Account, Outputs], None]:
    return lambda account, outputs: getattr(account.client(service), method)(**arguments)


def _database(**changes: Any) -> Callable[[Account, Outputs], None]:
    def change(account: Account, outputs: Outputs) -> None:
        [database] = rds_backends[ACCOUNT][REGION].databases.values()
        for name, value in changes.items():
            setattr(database, name, value)

    return change


def _service(**changes: Any) -> Callable[[Account, Outputs], None]:
    def change(account: Account, outputs: Outputs) -> None:
        [service] = ecs_backends[ACCOUNT][REGION].services.values()
        rollout = changes.get("rollout")
        for name in changes.keys() - {"rollout"}:
            setattr(service, name, changes[name])
        if rollout:
            service.deployments[0]["rolloutState"] = rollout

    return change


def _key(state: str) -> Callable[[Account, Outputs], None]:
    def change(account: Account, outputs: Outputs) -> None:
        [key] = kms_backends[ACCOUNT][REGION].keys.values()
        key.key_state = state

    return change


def _secret(name: str, value: dict[str, Any]) -> Callable[[Account, Outputs], None]:
    return _call("secretsmanager", "put_secret_value", SecretId=f"headgate/prod/{name}", SecretString=json.dumps(value))


def _unrotated_key(account: Account, outputs: Outputs) -> None:
    account.client("kms").disable_key_rotation(KeyId=outputs["security"]["KeyArn"])


def _unrotated(account: Account, outputs: Outputs) -> None:
    secret: Any = secretsmanager_backends[ACCOUNT][REGION].secrets["headgate/prod/database"]
    secret.rotation_requested = secret.rotation_enabled = False


def _stack(status: str) -> Callable[[Account, Outputs], None]:
    def change(account: Account, outputs: Outputs) -> None:
        stacks = cloudformation_backends[ACCOUNT][REGION].stacks.values()
        next(stack for stack in stacks if stack.name == "headgate-prod-monitoring").status = status

    return change


def _no_targets(account: Account, outputs: Outputs) -> None:
    group = outputs["alb"]["TargetGroupArn"]
    targets = [{"Id": "10.0.11.4", "Port": 4000}]
    account.client("elbv2").deregister_targets(TargetGroupArn=group, Targets=targets)


_ALARM = {"AlarmName": "headgate-prod-service-cpu", "StateReason": "test"}
_BUCKET = f"headgate-prod-{ACCOUNT}-{REGION}"
_LOGS = f"headgate-prod-logs-{ACCOUNT}-{REGION}"
_F, _W = Verdict.FAILED, Verdict.WARNING
_BREAKAGES: list[tuple[Callable[[Account, Outputs], None], str, Verdict, str]] = [
    (_unrotated_key, "encryption key", _F, "enable-key-rotation"),
    (_key("Disabled"), "encryption key", _F, "it is Disabled, so that nobody can read secrets and backups"),
    (_key("PendingDeletion"), "encryption key", _F, "`aws kms cancel-key-deletion --key-id"),
    (_call("s3", "delete_public_access_block", Bucket=_LOGS), "buckets", _F, f"{_LOGS} may be made public"),
    (
        _call("s3", "put_bucket_versioning", Bucket=_BUCKET, VersioningConfiguration={"Status": "Suspended"}),
        "buckets",
        _F,
        f"{_BUCKET} keeps no earlier versions",
    ),
    (_call("cloudwatch", "set_alarm_state", StateValue="ALARM", **_ALARM), "alarms", _F, "raise MaxTasks or TaskCpu"),
    (
        _call("cloudwatch", "set_alarm_state", StateValue="INSUFFICIENT_DATA", **_ALARM),
        "alarms",
        Verdict.PASSED,
        "none of 15 rings, 1 have no data yet",
    ),
    (
        _call("cloudwatch", "disable_alarm_actions", AlarmNames=["headgate-prod-service-cpu"]),
        "alarms",
        _F,
        "switched off: headgate-prod-service-cpu",
    ),
    (
        _call("cloudwatch", "delete_alarms", AlarmNames=["headgate-prod-database-cpu"]),
        "alarms",
        _F,
        "not there, so that nobody is told: headgate-prod-database-cpu",
    ),
    (_database(multi_az=False), "database", _F, "it runs in one zone, and multi_az is on"),
    (_database(publicly_accessible=True), "database", _F, "it is reachable from the internet"),
    (_database(storage_encrypted=False), "database", _F, "its storage is not encrypted"),
    (_database(deletion_protection=False), "database", _F, "nothing keeps it from being deleted"),
    (_database(status="stopped"), "database", _F, "it is stopped"),
    (
        _call("elasticache", "delete_replication_group", ReplicationGroupId="prod-headgate"),
        "redis",
        _F,
        "it is deleting",
    ),
    (_no_targets, "targets", _F, "1 healthy; the load balancer needs 2"),
    (_secret("api-keys", {"ANTHROPIC_API_KEY": CANARY}), "secret api-keys", _F, "lacks OPENAI_API_KEY, which"),
    (_unrotated, "secret database", _F, "it is not rotated. `headgate deploy up database` makes the functions"),
    (_secret("ui-password", {"UI_USERNAME": "a"}), "secret ui-password", _F, "`headgate secrets set ui-password --env"),
    (_service(running_count=3, rollout="IN_PROGRESS"), "service gateway", _W, "other tasks are taking over"),
    (_service(running_count=1), "service gateway", _F, "`headgate deploy logs gateway --env prod` shows why"),
    (_service(desired_count=1), "service gateway", _F, "and 2 should: `headgate deploy scale 2`"),
    (
        _call("ecs", "delete_service", cluster="headgate-prod", service="gateway", force=True),
        "service gateway",
        _F,
        "service gateway is gone, although its stack stands",
    ),
    (_stack("UPDATE_ROLLBACK_COMPLETE"), "stacks", _W, "headgate-prod-monitoring is in UPDATE_ROLLBACK_COMPLETE: an"),
    (_stack("UPDATE_ROLLBACK_FAILED"), "stacks", _F, "is in UPDATE_ROLLBACK_FAILED: `headgate deploy up monitoring`"),
    (
        _call("cloudformation", "delete_stack", StackName="headgate-prod-monitoring"),
        "stacks",
        _F,
        "headgate-prod-monitoring does not exist: `headgate deploy up monitoring`",
    ),
]
"""What is broken, one after the other, and what is said about it."""


def test_before_anything_is_deployed_every_check_says_what_makes_it(account: Account, tmp_path: Path) -> None:
    of = _environment(tmp_path).model_copy(update={"domain": None, "allow_plaintext": True})
    checks = _by_name(verify(of, account, {}, _web()))
    assert "headgate-prod-bootstrap does not exist: `headgate deploy bootstrap`" in checks["stacks"].message
    for name, template in (
        *(("service gateway", "gateway"), ("targets", "alb"), ("database", "database"), ("redis", "redis")),
        ("encryption key", "security"),
    ):
        assert checks[name].verdict is Verdict.FAILED
        assert checks[name].message.endswith(f"`headgate deploy up {template}` makes it"), checks[name]
    assert checks["buckets"].message.endswith("`headgate deploy bootstrap` makes it")
    assert "`headgate secrets create --env prod`" in checks["secret salt-key"].message
    assert checks["address"].verdict is Verdict.UNKNOWN
    assert "liveliness" not in checks


def test_without_credentials_what_users_see_is_told_all_the_same(
    empty_world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    nobody = Account(REGION, call=Caller(sleep=lambda seconds: None))
    checks = _by_name(verify(_environment(tmp_path), nobody, {}, _web()))
    told_by_aws = ("stacks", "targets", "database", "alarms", "encryption key", "buckets")
    for name in (*told_by_aws, "secret master-key", "models"):
        assert checks[name].verdict is Verdict.UNKNOWN
        assert "There are no AWS credentials" in checks[name].message
    for name in ("liveliness", "unknown key", "internal paths", "certificate"):
        assert checks[name].verdict is Verdict.PASSED
    without_domain = _environment(tmp_path).model_copy(update={"domain": None, "allow_plaintext": True})
    assert "There are no AWS credentials" in _by_name(verify(without_domain, nobody, {}, _web()))["address"].message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(200), "answers 200 instead of leading to HTTPS"),
        (Answer(301, {"location": "https://elsewhere.example/"}), "answers 301 instead of leading to HTTPS"),
        (WebError("llm.example.com can not be reached: Connection refused."), "can not be reached"),
    ],
)
def test_plain_http_has_to_lead_to_https(
    answer: Answer | WebError, said: str, account: Account, tmp_path: Path
) -> None:
    web = _web()
    web.answers["http://llm.example.com/v1/models"] = answer
    check = _by_name(verify(_environment(tmp_path), account, {}, web))["redirect to HTTPS"]
    assert (check.verdict, said in check.message) == (Verdict.FAILED, True)


def test_a_certificate_that_was_not_renewed_is_a_warning(account: Account, tmp_path: Path) -> None:
    check = _by_name(verify(_environment(tmp_path), account, {}, _web(days=12.5)))["certificate"]
    assert check.verdict is Verdict.WARNING
    assert ", in 12 days, and was not renewed" in check.message


def test_a_certificate_that_nobody_accepts_fails(account: Account, tmp_path: Path) -> None:
    web = _web()
    refusal = WebError("The certificate of llm.example.com is not accepted: certificate has expired.")
    web.answers |= {f"{URL}{path}": refusal for path in ("/health/liveliness", "/v1/models")}
    checks = _by_name(verify(_environment(tmp_path), account, {}, web))
    assert checks["certificate"] == Check("certificate", Verdict.FAILED, str(refusal))
    assert checks["models"].verdict is Verdict.UNKNOWN or "not accepted" in checks["models"].message


def test_plaintext_is_called_out_and_the_built_in_model_asked(account: Account) -> None:
    of = environment("dev")
    url = "http://headgate-dev-1.us-east-1.elb.amazonaws.com"
    outputs = {"alb": {"Url": url}}
    checks = _by_name(verify(of, account, outputs, ScriptedWeb(url, KEY)))
    assert checks["encryption"].verdict is Verdict.WARNING
    assert "keys and prompts can be read on the way" in checks["encryption"].message
    assert "redirect to HTTPS" not in checks
    assert "secret redis" not in checks
    assert "answer" in checks


@pytest.mark.parametrize(("answer", "verdict"), [(Answer(200), Verdict.PASSED), (Answer(503), Verdict.FAILED)])
def test_open_webui_is_looked_at_where_there_is_one(
    answer: Answer, verdict: Verdict, account: Account, tmp_path: Path
) -> None:
    web = _web()
    web.answers["https://chat.example.com/health"] = answer
    of = _environment(tmp_path).model_copy(update={"open_webui": True})
    check = _by_name(verify(of, account, {"alb": {"OpenWebUiUrl": "https://chat.example.com"}}, web))["open-webui"]
    assert check.verdict is verdict
    assert f"https://chat.example.com/health answers {answer.status}" in check.message


def test_the_key_goes_to_the_gateway_and_nowhere_else(account: Account, tmp_path: Path) -> None:
    of = _environment(tmp_path)
    deploy(account, of, ["bootstrap", "security"])
    seen: list[tuple[str, str]] = []

    class Watching(ScriptedWeb):
        def ask(self, method: str, url: str, headers: Any = None, body: bytes | None = None) -> Answer:
            if KEY in str(headers):
                seen.append((method, url))
            return super().ask(method, url, headers, body)

    web = _web()
    checks = _by_name(verify(of, account, {}, Watching(URL, KEY, ("gpt",), web.certificate_ends, web.answers)))
    assert checks["models"].verdict is Verdict.PASSED
    assert seen == [("GET", f"{URL}/v1/models")]


def test_what_takes_too_long_is_unknown(account: Account, tmp_path: Path) -> None:
    checks = verify(_environment(tmp_path), account, {}, _web(), seconds=0)
    assert {check.verdict for check in checks} <= {Verdict.UNKNOWN, Verdict.PASSED, Verdict.FAILED}
    assert any(check.message == "It could not be told within 0 s: run this again." for check in checks)


def test_a_configuration_that_can_not_be_read_ends_it(account: Account, tmp_path: Path) -> None:
    of = environment(configuration=tmp_path / "missing.yaml")
    with pytest.raises(ConfigurationError, match=r"missing\.yaml"):
        verify(of, account, {}, _web())


def test_the_internal_paths_are_those_that_the_load_balancer_closes() -> None:
    rule = parse_template(template_text("alb"))["Resources"]["InternalRule"]["Properties"]
    [condition] = rule["Conditions"]
    closed = condition["PathPatternConfig"]["Values"]
    assert set(INTERNAL_PATHS) == {path for path in closed if not path.endswith("*")}
