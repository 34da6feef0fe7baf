"""Token counts as OpenAI-compatible upstreams report them, in every spelling that is met.

Chat, completions and embeddings say `prompt_tokens` and `completion_tokens`; responses, images and transcriptions say
`input_tokens` and `output_tokens` (https://platform.openai.com/docs/api-reference). A count that makes no sense makes
the whole report count as missing: it would be billed.
"""

from typing import Final

import msgspec

from headgate.core.usage import Usage
from headgate.providers._openai_shapes import InputDetails, Meta, OutputDetails, Report

_decode_report: Final = msgspec.json.Decoder(Report, strict=False).decode
_decode_meta: Final = msgspec.json.Decoder(Meta, strict=False).decode
_NO_INPUT: Final = InputDetails()
_NO_OUTPUT: Final = OutputDetails()


def read_usage(report: msgspec.Raw) -> Usage | None:
    """Read a `usage` object; None when there is none, it holds no token counts, or they can not be true."""
    if not report:
        return None
    try:
        found = _decode_report(report)
    except (msgspec.DecodeError, RecursionError):
        return None
    into = found.prompt_tokens if found.prompt_tokens is not None else found.input_tokens
    out = found.completion_tokens if found.completion_tokens is not None else found.output_tokens
    if into is None and out is None:
        # Rerankers and some embedders report only the total, which is all input.
        if found.total_tokens is None:
            return None
        into = found.total_tokens
    into, out = into or 0, out or 0
    read = found.prompt_tokens_details or found.input_tokens_details or found.input_token_details or _NO_INPUT
    written = found.completion_tokens_details or found.output_tokens_details or _NO_OUTPUT
    reasoning = written.reasoning_tokens or 0
    # xAI counts reasoning beside the completion, not in it; its total tells.
    if reasoning and found.total_tokens == into + out + reasoning:
        out += reasoning
    return Usage(
        input_tokens=into,
        output_tokens=out,
        cache_read_tokens=min(read.cached_tokens or found.prompt_cache_hit_tokens or 0, into),
        cache_write_tokens=min(read.cache_write_tokens or 0, into),
        reasoning_tokens=reasoning,
        input_audio_tokens=read.audio_tokens or 0,
        output_audio_tokens=written.audio_tokens or 0,
    )


def read_meta(meta: msgspec.Raw) -> Usage | None:
    """Read the token counts of Cohere's `meta` object; None when there are none."""
    if not meta:
        return None
    try:
        tokens = _decode_meta(meta).tokens
    except (msgspec.DecodeError, RecursionError):
        return None
    if tokens is None or tokens.input_tokens is None:
        return None
    return Usage(input_tokens=tokens.input_tokens, output_tokens=tokens.output_tokens or 0)
