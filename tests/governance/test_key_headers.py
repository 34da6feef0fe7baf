"""Where in a request's headers a key is looked for."""

import pytest

from headgate.core.errors import AuthenticationError
from headgate.governance import Authenticator

KEY = "sk-master"
Fields = list[tuple[bytes, bytes]]


def opens(fields: Fields, *, header_name: str | None = None) -> bool:
    try:
        return Authenticator(KEY, header_name=header_name).authenticate(fields).is_master
    except AuthenticationError:
        return False


@pytest.mark.parametrize(
    "name", [b"x-litellm-api-key", b"x-api-key", b"api-key", b"x-goog-api-key", b"ocp-apim-subscription-key"]
)
@pytest.mark.parametrize("value", [b"sk-master", b"Bearer sk-master", b" sk-master "])
def test_a_field_of_its_own(name: bytes, value: bytes) -> None:
    assert opens([(b"host", b"gateway"), (name, value)])


@pytest.mark.parametrize("value", [b"Bearer sk-master", b"bearer sk-master", b"BEARER  sk-master ", b"sk-master"])
def test_authorization(value: bytes) -> None:
    assert opens([(b"authorization", value)])


@pytest.mark.parametrize(
    "value", [b"", b"Bearer", b"Bearer ", b"Basic sk-master", b"Bearer sk-master2", b"Bearer sk-maste", b"\xff\xfe"]
)
def test_no_key_or_another(value: bytes) -> None:
    assert not opens([(b"authorization", value)])


def test_a_bearer_token_counts_before_any_other_field() -> None:
    assert opens([(b"x-api-key", b"sk-other"), (b"authorization", b"Bearer sk-master")])
    assert not opens([(b"x-api-key", b"sk-master"), (b"authorization", b"Bearer sk-other")])


def test_another_scheme_leaves_the_other_fields_their_say() -> None:
    assert opens([(b"authorization", b"Basic dXNlcjpwYXNz"), (b"x-api-key", b"sk-master")])


def test_of_two_fields_the_first_counts() -> None:
    assert opens([(b"x-api-key", b"sk-master"), (b"api-key", b"sk-other")])
    assert not opens([(b"api-key", b"sk-other"), (b"x-api-key", b"sk-master")])


def test_an_empty_field_is_passed_over() -> None:
    assert opens([(b"x-api-key", b""), (b"api-key", b"sk-master")])


def test_a_field_that_the_configuration_names() -> None:
    fields = [(b"x-team-key", b"Bearer sk-master")]
    assert opens(fields, header_name="X-Team-Key")
    assert not opens(fields)


def test_no_key_and_a_wrong_one_are_told_apart_and_neither_is_shown() -> None:
    authenticator = Authenticator(KEY)
    with pytest.raises(AuthenticationError, match="No api key passed in"):
        authenticator.authenticate([])
    with pytest.raises(AuthenticationError, match="Invalid proxy server token") as refused:
        authenticator.authenticate([(b"x-api-key", b"sk-other")])
    assert "sk-other" not in str(refused.value)


def test_without_a_master_key_every_request_is_the_masters() -> None:
    assert Authenticator(None).authenticate([]).is_master
