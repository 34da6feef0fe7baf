"""Who a request is from, by the key in its headers; what holds while the master key is being replaced."""

import hashlib
import json

import pytest

from headgate.core.errors import AuthenticationError, ConfigurationError
from headgate.governance import Authenticator, MasterKey

CURRENT, PREVIOUS = "sk-current", "sk-previous"
END = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""

ROTATED = json.dumps({"current": CURRENT, "previous": PREVIOUS, "previous_not_after": "2027-01-15T08:00:00Z"})


class Wall:
    """A wall clock that counts how often it is looked at."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now


def bearer(key: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {key}".encode())]


def test_a_plain_key_opens_and_nothing_else_does() -> None:
    authenticator = Authenticator(CURRENT)
    principal = authenticator.authenticate(bearer(CURRENT))
    assert principal.is_master
    assert principal.key_hash == hashlib.sha256(CURRENT.encode()).hexdigest()
    with pytest.raises(AuthenticationError, match="Invalid proxy server token"):
        authenticator.authenticate(bearer("sk-other"))


def test_the_previous_key_opens_until_its_end_as_the_same_principal() -> None:
    wall = Wall(END - 0.001)
    authenticator = Authenticator(ROTATED, now=wall)
    assert authenticator.authenticate(bearer(PREVIOUS)) == authenticator.authenticate(bearer(CURRENT))
    wall.now = END
    with pytest.raises(AuthenticationError, match="Invalid proxy server token"):
        authenticator.authenticate(bearer(PREVIOUS))
    assert authenticator.authenticate(bearer(CURRENT)).is_master


def test_uses_of_the_previous_key_are_counted_and_no_others() -> None:
    wall, uses = Wall(END - 1), list[None]()
    authenticator = Authenticator(ROTATED, now=wall, on_previous_use=lambda: uses.append(None))
    authenticator.authenticate(bearer(PREVIOUS))
    authenticator.authenticate(bearer(CURRENT))
    authenticator.authenticate([(b"x-api-key", PREVIOUS.encode())])
    wall.now = END + 1
    for key in (PREVIOUS, "sk-other"):
        with pytest.raises(AuthenticationError):
            authenticator.authenticate(bearer(key))
    assert len(uses) == 2


def test_the_current_key_never_looks_at_the_clock() -> None:
    wall = Wall(END - 1)
    authenticator = Authenticator(ROTATED, now=wall)
    authenticator.authenticate(bearer(CURRENT))
    assert wall.looks == 0


def test_a_secret_before_its_first_rotation_has_the_key_under_litellm_s_name() -> None:
    assert Authenticator(json.dumps({"LITELLM_MASTER_KEY": CURRENT})).authenticate(bearer(CURRENT)).is_master


def test_the_text_of_the_secret_is_no_key() -> None:
    with pytest.raises(AuthenticationError):
        Authenticator(ROTATED, now=Wall(0)).authenticate(bearer(ROTATED))


@pytest.mark.parametrize(
    "value", [{"current": CURRENT}, {"current": CURRENT, "previous": None, "LITELLM_MASTER_KEY": "x"}]
)
def test_without_a_previous_key_only_the_current_one_opens(value: dict[str, object]) -> None:
    authenticator = Authenticator(json.dumps(value))
    assert authenticator.authenticate(bearer(CURRENT)).is_master
    for key in ("", "None", "null", PREVIOUS):
        with pytest.raises(AuthenticationError):
            authenticator.authenticate(bearer(key))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("{", "truncated", id="cut-off"),
        pytest.param('{"previous": "sk-canary"}', 'without a "current" key', id="no-current"),
        pytest.param('{"current": ""}', 'without a "current" key', id="empty"),
        pytest.param('{"current": "sk-canary", "previous": "sk-canary"}', "previous_not_after", id="no-end"),
        pytest.param(
            '{"current": "sk-canary", "previous": "", "previous_not_after": "2027-01-15T08:00:00Z"}',
            "needs a key",
            id="empty-previous",
        ),
        pytest.param(
            '{"current": "sk-canary", "previous": "sk-canary", "previous_not_after": "2027-01-15T08:00:00"}',
            "timezone",
            id="no-time-zone",
        ),
        pytest.param(' {"current": ["sk-canary"]}', "Expected `str", id="not-text"),
    ],
)
def test_what_is_no_master_key_is_refused_without_being_shown(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as refused:
        Authenticator(text)
    assert "canary" not in str(refused.value)


def test_no_text_of_a_master_key_shows_it() -> None:
    assert "sk-" not in repr(MasterKey.parse(ROTATED)) + str(MasterKey.parse(CURRENT))
