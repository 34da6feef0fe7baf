"""Identifiers that are ours: a client's own id is only ever a label."""

import os


def call_id() -> str:
    """Return a random UUID (version 4) as text, made without the cost of a UUID object."""
    digits = os.urandom(16).hex()
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[int(digits[16], 16) & 3]}{digits[17:20]}-{digits[20:]}"
    )
