"""A deployment: one way to reach a model, with its limits."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from headgate.routing._health import Health

P = TypeVar("P")
"""What the caller binds to a deployment; routing only hands it back."""


@dataclass(slots=True, eq=False, kw_only=True)
class Deployment(Generic[P]):
    """One entry of `model_list`.

    `rpm` and `tpm` are requests and tokens per minute, `cooldown_time` is seconds, `price` is the sum of the input
    and the output price in pico-dollars per token. None means: not set, not limited, not known.
    """

    id: str
    group: str
    """The public model name (`model_name`) that this deployment serves, possibly with a `*`."""
    provider: P
    model: str
    """The model's name at the upstream."""
    weight: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    order: int | None = None
    tags: frozenset[str] = frozenset()
    max_parallel_requests: int | None = None
    num_retries: int | None = None
    cooldown_time: float | None = None
    max_input_tokens: int | None = None
    price: int | None = None
    health: Health = field(default_factory=Health)
    share: float = field(default=1.0, init=False)
    """Relative share of the group's traffic under `simple-shuffle`; set by the router."""
