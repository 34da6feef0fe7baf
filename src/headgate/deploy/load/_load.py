"""How much is asked of a target, and for how long."""

from collections.abc import Iterator
from dataclasses import dataclass

from headgate.core.errors import ConfigurationError

USERS = 1_000
SPAWN_RATE = 500.0
THINK = (0.5, 1.0)
DURATION = 300.0
PROMPT_BYTES = 16_350
"""The load of LiteLLM's published benchmark, from which the benchmark guide has its figures: 1,000 Locust users, 500
more each second, each waiting 0.5 to 1 s after an answer, for 5 minutes; prompts are a UUID and a sentence of 73
characters, 150 times (https://docs.litellm.ai/docs/benchmarks)."""

USERS_LIMIT = 20_000
RATE_LIMIT = 50_000.0
SECONDS_LIMIT = 3_600.0
REQUESTS_LIMIT = 100_000_000
PROMPT_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent. Times are seconds, rates are per second.

    Without `rate` the loop is closed: each of `users` waits for its answer, thinks for as long as chance says between
    the two of `think`, and asks again. With `rate` it is open: requests leave at that rate whatever became of those
    before, over `users` connections at most. `spawn_rate` users are added until all are there, then `warm_up` passes,
    then for `duration` what happens is measured; without a warm-up that begins with the first user. No more than
    `requests` are sent in all. `stream` asks for streams, `max_tokens` bounds the answers where it is given. Raises
    `ConfigurationError` with everything out of range.
    """

    model: str
    users: int = USERS
    spawn_rate: float = SPAWN_RATE
    think: tuple[float, float] = THINK
    rate: float | None = None
    warm_up: float = 10.0
    duration: float = DURATION
    requests: int = 2_000_000
    timeout: float = 60.0
    stream: bool = False
    prompt_bytes: int = PROMPT_BYTES
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        """Check every value."""
        if problems := list(self._problems()):
            raise ConfigurationError(problems)

    @property
    def uncounted(self) -> float:
        """How long it takes until it counts: without a warm-up everything does, from the first request on."""
        ramp = 0.0 if self.rate is not None else self.users / self.spawn_rate
        return ramp + self.warm_up if self.warm_up else 0.0

    def _problems(self) -> Iterator[str]:
        least, most = self.think
        rules = (
            (bool(self.model), "a model has a name"),
            (1 <= self.users <= USERS_LIMIT, f"there are 1 to {USERS_LIMIT:,} users"),
            (0 < self.spawn_rate <= USERS_LIMIT, f"users come at a rate above 0, {USERS_LIMIT:,} a second at most"),
            (0 <= least <= most <= 600, "users think for 0 to 600 s, the shorter time first"),
            (
                self.rate is None or 0 < self.rate <= RATE_LIMIT,
                f"a rate is above 0, {RATE_LIMIT:,.0f} a second at most",
            ),
            (0 <= self.warm_up <= SECONDS_LIMIT, f"the warm-up takes {SECONDS_LIMIT:,.0f} s at most"),
            (0 < self.duration <= SECONDS_LIMIT, f"a test takes {SECONDS_LIMIT:,.0f} s at most"),
            (1 <= self.requests <= REQUESTS_LIMIT, f"there are 1 to {REQUESTS_LIMIT:,} requests in all"),
            (0 < self.timeout <= 600, "an answer may take 600 s at most"),
            (64 <= self.prompt_bytes <= PROMPT_LIMIT, f"a prompt has 64 to {PROMPT_LIMIT:,} bytes"),
            (self.max_tokens is None or self.max_tokens >= 1, "an answer has at least 1 token"),
        )
        yield from (f"The load can not be made: {rule}." for holds, rule in rules if not holds)
