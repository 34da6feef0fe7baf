"""Money is an integer number of nano-dollars; prices are integer pico-dollars per token, so that nothing is lost
before the one rounding that each request gets.
"""

from decimal import Decimal

import msgspec

from headgate.core.usage import Usage

PICO_PER_NANO = 1_000
NANO_PER_DOLLAR = 1_000_000_000
PICO_PER_DOLLAR = PICO_PER_NANO * NANO_PER_DOLLAR


class Price(msgspec.Struct, frozen=True):
    """What one model costs: pico-dollars per token of each kind, nano-dollars per request.

    `cache_read` and `cache_write` price the cached part of the input; None means at the input price.
    `tiers` hold prices that replace this one from a number of input tokens on, ascending: `((200_000, Price(...)),)`.
    """

    input: int = 0
    output: int = 0
    cache_read: int | None = None
    cache_write: int | None = None
    per_request: int = 0
    tiers: tuple[tuple[int, "Price"], ...] = ()

    def cost(self, usage: Usage) -> int:
        """Nano-dollars for one call, rounded half up once."""
        price = self
        for threshold, tier in self.tiers:
            if usage.input_tokens > threshold:
                price = tier
        read, written = usage.cache_read_tokens, usage.cache_write_tokens
        pico = (
            max(usage.input_tokens - read - written, 0) * price.input
            + read * (price.input if price.cache_read is None else price.cache_read)
            + written * (price.input if price.cache_write is None else price.cache_write)
            + usage.output_tokens * price.output
        )
        return (pico + PICO_PER_NANO // 2) // PICO_PER_NANO + price.per_request


def pico_dollars(dollars: Decimal | float | str) -> int:
    """Dollars as integer pico-dollars; a float is read by its shortest decimal form, so 2.5e-06 is exact."""
    return int((Decimal(str(dollars)) * PICO_PER_DOLLAR).to_integral_value())


def format_dollars(nano: int) -> str:
    """Nano-dollars as the decimal text of a dollar amount, in Python's shortest float form: 62500 is '6.25e-05'."""
    return repr(nano / NANO_PER_DOLLAR)
