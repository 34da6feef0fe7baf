"""The gateway's master key: another one opens the gateway, and the one before stays valid for a while.

The window stands in the secret itself. `AWSPREVIOUS` says nothing about it: that label is on one version, however old,
and moves with every rotation, also with a forced one.
"""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from headgate.deploy.rotation._protocol import Rotation, RotationError, Value

KEY_LENGTH = 48
"""Characters of a master key with its prefix."""

KEY_PREFIX = "sk-"
"""What LiteLLM expects a key to begin with."""

WINDOW = timedelta(days=7)
"""For how long the previous key stays valid."""

_VARIABLE = "LITELLM_MASTER_KEY"
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True)
class MasterKey:
    """What the secret of a master key holds. `previous_not_after` is when the previous key ends, None without one.

    As a value: `{"current", "previous", "previous_not_after"}`, the last as RFC 3339 in UTC, and the current key once
    more as `LITELLM_MASTER_KEY`, for what takes one member of a secret as one environment variable (ECS).
    """

    current: str = field(repr=False)
    previous: str | None = field(default=None, repr=False)
    previous_not_after: datetime | None = None

    @classmethod
    def from_value(cls, value: Value) -> "MasterKey":
        """Read a secret's value. Raises `RotationError` when it holds no key or a window that can not be read."""
        current, previous, until = value.get("current", value.get(_VARIABLE)), value.get("previous"), None
        if not isinstance(current, str) or not current:
            raise RotationError('The master key\'s secret has no "current": set it anew.')
        if previous is None:
            return cls(current)
        try:
            until = datetime.fromisoformat(str(value.get("previous_not_after")))
        except ValueError:
            until = None
        if not isinstance(previous, str) or until is None or until.tzinfo is None:
            raise RotationError(
                'The master key\'s "previous" has no "previous_not_after" with a time zone: set it anew.'
            )
        return cls(current, previous, until)

    def to_value(self) -> Value:
        """Return what goes into the secret."""
        until = self.previous_not_after
        return {
            _VARIABLE: self.current,
            "current": self.current,
            "previous": self.previous,
            "previous_not_after": None if until is None else until.astimezone(UTC).isoformat(timespec="seconds"),
        }

    def window_open(self, now: datetime) -> bool:
        """Tell whether the previous key is still valid."""
        return self.previous_not_after is not None and now < self.previous_not_after

    def followed_by(self, key: str, now: datetime, window: timedelta) -> "MasterKey":
        """Return what holds once `key` is current; without a window the key before ends at once."""
        return MasterKey(key, self.current, now + window) if window else MasterKey(key)


def new_master_key() -> str:
    """Return a random master key."""
    return KEY_PREFIX + random_text(KEY_LENGTH - len(KEY_PREFIX))


def random_text(length: int) -> str:
    """Return random letters and digits, about 5.95 bits each."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def check_rotation(key: MasterKey, interval: timedelta | None, now: datetime, window: timedelta = WINDOW) -> None:
    """Raise `RotationError` when a rotation now, or one in each `interval`, would end the previous key too early."""
    if interval is not None and interval <= window:
        raise RotationError(
            f"The master key is rotated every {_days(interval)} but the previous one is valid for {_days(window)}:"
            " make the interval longer than the window."
        )
    if key.previous_not_after is not None and key.window_open(now):
        until = key.previous_not_after.astimezone(UTC)
        raise RotationError(
            f"The previous master key is valid until {until:%Y-%m-%d %H:%M} UTC and would end early:"
            " wait, end it with `headgate secrets revoke-previous master-key`, or rotate with --emergency."
        )


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):g} days"


class MasterKeyRotation:
    """Rotates a master key. `restart` makes running gateways read it; `now` is the wall clock."""

    def __init__(
        self,
        restart: Callable[[], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        window: timedelta = WINDOW,
    ) -> None:
        self._restart = restart
        self._now = now
        self._window = window

    def create(self, current: Value, rotation: Rotation) -> Value:
        """Return the next key with the current one as previous; in an emergency without it."""
        key, now = MasterKey.from_value(current), self._now()
        if not rotation.emergency:
            check_rotation(key, rotation.interval, now, self._window)
        return key.followed_by(new_master_key(), now, timedelta() if rotation.emergency else self._window).to_value()

    def apply(self, current: Value, pending: Value) -> None:
        """Change nothing: the secret is where gateways learn their keys from."""

    def test(self, current: Value, pending: Value) -> None:
        """Check that the pending value is a master key that follows the current one.

        No gateway knows the pending key before it is current, so none can be asked.
        """
        before, after = MasterKey.from_value(current), MasterKey.from_value(pending)
        if len(after.current) != KEY_LENGTH or not after.current.startswith(KEY_PREFIX):
            raise RotationError(f"The pending master key is not {KEY_PREFIX} and {KEY_LENGTH} characters: rotate anew.")
        if after.previous not in (None, before.current) or after.current == before.current:
            raise RotationError("The pending master key does not follow the current one: rotate anew.")

    def finished(self) -> None:
        """Restart what got the key as it started."""
        self._restart()
