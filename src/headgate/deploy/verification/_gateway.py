"""A gateway as its users see it: does it answer, does it refuse strangers, does it serve what it should."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.deploy.engine import DeployError, Verdict
from headgate.deploy.verification._models import BUILT_IN, ServedModels
from headgate.deploy.verification._probes import Probe, Result
from headgate.deploy.verification._web import Answer, Web, WebError

STRANGER = "sk-of-nobody"
"""A key that no gateway has."""
_QUESTION = {"model": BUILT_IN, "messages": [{"role": "user", "content": "?"}], "max_tokens": 8}
_SHOWN_NAMES = 5


class _NotWellError(Exception):
    """What a probe found."""

    def __init__(self, message: str, verdict: Verdict = Verdict.FAILED) -> None:
        super().__init__(message)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Front:
    """A gateway's address without a path, and how to get its master key, which raises `DeployError` without one.

    `advice` says what to do where the gateway does not answer.
    """

    web: Web
    url: str
    key: Callable[[], str]
    advice: str

    def ask(self, path: str, key: str | None = None, body: dict[str, Any] | None = None) -> Answer:
        """Get a path, or post JSON to it. Raises `WebError`."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        if body is None:
            return self.web.ask("GET", f"{self.url}{path}", headers)
        headers["Content-Type"] = "application/json"
        return self.web.ask("POST", f"{self.url}{path}", headers, json.dumps(body).encode())


def gateway_probes(front: Front, models: ServedModels, hidden: Sequence[str]) -> list[Probe]:
    """Return what to look at: `models` are those of the configuration, `hidden` the paths that outsiders must not get.

    The built-in model is asked where it is served, which costs nothing; a provider's never is.
    """
    looks: dict[str, Callable[[Front], str]] = {
        "liveliness": lambda front: _healthy(front, "/health/liveliness"),
        "readiness": lambda front: _healthy(front, "/health/readiness"),
        "unknown key": _refused,
        "models": lambda front: _listed(front, models),
        "internal paths": lambda front: _hidden(front, hidden),
    }
    if BUILT_IN in models.names:
        looks["answer"] = _answered
    return [Probe(name, _judging(look, front)) for name, look in looks.items()]


def page_probe(name: str, web: Web, url: str, advice: str) -> Probe:
    """Return the probe of something that answers 200 to everybody; `advice` says what to do where it does not."""
    nobody = Front(web, url, lambda: "", advice)
    return Probe(name, _judging(lambda front: _healthy(front, "/health"), nobody))


def _judging(look: Callable[[Front], str], front: Front) -> Callable[[], Result]:
    """Make a verdict of what `look` returns where all is well, and of what it raises."""

    def judged() -> Result:
        try:
            return Verdict.PASSED, look(front)
        except _NotWellError as found:
            return found.verdict, str(found)
        except WebError as error:
            return Verdict.FAILED, f"{error} {front.advice}"

    return judged


def _healthy(front: Front, path: str) -> str:
    status = front.ask(path).status
    if status != 200:
        raise _NotWellError(f"{front.url}{path} answers {status} instead of 200. {front.advice}")
    return f"{front.url}{path} answers 200"


def _refused(front: Front) -> str:
    """Knock with a key that nobody has, at the models and at the data plane."""
    for path, body in (("/v1/models", None), ("/v1/chat/completions", _QUESTION)):
        status = front.ask(path, STRANGER, body).status
        if 200 <= status < 300:
            raise _NotWellError(
                f"{path} lets in a key that nobody has ({status}): no master key is set, so that whoever reaches the"
                " gateway uses it. Take it off the network, set LITELLM_MASTER_KEY and start the gateways again."
            )
        if status != 401:
            raise _NotWellError(f"{path} answers {status} instead of 401 to a key that nobody has. {front.advice}")
    return "a key that nobody has is refused with 401"


def _listed(front: Front, expected: ServedModels) -> str:
    answer = _with_key(front, "/v1/models")
    try:
        listed = {str(model["id"]) for model in json.loads(answer.body)["data"]}
    except (ValueError, TypeError, KeyError):
        raise _NotWellError(f"/v1/models answers something that is no list of models. {front.advice}") from None
    if missing := expected.names - listed:
        raise _NotWellError(
            f"not served, although the configuration names them: {_shown(missing)}. The gateways run with another"
            " configuration: `headgate deploy up gateway` gives them this one."
        )
    unknown = {name for name in listed - expected.names if "*" not in name}
    if expected.closed and unknown:
        raise _NotWellError(
            f"served, although the configuration does not name them: {_shown(unknown)}. Somebody added them through"
            " the API, or the gateways run with another configuration (`headgate deploy up gateway`).",
            Verdict.WARNING,
        )
    return f"{len(listed)} served, among them all of the configuration"


def _answered(front: Front) -> str:
    _with_key(front, "/v1/chat/completions", _QUESTION)
    return f"the built-in model {BUILT_IN} answers"


def _with_key(front: Front, path: str, body: dict[str, Any] | None = None) -> Answer:
    """Ask with the master key and insist on 200."""
    try:
        key = front.key()
    except DeployError as error:
        raise _NotWellError(f"The master key can not be read: {error}", Verdict.UNKNOWN) from error
    answer = front.ask(path, key, body)
    if answer.status == 401:
        raise _NotWellError(f"{path} refuses the master key: the gateways started with another one. Start them again.")
    if answer.status != 200:
        raise _NotWellError(f"{path} answers {answer.status} to the master key. {front.advice}")
    return answer


def _hidden(front: Front, paths: Sequence[str]) -> str:
    statuses = {path: front.ask(path).status for path in paths}
    if shown := [f"{path} ({status})" for path, status in statuses.items() if status != 404]:
        raise _NotWellError(
            f"outsiders get {', '.join(shown)}, where they should get 404: what stands before the gateways was"
            " changed, and `headgate deploy diff` shows how."
        )
    return f"{', '.join(paths)} are 404 from the outside"


def _shown(names: Collection[str]) -> str:
    """Name a few; names come from outside, so each is cut."""
    listed = [name[:60] for name in sorted(names)]
    more = f" and {len(listed) - _SHOWN_NAMES} more" if len(listed) > _SHOWN_NAMES else ""
    return ", ".join(listed[:_SHOWN_NAMES]) + more
