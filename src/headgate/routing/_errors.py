"""What each category of failure means for routing."""

from collections.abc import Mapping

from headgate.core.errors import Category, ConfigurationError

SAME_EVERYWHERE = frozenset({Category.BAD_REQUEST, Category.CONTEXT_WINDOW, Category.CONTENT_POLICY})
"""The request is at fault: no deployment of the group would answer otherwise, and none is to blame."""

NOT_HERE = frozenset({Category.AUTHENTICATION, Category.PERMISSION, Category.NOT_FOUND})
"""This deployment is at fault: it will answer the same again, another one may not."""

_NAMES = {
    Category.BAD_REQUEST: "BadRequestError",
    Category.AUTHENTICATION: "AuthenticationError",
    Category.PERMISSION: "AuthenticationError",
    Category.CONTENT_POLICY: "ContentPolicyViolationError",
    Category.RATE_LIMIT: "RateLimitError",
    Category.TIMEOUT: "TimeoutError",
    Category.INTERNAL: "InternalServerError",
    Category.CONNECTION: "InternalServerError",
    Category.PROTOCOL: "InternalServerError",
}


def counts_by_category(counts: Mapping[str, int], suffix: str, where: str) -> dict[Category, int]:
    """Turn LiteLLM's names (`TimeoutErrorRetries`) into categories; `suffix` is `Retries` or `AllowedFails`.

    Raises `ConfigurationError` that starts with `where` for names that do not exist.
    """
    known = {name + suffix for name in _NAMES.values()}
    unknown = [name for name in counts if name not in known]
    if unknown:
        names = ", ".join(sorted(known))
        raise ConfigurationError([f"{where}: unknown name '{name}'; use one of {names}" for name in unknown])
    return {
        category: counts[name + suffix] for category, name in _NAMES.items() if counts.get(name + suffix) is not None
    }
