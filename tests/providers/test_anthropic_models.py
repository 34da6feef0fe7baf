import pytest

from headgate.providers._anthropic_models import Capabilities, capabilities

PLAIN = Capabilities(
    thinking=False, adaptive_thinking=False, structured_outputs=False, sampling=True, forced_tools=True
)
BUDGET = PLAIN._replace(thinking=True)
STRUCTURED = BUDGET._replace(structured_outputs=True)
ADAPTIVE = STRUCTURED._replace(adaptive_thinking=True)
MODERN = ADAPTIVE._replace(sampling=False)
NEVER_FORCED = MODERN._replace(forced_tools=False)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-2.1", PLAIN),
        ("claude-3-haiku-20240307", PLAIN),
        ("claude-3-5-sonnet-latest", PLAIN),
        ("claude-3-7-sonnet-20250219", BUDGET),
        ("claude-opus-4-20250514", BUDGET),
        ("claude-opus-4-1-20250805", BUDGET),
        ("claude-sonnet-4-5-20250929", STRUCTURED),
        ("claude-haiku-4-5@20251001", STRUCTURED),
        ("claude-opus-4-6", ADAPTIVE),
        ("us.anthropic.claude-sonnet-4-6-v1:0", ADAPTIVE),
        ("claude-opus-4-7", MODERN),
        ("claude-sonnet-5", MODERN),
        ("claude-haiku-5-5", MODERN),
        ("claude-opus-5", MODERN),
        ("claude-mythos-preview", MODERN),
        ("claude-opus-5-5", NEVER_FORCED),
        ("claude-fable-5", MODERN),
        ("claude-fable-5-1", NEVER_FORCED),
        ("MiniMax-M2", BUDGET),
    ],
)
def test_capabilities_follow_the_version_in_the_name(model: str, expected: Capabilities) -> None:
    assert capabilities(model) == expected
