"""The bodies of requests, no two the same, so that no cache answers in the model's place."""

import json
from typing import Any

from headgate.deploy.load._load import Load

_FILLER = "This sentence is repeated until the prompt is as long as it has to be. "


class Prompts:
    """Makes bodies of equal size. `run` tells this run's prompts from those of any other."""

    def __init__(self, load: Load, run: str) -> None:
        mark = f"{run}-{0:010d} "
        filler = (_FILLER * (load.prompt_bytes // len(_FILLER) + 1))[: load.prompt_bytes - len(mark)]
        body: dict[str, Any] = {"model": load.model, "messages": [{"role": "user", "content": f"\0{filler}"}]}
        if load.max_tokens is not None:
            body["max_tokens"] = load.max_tokens
        if load.stream:
            body["stream"] = True
        # The last one: a model's name that looks like it stands before.
        before, _, after = json.dumps(body, separators=(",", ":")).rpartition(r"\u0000")
        self._before, self._after = f"{before}{run}-".encode(), f" {after}".encode()

    def body(self, number: int) -> bytes:
        """Return the body of request `number` of this run."""
        return b"%b%010d%b" % (self._before, number, self._after)
