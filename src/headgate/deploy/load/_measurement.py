"""What a load test measured."""

from array import array
from dataclasses import dataclass
from typing import Literal

from headgate.deploy.load._sender import Outcome
from headgate.deploy.load._statistics import Distribution, distribution

BUSY_SHARE = 0.9
"""A generator that uses more of a core than this measures itself."""


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Answers that were not as they should be, of one kind, and what the first of them said."""

    error: str
    count: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """What happened within `seconds` of load.

    `answered` counts the good answers that arrived in that time, `requests` those that began in it and came to an end,
    of which `errors` were not good and the others took `latency`. `overhead` is what the target says of itself,
    `added` what it took more than the upstream, asked directly at the same moment. `first_token` is that of streams.
    `unfinished` requests were given up at the end; `unsent` ones were due before it, but the generator was too slow.
    `processor_share` is how much of a core it used.
    """

    seconds: float
    requests: int
    answered: int
    errors: tuple[ErrorCount, ...]
    latency: Distribution | None
    first_token: Distribution | None
    overhead: Distribution | None
    added: Distribution | None
    direct: Distribution | None
    direct_errors: tuple[ErrorCount, ...]
    unfinished: int
    unsent: int
    ended_by: Literal["duration", "requests", "interrupt"]
    processor_share: float

    @property
    def requests_per_second(self) -> float:
        """Good answers a second."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def error_share(self) -> float:
        """Errors among the requests that came to an end, 0 to 1."""
        return sum(one.count for one in self.errors) / self.requests if self.requests else 0.0

    @property
    def generator_was_busy(self) -> bool:
        """True where the generator itself may have been what was slow."""
        return self.processor_share > BUSY_SHARE or self.unsent > 0


class Samples:
    """Collects what comes in while it is measured; what began before does not count."""

    def __init__(self) -> None:
        self.requests = 0
        self.answered = 0
        self.errors = Errors()
        self.direct_errors = Errors()
        self._latency, self._first_token, self._overhead = array("d"), array("d"), array("d")
        self._added, self._direct = array("d"), array("d")
        self._begun = float("inf")
        self._ended = float("inf")

    def begin(self, now: float) -> None:
        """Count from now on."""
        self._begun = now

    def end(self, now: float) -> None:
        """Count answers that arrive no more; what began before is still waited for."""
        self._ended = now

    def add(self, begun: float, now: float, outcome: Outcome, direct: Outcome | None = None) -> None:
        """Take what became of a request that began at `begun` and, where it was, of its double."""
        if not outcome.error and self._begun <= now < self._ended:
            self.answered += 1
        if not self._begun <= begun < self._ended:
            return
        self.requests += 1
        if outcome.error:
            self.errors.add(outcome)
        else:
            self._latency.append(outcome.seconds)
            if outcome.first_token is not None:
                self._first_token.append(outcome.first_token)
            if outcome.overhead is not None:
                self._overhead.append(outcome.overhead)
        if direct is None:
            return
        if direct.error:
            self.direct_errors.add(direct)
            return
        self._direct.append(direct.seconds)
        if not outcome.error:
            self._added.append(outcome.seconds - direct.seconds)

    def measurement(
        self,
        unfinished: int,
        unsent: int,
        ended_by: Literal["duration", "requests", "interrupt"],
        processor_seconds: float,
    ) -> Measurement:
        """Return what was measured between `begin` and `end`."""
        begun = self._begun <= self._ended < float("inf")
        seconds = self._ended - self._begun if begun else 0.0
        return Measurement(
            seconds=seconds,
            requests=self.requests,
            answered=self.answered,
            errors=self.errors.counts(),
            latency=distribution(self._latency),
            first_token=distribution(self._first_token),
            overhead=distribution(self._overhead),
            added=distribution(self._added),
            direct=distribution(self._direct),
            direct_errors=self.direct_errors.counts(),
            unfinished=unfinished,
            unsent=unsent,
            ended_by=ended_by,
            processor_share=processor_seconds / seconds if seconds else 0.0,
        )


class Errors:
    """Counts errors by kind, and keeps what the first of each said."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._sentences: dict[str, str] = {}

    def __len__(self) -> int:
        return sum(self._counts.values())

    def add(self, outcome: Outcome) -> None:
        """Count one."""
        self._counts[outcome.error] = self._counts.get(outcome.error, 0) + 1
        self._sentences.setdefault(outcome.error, outcome.sentence)

    def counts(self) -> tuple[ErrorCount, ...]:
        """Return the kinds, the most frequent first."""
        kinds = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(ErrorCount(error, count, self._sentences[error]) for error, count in kinds)
