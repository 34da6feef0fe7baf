"""Answers of AWS that come in pages, as one list."""

from typing import Any

from headgate.deploy.ecs._account import Account


def listed(account: Account, service: str, operation: str, member: str, **arguments: Any) -> list[Any]:
    """Return `member` of every page of an operation that boto3 can page; botocore's errors go through."""
    paginator = account.client(service).get_paginator(operation)

    def read() -> list[Any]:
        return [one for page in paginator.paginate(**arguments) for one in page.get(member) or []]

    return account.call(read)
