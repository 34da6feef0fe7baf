import inspect

import pytest

from headgate.core import errors
from headgate.core.errors import (
    Category,
    ConfigurationError,
    GatewayError,
    HeadgateError,
    InvalidRequestError,
    ModelNotFoundError,
    UpstreamError,
)

STATUSES = {
    "GatewayError": 500,
    "InvalidRequestError": 400,
    "ModelNotFoundError": 400,
    "AuthenticationError": 401,
    "PermissionDeniedError": 403,
    "NotFoundError": 404,
    "MethodNotAllowedError": 405,
    "PayloadTooLargeError": 413,
    "NoDeploymentError": 429,
    "NotSupportedError": 501,
    "UpstreamError": 502,
}


def _tree() -> dict[str, type[HeadgateError]]:
    members = inspect.getmembers(errors, inspect.isclass)
    return {name: member for name, member in members if issubclass(member, HeadgateError)}


def test_each_error_for_a_client_has_the_status_that_the_tree_states() -> None:
    found = {name: error.status for name, error in _tree().items() if issubclass(error, GatewayError)}
    assert found == STATUSES


def test_the_tree_in_the_documentation_names_every_error() -> None:
    documented = {line.split()[0] for line in (errors.__doc__ or "").splitlines() if line.split()[:1]}
    assert set(_tree()) - documented == set()


def test_an_error_carries_its_message_and_the_class_defaults() -> None:
    error = InvalidRequestError("Missing required parameter: 'messages'.", param="messages")
    assert str(error) == error.message == "Missing required parameter: 'messages'."
    assert (error.status, error.kind, error.param, error.headers) == (400, "invalid_request_error", "messages", ())


def test_an_unknown_model_is_an_invalid_request() -> None:
    assert ModelNotFoundError("no").kind == "invalid_request_error"


def test_status_and_kind_of_one_error_can_differ_without_changing_the_class() -> None:
    error = GatewayError("Stopping.", status=503, kind="overloaded_error", headers=(("retry-after", "1"),))
    assert (error.status, error.kind, error.headers) == (503, "overloaded_error", (("retry-after", "1"),))
    assert (GatewayError.status, GatewayError("Again.").status) == (500, 500)


def test_a_configuration_error_holds_every_problem() -> None:
    error = ConfigurationError(["a.yaml:1: no model", "a.yaml:9: unknown key"])
    assert error.problems == ("a.yaml:1: no model", "a.yaml:9: unknown key")
    assert str(error) == "a.yaml:1: no model\na.yaml:9: unknown key"


def test_an_upstream_error_tells_the_clients_status_from_the_upstreams() -> None:
    error = UpstreamError(
        "Overloaded.", category=Category.INTERNAL, status=503, upstream_status=529, retry_after=2.5, param="model"
    )
    assert (error.status, error.upstream_status) == (503, 529)
    assert (error.category, error.retry_after, error.param) == (Category.INTERNAL, 2.5, "model")
    assert error.kind == "upstream_error"


def test_an_upstream_that_said_nothing_has_no_status() -> None:
    error = UpstreamError("Timed out.", category=Category.TIMEOUT, status=504, kind="timeout_error")
    assert error.upstream_status is None
    assert error.retry_after is None
    assert error.kind == "timeout_error"


def test_every_error_is_caught_as_the_root() -> None:
    with pytest.raises(HeadgateError):
        raise UpstreamError("Broken.", category=Category.CONNECTION, status=502)
