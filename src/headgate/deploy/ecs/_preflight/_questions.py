"""Questions to AWS from several threads, each asked once."""

import json
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from headgate.deploy.ecs._account import DENIED, Account, explained
from headgate.deploy.ecs._calls import error_code, error_message
from headgate.deploy.engine import DeployError

T = TypeVar("T")

_AT_ONCE = 8
_PREFIXES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
"""What policies call the services whose clients boto3 names otherwise."""


class AnswerError(DeployError):
    """AWS answered with an error; `code` is its name."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class RefusedError(AnswerError):
    """The credentials may not ask this."""


class Questions:
    """Asks one account. What is asked again gets the first answer, also when that is an error.

    Every method raises `CredentialsError`, `RefusedError` that names the missing action, `AnswerError` for another
    error of AWS, and `DeployError` when it is not reached.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._clients = threading.Lock()
        self._answering = threading.Lock()
        self._answers: dict[Hashable, Future[Any]] = {}

    def ask(self, service: str, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Return the answer of an operation, by boto3's names."""
        return self.once(_key(service, operation, arguments), lambda: self.afresh(service, operation, **arguments))

    def listed(self, service: str, operation: str, member: str, **arguments: Any) -> list[Any]:
        """Return `member` of every page of an operation's answer."""

        def read() -> list[Any]:
            client = self._client(service)
            pages = client.get_paginator(operation).paginate(**arguments)
            return self._answer(
                _action(client, service, operation),
                lambda: [one for page in pages for one in page.get(member) or []],
            )

        return self.once((*_key(service, operation, arguments), member), read)

    def afresh(self, service: str, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Return the answer of an operation, and do not keep it."""
        client = self._client(service)
        method = getattr(client, operation)
        answer: Mapping[str, Any] = self._answer(_action(client, service, operation), lambda: method(**arguments))
        return answer

    def once(self, key: Hashable, find: Callable[[], T]) -> T:
        """Return what `find` returned, or raised, when it was first called with this key."""
        with self._answering:
            found: Future[T] | None = self._answers.get(key)
            if found is None:
                answer: Future[T] = Future()
                self._answers[key] = answer
        if found is not None:
            return found.result()
        try:
            answer.set_result(find())
        except BaseException as error:  # noqa: BLE001 - raised again for everybody who asks
            answer.set_exception(error)
        return answer.result()

    def prepare(self, services: Iterable[str]) -> None:
        """Make the clients of services, for functions that take them from the account themselves."""
        for service in services:
            self._client(service)

    def together(self, questions: Sequence[Callable[[], T]]) -> list[T]:
        """Return what each returns, in their order; several are asked at the same time."""
        if not questions:
            return []
        with ThreadPoolExecutor(min(_AT_ONCE, len(questions))) as pool:
            return list(pool.map(lambda question: question(), questions))

    def _client(self, service: str) -> Any:
        # Making clients is not safe in several threads at once.
        with self._clients:
            return self._account.client(service)

    def _answer(self, action: str, method: Callable[[], T]) -> T:
        from botocore.exceptions import ClientError

        with explained(action):
            try:
                return self._account.call(method)
            except ClientError as error:
                code = error_code(error)
                if code in DENIED:
                    raise RefusedError(
                        code, f"The credentials may not do {action}, so that it could not be told. Allow it to have it"
                        " looked at."
                    ) from error  # fmt: skip
                raise AnswerError(code, f"{action}: {error_message(error) or code}") from error


def _key(service: str, operation: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    return service, operation, json.dumps(arguments, sort_keys=True, default=str)


def _action(client: Any, service: str, operation: str) -> str:
    """Return what policies call an operation, such as `ec2:DescribeVpcs`."""
    return f"{_PREFIXES.get(service, service)}:{client.meta.method_to_api_mapping[operation]}"
