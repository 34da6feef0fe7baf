"""The runner through every state of a stack, and through what AWS answers on a bad day."""

import pytest
from botocore.exceptions import NoCredentialsError

from headgate.deploy.ecs import Caller, ConfirmationNeededError, CredentialsError, Event, StackError, StackRunner
from tests.deploy.ecs.environments import environment, specs
from tests.doubles.cloudformation import FakeCloudFormation, FakeStack, client_error, resource, statuses

SPEC = specs(environment("dev"))["network"]
PROTECTED = specs(environment("prod"))["network"]
NAME = SPEC.name
NO_CHANGES = {
    "Status": "FAILED",
    "StatusReason": "The submitted information didn't contain changes. Submit different information to create one.",
}


def _runner(
    client: FakeCloudFormation, events: list[Event] | None = None, waits: list[float] | None = None
) -> StackRunner:
    record = [] if waits is None else waits
    heard = [] if events is None else events
    return StackRunner(client, call=Caller(record.append, lambda: 1.0), on_event=heard.append, poll_seconds=5)


def test_a_stack_that_is_not_there_is_created() -> None:
    client, events = FakeCloudFormation(), list[Event]()
    outcome = _runner(client, events).apply(SPEC)
    assert (outcome.status, outcome.changed, outcome.outputs) == (
        "CREATE_COMPLETE",
        True,
        {"Url": "https://llm.example.com"},
    )
    request = client.arguments("create_change_set")
    assert request["ChangeSetType"] == "CREATE"
    assert request["TemplateBody"] == SPEC.body
    assert {"Key": "Environment", "Value": "dev"} in request["Tags"]
    assert {"ParameterKey": "VpcCidr", "ParameterValue": "10.0.0.0/16"} in request["Parameters"]
    assert statuses(events) == ["REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]


def test_a_stack_that_is_there_is_updated_to_its_very_end() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["UPDATE_COMPLETE"]))
    waits: list[float] = []
    outcome = _runner(client, waits=waits).apply(SPEC)
    assert (outcome.status, outcome.changed) == ("UPDATE_COMPLETE", True)
    assert client.arguments("create_change_set")["ChangeSetType"] == "UPDATE"
    # Once for the old state that was still there, then for the update and its clean-up.
    assert waits == [5, 5, 5]


def test_nothing_to_change_changes_nothing() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))
    client.change_set = NO_CHANGES
    outcome = _runner(client).apply(SPEC)
    assert (outcome.changed, outcome.status) == (False, "CREATE_COMPLETE")
    assert client.names() == ["create_change_set", "delete_change_set"]


def test_protection_follows_the_environment_also_where_nothing_else_changes() -> None:
    client = FakeCloudFormation(FakeStack(PROTECTED.name, ["CREATE_COMPLETE"]))
    client.change_set = NO_CHANGES
    _runner(client).apply(PROTECTED)
    assert client.stacks[PROTECTED.name].protected


def test_a_change_set_that_is_refused_says_why_and_leaves_nothing() -> None:
    client = FakeCloudFormation()
    client.change_set = {"Status": "FAILED", "StatusReason": "No export named headgate-dev-KeyArn found"}
    with pytest.raises(StackError, match="refuses headgate-dev-network: No export named headgate-dev-KeyArn found"):
        _runner(client).apply(SPEC)
    assert client.stacks == {}


def test_a_template_that_is_refused_says_why() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))
    create = client.create_change_set

    def refuse(**arguments: object) -> None:
        client.errors.append(client_error("ValidationError", "Template error: unresolved condition"))
        create(**arguments)

    client.create_change_set = refuse  # type: ignore[method-assign]
    with pytest.raises(StackError, match="Template error: unresolved condition"):
        _runner(client).apply(SPEC)


def test_a_failed_creation_tells_the_first_cause_and_not_what_was_called_off() -> None:
    client = FakeCloudFormation()
    client.next_states["create"] = ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]
    client.happenings = [
        ("NatAddress", "CREATE_FAILED", "The maximum number of addresses has been reached."),
        ("Nat", "CREATE_FAILED", "Resource creation cancelled"),
    ]
    with pytest.raises(StackError, match="ended as ROLLBACK_COMPLETE") as raised:
        _runner(client).apply(SPEC)
    assert [(one.resource, one.reason) for one in raised.value.failures] == [
        ("NatAddress", "The maximum number of addresses has been reached.")
    ]


def test_a_failed_update_is_no_success_although_it_was_rolled_back() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))
    client.next_states["update"] = ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
    with pytest.raises(StackError, match="ended as UPDATE_ROLLBACK_COMPLETE"):
        _runner(client).apply(SPEC)


@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"])
def test_a_stack_that_was_never_finished_is_created_anew_only_when_confirmed(state: str) -> None:
    stack = FakeStack(NAME, [state])
    stack.happen("Nat", "CREATE_FAILED", "No more addresses")
    client = FakeCloudFormation(stack)
    with pytest.raises(ConfirmationNeededError, match=f"is in {state}.*confirm {NAME}") as raised:
        _runner(client).apply(SPEC)
    assert raised.value.stack == NAME
    assert client.requests == []
    assert "No more addresses" in str(raised.value)

    assert _runner(client).apply(SPEC, confirmed=[NAME]).status == "CREATE_COMPLETE"
    assert client.names() == ["delete_stack", "create_change_set", "execute_change_set"]


def test_the_way_back_of_an_update_is_continued_only_when_confirmed() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["UPDATE_ROLLBACK_FAILED"]))
    with pytest.raises(ConfirmationNeededError, match="way back can be continued"):
        _runner(client).apply(SPEC)
    assert client.requests == []
    assert _runner(client).apply(SPEC, confirmed=[NAME]).status == "UPDATE_COMPLETE"
    assert client.names() == ["continue_update_rollback", "create_change_set", "execute_change_set"]


def test_a_way_back_that_fails_again_says_so() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["UPDATE_ROLLBACK_FAILED"]))
    client.next_states["continue"] = ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"]
    with pytest.raises(StackError, match="way back of headgate-dev-network ended as UPDATE_ROLLBACK_FAILED"):
        _runner(client).apply(SPEC, confirmed=[NAME])


def test_what_a_cut_off_run_left_unexecuted_is_swept_away() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["REVIEW_IN_PROGRESS"]))
    assert _runner(client).apply(SPEC).status == "CREATE_COMPLETE"
    assert client.names() == ["delete_stack", "create_change_set", "execute_change_set"]


@pytest.mark.parametrize(
    ("states", "kind"),
    [
        (["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"], "UPDATE"),
        (["CREATE_IN_PROGRESS", "CREATE_COMPLETE"], "UPDATE"),
        (["DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"], "CREATE"),
    ],
)
def test_what_somebody_else_began_is_waited_for(states: list[str], kind: str) -> None:
    client = FakeCloudFormation(FakeStack(NAME, states))
    assert _runner(client).apply(SPEC).changed
    assert client.arguments("create_change_set")["ChangeSetType"] == kind


@pytest.mark.parametrize("code", ["InvalidChangeSetStatus", "ChangeSetNotFound"])
def test_changes_that_were_overtaken_are_not_executed(code: str) -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))

    def overtaken(**arguments: object) -> None:
        raise client_error(code, "ChangeSet is obsolete")

    client.execute_change_set = overtaken  # type: ignore[method-assign]
    with pytest.raises(StackError, match="Somebody else changed headgate-dev-network"):
        _runner(client).apply(SPEC)


def test_throttled_calls_are_repeated_with_growing_waits() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))
    client.errors = [client_error("Throttling", "Rate exceeded")] * 3
    waits: list[float] = []
    assert _runner(client, waits=waits).state(NAME) == "CREATE_COMPLETE"
    assert waits == [1, 2, 4]


def test_throttling_without_an_end_is_an_error() -> None:
    client = FakeCloudFormation()
    client.errors = [client_error("Throttling", "Rate exceeded")] * 20
    with pytest.raises(Exception, match="Rate exceeded"):
        _runner(client).state(NAME)


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"])
def test_a_token_that_expires_in_the_middle_is_told_in_words(code: str) -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))
    execute = client.execute_change_set

    def then_expire(**arguments: object) -> None:
        execute(**arguments)
        client.errors.append(client_error(code, "The security token included in the request is expired"))

    client.execute_change_set = then_expire  # type: ignore[method-assign]
    with pytest.raises(CredentialsError, match=f"no longer accepts the credentials \\({code}\\).*run the same command"):
        _runner(client).apply(SPEC)
    # The second run finds a world that it can go on from.
    client.execute_change_set = execute  # type: ignore[method-assign]
    assert _runner(client).apply(SPEC).changed


def test_missing_credentials_are_told_in_words() -> None:
    client = FakeCloudFormation()

    def without(**arguments: object) -> None:
        raise NoCredentialsError

    client.describe_stacks = without  # type: ignore[assignment]
    with pytest.raises(CredentialsError, match="no AWS credentials"):
        _runner(client).state(NAME)


def test_a_plan_changes_nothing_and_cleans_up_behind_itself() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))
    change = {"Action": "Modify", "Replacement": "True", "LogicalResourceId": "Vpc", "ResourceType": "AWS::EC2::VPC"}
    client.change_set = {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": change}]}
    plan = _runner(client).plan(SPEC)
    assert (plan.state, plan.action, [one.resource for one in plan.changes]) == ("CREATE_COMPLETE", "replace", ["Vpc"])
    assert client.names() == ["create_change_set", "delete_change_set"]


def test_a_plan_of_a_new_stack_asks_for_no_change_set() -> None:
    client = FakeCloudFormation()
    assert _runner(client).plan(SPEC).action == "create"
    assert client.requests == []


def test_a_deleted_stack_tells_what_it_had_to_keep() -> None:
    stack = FakeStack(NAME, ["CREATE_COMPLETE"])
    stack.resources = [resource("FlowLogGroup", "DELETE_SKIPPED"), resource("Vpc", "DELETE_COMPLETE")]
    client = FakeCloudFormation(stack)
    deletion = _runner(client).delete(NAME)
    assert (deletion.existed, deletion.kept) == (True, {"FlowLogGroup": "FlowLogGroup-id"})
    assert _runner(client).delete(NAME).existed is False


def test_a_deletion_that_fails_lists_what_is_left() -> None:
    stack = FakeStack(NAME, ["CREATE_COMPLETE"])
    stack.resources = [
        resource("Vpc", "DELETE_FAILED", "has dependencies and cannot be deleted"),
        resource("PublicSubnet1", "DELETE_COMPLETE"),
    ]
    client = FakeCloudFormation(stack)
    client.next_states["delete"] = ["DELETE_IN_PROGRESS", "DELETE_FAILED"]
    with pytest.raises(StackError, match="ended as DELETE_FAILED") as raised:
        _runner(client).delete(NAME)
    assert [str(one) for one in raised.value.failures] == [
        "Vpc (AWS::Test::Thing) DELETE_FAILED: has dependencies and cannot be deleted"
    ]


def test_a_protected_stack_is_deleted_only_when_that_is_said() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"], protected=True))
    with pytest.raises(ConfirmationNeededError, match="is protected against deletion"):
        _runner(client).delete(NAME)
    assert client.requests == []
    assert _runner(client).delete(NAME, unprotect=True).existed


def test_everything_is_deleted_in_the_reverse_order() -> None:
    wanted = list(specs(environment("dev")).values())
    client = FakeCloudFormation(*(FakeStack(spec.name, ["CREATE_COMPLETE"]) for spec in wanted))
    _runner(client).destroy(wanted)
    assert [arguments["StackName"] for _, arguments in client.requests] == [spec.name for spec in reversed(wanted)]


def test_a_stack_that_comes_back_is_not_taken_for_deleted() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))
    runner = _runner(client)
    delete = runner.delete

    def delete_and_come_back(stack: str, *, unprotect: bool = False) -> object:
        deletion = delete(stack, unprotect=unprotect)
        client.stacks[NAME] = FakeStack(NAME, ["CREATE_COMPLETE"], number=9)
        return deletion

    runner.delete = delete_and_come_back  # type: ignore[method-assign, assignment]
    with pytest.raises(StackError, match="Still there after their deletion: headgate-dev-network"):
        runner.destroy([SPEC])
