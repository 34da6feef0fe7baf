import os
import uuid

import pytest

from headgate.core.identifiers import call_id


def test_a_call_id_is_a_random_uuid_in_its_usual_form() -> None:
    for _ in range(200):
        text = call_id()
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 4
        assert parsed.variant == uuid.RFC_4122


@pytest.mark.parametrize("octet", [0x00, 0x3F, 0x40, 0x7F, 0x80, 0xBF, 0xC0, 0xFF])
def test_version_and_variant_hold_whatever_the_random_bytes_are(octet: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda size: bytes([octet]) * size)
    parsed = uuid.UUID(call_id())
    assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)


def test_call_ids_do_not_repeat() -> None:
    assert len({call_id() for _ in range(10_000)}) == 10_000


def test_every_digit_but_version_and_variant_varies() -> None:
    texts = [call_id().replace("-", "") for _ in range(500)]
    kinds = [len({text[position] for text in texts}) for position in range(32)]
    assert kinds[12] == 1
    assert kinds[16] == 4
    assert all(kinds[position] == 16 for position in range(32) if position not in (12, 16))
