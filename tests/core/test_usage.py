import msgspec
import pytest

from headgate.core.usage import Usage


def test_nothing_is_counted_by_default_and_nothing_is_an_estimate() -> None:
    assert Usage() == Usage(0, 0, 0, 0, 0, 0, 0, estimated=False)
    assert Usage().total_tokens == 0


def test_the_total_counts_cached_reasoning_and_audio_tokens_once() -> None:
    usage = Usage(
        input_tokens=9,
        output_tokens=4,
        cache_read_tokens=5,
        cache_write_tokens=2,
        reasoning_tokens=3,
        input_audio_tokens=1,
        output_audio_tokens=1,
    )
    assert usage.total_tokens == 13


def test_usage_does_not_change_and_compares_by_value() -> None:
    usage = Usage(input_tokens=9, output_tokens=4)
    with pytest.raises(AttributeError):
        usage.input_tokens = 10  # type: ignore[misc]
    assert hash(usage) == hash(msgspec.structs.replace(usage))
    assert msgspec.structs.replace(usage, estimated=True) != usage
