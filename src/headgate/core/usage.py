"""What a call consumed, in the counts that providers bill by."""

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Token counts of one call.

    `input_tokens` includes the cached ones and `output_tokens` the reasoning ones, as OpenAI counts; providers that
    count otherwise are converted. `estimated` says that the upstream did not report and these come from what was seen.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens
