"""Identifiers that are ours: a client's own id is only ever a label."""

import os
from collections.abc import Iterator

_BATCH = 256
"""Identifiers whose randomness is drawn at once: a system call each would cost more than all the rest."""


def call_id() -> str:
    """Return a random UUID (version 4) as text."""
    digits = next(_digits)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def _draw() -> Iterator[str]:
    while True:
        digits = os.urandom(16 * _BATCH).hex()
        for start in range(0, len(digits), 32):
            yield digits[start : start + 32]


_digits = _draw()


def _draw_anew() -> None:
    """Forget what was drawn: a forked process must not give out what its parent gives out too."""
    global _digits
    _digits = _draw()


os.register_at_fork(after_in_child=_draw_anew)
