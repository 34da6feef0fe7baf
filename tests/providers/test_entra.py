"""A token of Microsoft Entra's: what is asked for it, how long it is good, and what is said when there is none."""

from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from headgate.core.errors import Category, ConfigurationError, UpstreamError
from headgate.core.provider import Origin
from headgate.providers._entra import (
    FAILURE_SECONDS,
    REFRESH_SECONDS,
    RETRY_SECONDS,
    EntraSettings,
    EntraToken,
    parse_settings,
    shared_token,
)
from headgate.transport.failures import timed_out
from tests.doubles.entra import CLIENT_ID, CLIENT_SECRET, PARAMETERS, SCOPE, TENANT


class Time:
    """A clock that stands still until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def settings_of(environ: dict[str, str] | None = None, **parameters: Any) -> EntraSettings:
    found = parse_settings({**PARAMETERS, **parameters}, environ or {}, stated=True)
    assert found is not None
    return found


def answer(expires_in: Any = 3600) -> bytes:
    return msgspec.json.encode({"token_type": "Bearer", "expires_in": expires_in, "access_token": "eyJ0.a.b"})


def new() -> tuple[EntraToken, Time]:
    time = Time()
    return EntraToken(settings_of(), clock=time), time


def test_a_token_is_asked_for_with_the_secret() -> None:
    request = new()[0].request()
    assert request.origin == Origin("https", "login.microsoftonline.com", 443)
    assert (request.method, request.target) == (b"POST", f"/{TENANT}/oauth2/v2.0/token".encode())
    assert b"Content-Type: application/x-www-form-urlencoded\r\n" in request.headers
    assert parse_qs(request.body.decode("ascii"), strict_parsing=True) == {
        "grant_type": ["client_credentials"],
        "client_id": [CLIENT_ID],
        "client_secret": [CLIENT_SECRET],
        "scope": [SCOPE],
    }


def state(token: EntraToken) -> tuple[bool, bool]:
    return token.available, token.refresh_due


def test_a_token_is_good_until_it_expires_and_due_before() -> None:
    token, time = new()
    assert state(token) == (False, True)
    with pytest.raises(UpstreamError, match="not fetched yet"):
        _ = token.token
    token.request()
    time.now += 2
    token.accept(200, answer())
    assert token.token == "eyJ0.a.b"
    assert state(token) == (True, False)
    time.now = 1000.0 + 3600 - REFRESH_SECONDS
    assert state(token) == (True, True)
    # One that is asked for in vain is asked for again after a pause.
    token.request()
    assert state(token) == (True, False)
    time.now += RETRY_SECONDS
    assert state(token) == (True, True)
    time.now = 1000.0 + 3600
    assert state(token) == (False, True)


@pytest.mark.parametrize(("lifetime", "due"), [(100, 50), ("100", 50), (7200, 7200 - REFRESH_SECONDS)])
def test_a_short_life_is_used_by_half(lifetime: Any, due: float) -> None:
    token, time = new()
    token.request()
    token.accept(200, answer(expires_in=lifetime))
    time.now += due - 0.1
    assert not token.refresh_due
    time.now += 0.2
    assert token.refresh_due


@pytest.mark.parametrize(
    ("status", "body", "reason", "details"),
    [
        (
            401,
            {"error": "invalid_client", "error_description": f"AADSTS7000215: Invalid secret {CLIENT_SECRET}."},
            "invalid_client",
            "AADSTS7000215: Invalid secret",
        ),
        (500, {"error": "<b>\r\nSet-Cookie: x"}, "status 500", "status 500"),
        (503, "busy", "status 503", "status 503"),
        (302, None, "status 302", "status 302"),
        (200, {"access_token": "a"}, "an unreadable answer", "is not a token"),
        (200, {"access_token": "a\r\nX: y", "expires_in": 60}, "an unreadable answer", "can not be used"),
        (200, {"access_token": "", "expires_in": 60}, "an unreadable answer", "can not be used"),
        (200, {"access_token": "a", "expires_in": -1}, "an unreadable answer", "can not be used"),
        (200, {"access_token": "a", "expires_in": "soon"}, "an unreadable answer", "is not a token"),
    ],
)
def test_what_is_no_token(status: int, body: Any, reason: str, details: str) -> None:
    token, _ = new()
    token.request()
    with pytest.raises(UpstreamError) as raised:
        token.accept(status, b"" if body is None else msgspec.json.encode(body))
    error = raised.value
    assert (error.category, error.status) == (Category.AUTHENTICATION, 401)
    assert f"({reason})" in error.message
    assert details in str(error.__cause__)
    assert CLIENT_SECRET not in f"{error.message} {error.__cause__}"
    assert not token.available


def test_a_failure_is_answered_again_for_a_moment() -> None:
    token, time = new()
    token.request()
    with pytest.raises(UpstreamError, match="no answer") as first:
        token.fail(timed_out("The upstream did not begin to answer in time."))
    assert "in time" in str(first.value.__cause__)
    with pytest.raises(UpstreamError) as second:
        token.request()
    assert second.value is first.value
    time.now += FAILURE_SECONDS
    token.request()
    token.accept(200, answer())
    assert token.available


def test_a_failure_does_not_take_a_good_token_away() -> None:
    token, time = new()
    token.request()
    token.accept(200, answer())
    time.now += 3600 - 10
    token.request()
    with pytest.raises(UpstreamError):
        token.accept(500, b"")
    assert token.token == "eyJ0.a.b"
    assert token.available
    token.request()


def test_what_the_parameters_do_not_hold_comes_from_the_environment() -> None:
    environ = {"AZURE_TENANT_ID": "contoso.com", "AZURE_CLIENT_ID": "from-env", "AZURE_SCOPE": "https://ai/.default"}
    found = parse_settings({"client_secret": "secret-1", "client_id": "own"}, environ, stated=True)
    assert found is not None
    assert (found.tenant_id, found.client_id, found.scope) == ("contoso.com", "own", "https://ai/.default")
    assert parse_settings({}, environ, stated=True) is None
    assert parse_settings({}, environ, stated=False) is None
    assert parse_settings({}, {**environ, "AZURE_CLIENT_SECRET": "s"}, stated=False) is not None
    assert settings_of(azure_scope="https://other/.default").scope == "https://other/.default"


@pytest.mark.parametrize(
    ("parameters", "environ", "problem"),
    [
        ({"client_secret": "hidden"}, {}, "tenant_id is not set, and neither is AZURE_TENANT_ID."),
        ({"tenant_id": TENANT, "client_id": "c"}, {}, "client_secret is not set"),
        ({**PARAMETERS, "tenant_id": "../x"}, {}, "tenant_id is not the id or the domain"),
        (PARAMETERS, {"AZURE_AUTHORITY_HOST": "http://login.example.com"}, "must begin with https://"),
        (PARAMETERS, {"AZURE_AUTHORITY_HOST": "https://login.example.com/?x=y"}, "must not have a query"),
        (PARAMETERS, {"AZURE_AUTHORITY_HOST": "https://"}, "AZURE_AUTHORITY_HOST has no valid host"),
    ],
)
def test_what_can_not_work_is_refused(parameters: dict[str, str], environ: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as raised:
        parse_settings(parameters, environ, stated=True)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("host", ["login.microsoftonline.us", "https://login.microsoftonline.us/"])
def test_national_clouds_have_authorities_of_their_own(host: str) -> None:
    token = EntraToken(settings_of({"AZURE_AUTHORITY_HOST": host}))
    assert token.request().origin == Origin("https", "login.microsoftonline.us", 443)


def test_deployments_of_one_application_share_its_token() -> None:
    token = shared_token(settings_of())
    assert shared_token(settings_of()) is token
    assert shared_token(settings_of(client_id="another")) is not token
    assert CLIENT_SECRET not in repr(settings_of())
