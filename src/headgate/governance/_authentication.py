"""From the key in a request's header to the principal that it belongs to."""

import hashlib
import hmac
import time
from collections.abc import Callable

from headgate.core.errors import AuthenticationError
from headgate.core.provider import Headers
from headgate.governance._keys import MasterKey, Principal

_KEY_HEADERS = frozenset(
    {b"authorization", b"x-litellm-api-key", b"x-api-key", b"api-key", b"x-goog-api-key", b"ocp-apim-subscription-key"}
)
"""The header fields that LiteLLM reads a key from."""


class Authenticator:
    """Tells the principal of a request from its headers.

    `master_key` is in any form that `MasterKey.parse` reads; with None every request is the master's, as LiteLLM has
    it; `headgate serve` never runs so. `header_name` is a further header field that may carry the key
    (`litellm_key_header_name`). `now` is the wall clock that the previous key's end is compared with.
    `on_previous_use` is called for each request that comes with the previous key. Raises `ConfigurationError` as
    `parse` does.
    """

    def __init__(
        self,
        master_key: str | None,
        *,
        header_name: str | None = None,
        now: Callable[[], float] = time.time,
        on_previous_use: Callable[[], None] = lambda: None,
    ) -> None:
        keys = None if master_key is None else MasterKey.parse(master_key)
        self._master_key = None if keys is None else keys.current.encode()
        self._previous = None if keys is None or keys.previous is None else keys.previous.encode()
        self._previous_not_after = 0.0 if keys is None else keys.previous_not_after
        self._now = now
        self._on_previous_use = on_previous_use
        self._headers = _KEY_HEADERS | ({header_name.lower().encode()} if header_name else set())
        self._master = Principal(hashlib.sha256(self._master_key or b"").hexdigest(), is_master=True)

    def authenticate(self, headers: Headers) -> Principal:
        """Return the principal. Raises `AuthenticationError` without a key or with one that is not valid."""
        if self._master_key is None:
            return self._master
        key = self._find_key(headers)
        if not key:
            raise AuthenticationError("Authentication Error, No api key passed in.")
        if not hmac.compare_digest(key, self._master_key) and not self._is_previous(key):
            raise AuthenticationError("Authentication Error, Invalid proxy server token passed.", param="key")
        return self._master

    def _is_previous(self, key: bytes) -> bool:
        if self._previous is None or not hmac.compare_digest(key, self._previous):
            return False
        if self._now() >= self._previous_not_after:
            return False
        self._on_previous_use()
        return True

    def _find_key(self, headers: Headers) -> bytes:
        """Return the first key in the header fields; a bearer token counts before the other fields."""
        found = b""
        for name, value in headers:
            if name in self._headers and value:
                if name == b"authorization":
                    if value[:7] == b"Bearer ":
                        return value[7:].strip()
                    scheme, _, credentials = value.partition(b" ")
                    if scheme.lower() == b"bearer":
                        return credentials.strip()
                    if not credentials:
                        return scheme
                elif not found:
                    found = value.removeprefix(b"Bearer ").strip()
        return found
