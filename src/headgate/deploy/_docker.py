"""Running Docker's command line."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from headgate.deploy.engine import DeployError

_SHOWN_WORDS = 8
_SHOWN_CHARACTERS = 2000


class DockerError(DeployError):
    """A command of Docker's that failed. `said` is what it wrote, secrets hidden."""

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said


def run_docker(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    seconds: float,
    given: str | None = None,
    source: IO[bytes] | None = None,
    target: IO[bytes] | None = None,
    hide: Callable[[str], str] = lambda text: text,
) -> str:
    """Run `docker` and return what it wrote, nothing where that went to `target`.

    Its standard input is the text `given`, or the file `source`, or nothing. `hide` takes secrets out of a text. Raises
    `DockerError` when it is not there, fails, or takes longer than `seconds`.
    """
    command = ["docker", *arguments]
    shown = " ".join(command if len(command) <= _SHOWN_WORDS else [*command[:_SHOWN_WORDS], "..."])
    try:
        result = subprocess.run(  # noqa: S603 - no shell, and every argument is checked or our own
            command,
            stdin=None if given is not None else source or subprocess.DEVNULL,
            input=None if given is None else given.encode(),
            stdout=target or subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
            env=dict(environ),
        )
    except FileNotFoundError:
        raise DockerError("Docker is not installed: there is no `docker` on the PATH.") from None
    except OSError as error:
        raise DockerError(f"Docker can not be run: {error.strerror or 'unknown error'}.") from error
    except subprocess.TimeoutExpired:
        raise DockerError(f"`{shown}` did not end within {seconds:.0f} s.") from None
    out, complaint = (result.stdout or b"").decode(errors="replace"), result.stderr.decode(errors="replace")
    if result.returncode != 0:
        said = hide(complaint.strip() or out.strip())[-_SHOWN_CHARACTERS:]
        raise DockerError(f"`{shown}` failed: {said or f'exit code {result.returncode}'}", said)
    return out
