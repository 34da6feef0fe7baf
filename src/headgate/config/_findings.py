"""What is found in a configuration, and where."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from headgate.config._tree import Node

KeyPath = tuple[str | int, ...]
"""The keys and list positions that lead to a value."""


class Severity(Enum):
    """How much a finding matters: an error cannot stay, a warning may surprise, an info is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Disposition(Enum):
    """What Headgate does with a key of LiteLLM's configuration."""

    HONOURED = "honoured"
    """It works as in LiteLLM."""
    IGNORED = "ignored"
    """It is accepted and has no effect."""
    REFUSED = "refused"
    """Starting without its effect would be unsafe or misleading, so Headgate does not start."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about a configuration.

    `file` and `line` are None for what no file says (an environment variable), `line` also for a file as a whole.
    `key` is the path in dots, such as `model_list.0.litellm_params.api_key`. `fatal` tells that Headgate does not start
    with it; an error that is not fatal is one that LiteLLM accepts and that has no effect. Holds no secret.
    """

    severity: Severity
    message: str
    file: Path | None = None
    line: int | None = None
    key: str = ""
    suggestion: str = ""
    disposition: Disposition | None = None
    fatal: bool = False

    def __str__(self) -> str:
        """Return one sentence or two, after `file:line: ` where known."""
        place = "" if self.file is None else f"{self.file}: " if self.line is None else f"{self.file}:{self.line}: "
        return place + " ".join(part for part in (self.message, self.suggestion) if part)


def dotted(path: KeyPath) -> str:
    """Write a key path with dots."""
    return ".".join(str(part) for part in path)


class Findings:
    """Collects findings; iterates over them by file and line, those without a place last."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def __iter__(self) -> Iterator[Finding]:
        """Iterate in the order of the file."""
        return iter(sorted(self._found, key=lambda one: (one.file is None, str(one.file), one.line or 0)))

    @property
    def fatal(self) -> bool:
        """True when one of them keeps Headgate from starting."""
        return any(finding.fatal for finding in self._found)

    def has(self, key: str) -> bool:
        """Tell whether something was already found at this very key."""
        return any(finding.key == key for finding in self._found)

    def has_error_below(self, key: str) -> bool:
        """Tell whether there is an error at this key or at one that it holds."""
        return any(
            finding.severity is Severity.ERROR and (finding.key == key or finding.key.startswith(f"{key}."))
            for finding in self._found
        )

    def add(self, finding: Finding) -> None:
        """Note a finding."""
        self._found.append(finding)

    def error(self, node: Node, path: KeyPath, message: str, suggestion: str = "", *, fatal: bool = True) -> None:
        """Note an error at a node."""
        self.add(Finding(Severity.ERROR, message, node.file, node.line, dotted(path), suggestion, fatal=fatal))

    def warning(self, node: Node, path: KeyPath, message: str, suggestion: str = "") -> None:
        """Note a warning at a node."""
        self.add(Finding(Severity.WARNING, message, node.file, node.line, dotted(path), suggestion))
