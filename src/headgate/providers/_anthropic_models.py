"""What a Claude model accepts, read from its name.

Sources: Anthropic's model overview, "Adaptive thinking", "Structured outputs" and "Migrating to Claude" guides
(https://platform.claude.com/docs/en/about-claude/models/overview).
"""

import re
from typing import NamedTuple

# claude-3-7-sonnet-20250219, claude-opus-4-20250514, claude-haiku-4-5@20251001, claude-2.1: a date is no version.
_VERSION = re.compile(r"claude-(?:([a-z]+)-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_NEWEST = (99, 0)

# The first version of each family that answers a forced tool with 400.
_TOOLS_NEVER_FORCED: dict[str | None, tuple[int, int]] = {"opus": (5, 5), "fable": (5, 1), "mythos": (5, 1)}


class Capabilities(NamedTuple):
    """What a model accepts beyond the common ground."""

    thinking: bool
    """Extended thinking: Claude 3.7 and later."""
    adaptive_thinking: bool
    """Thinking is set by `output_config.effort`; a budget of tokens is deprecated (4.6) or refused (later)."""
    structured_outputs: bool
    """`output_config.format` constrains the answer to a JSON schema: Claude 4.5 and later."""
    sampling: bool
    """`temperature`, `top_p` and `top_k` are accepted: until Claude 4.6."""
    forced_tools: bool
    """`tool_choice` may be `any` or `tool`."""


def capabilities(model: str) -> Capabilities:
    """Return what the model accepts.

    A name that is not Claude's (an Anthropic-compatible server of someone else) gets the older, widely copied forms;
    a Claude name without a number is one of the newest.
    """
    match = _VERSION.search(model)
    family = None
    if match is not None:
        family, version = match[1], (int(match[2]), int(match[3] or 0))
    elif "claude-" in model:
        version = _NEWEST
    else:
        return Capabilities(
            thinking=True, adaptive_thinking=False, structured_outputs=False, sampling=True, forced_tools=True
        )
    return Capabilities(
        thinking=version >= (3, 7),
        adaptive_thinking=version >= (4, 6),
        structured_outputs=version >= (4, 5),
        sampling=version <= (4, 6),
        forced_tools=family not in _TOOLS_NEVER_FORCED or version < _TOOLS_NEVER_FORCED[family],
    )
