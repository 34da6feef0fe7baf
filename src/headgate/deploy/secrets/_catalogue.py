"""The secrets of a deployment, as data: what is in each, how it is made, and what changing it would do."""

from dataclasses import dataclass
from enum import Enum

from headgate.deploy.rotation import KEY_LENGTH, PASSWORD_LENGTH
from headgate.deploy.secrets._errors import SecretsUsageError


class Turnover(Enum):
    """How a secret gets another value."""

    AUTOMATIC = "automatic"
    """By schedule, and with `headgate secrets rotate`."""
    MANUAL = "manual"
    """With `headgate secrets set`."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a secret's JSON object.

    `length` is that of the random text it is made of, `default` what it is without being told; with neither of them it
    has to be given.
    """

    name: str
    length: int = 0
    default: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One secret.

    `plain` is the member that a text which is no JSON object is meant for. `resource` is the secret's name in the
    safety rules. With `any_member` one of its members is enough, otherwise each must be there. Environments have it
    where `setting` is on, all of them where that is None.
    """

    name: str
    purpose: str
    members: tuple[Member, ...]
    turnover: Turnover
    resource: str
    plain: str | None = None
    any_member: bool = False
    setting: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the members."""
        return tuple(member.name for member in self.members)


CATALOGUE: tuple[Entry, ...] = (
    Entry(
        "master-key",
        "opens the gateway's API as a bearer token",
        (Member("LITELLM_MASTER_KEY", KEY_LENGTH),),
        Turnover.AUTOMATIC,
        "master-key",
        plain="LITELLM_MASTER_KEY",
    ),
    Entry(
        "ui-password",
        "opens the administration pages",
        (Member("UI_USERNAME", default="admin"), Member("UI_PASSWORD", 24)),
        Turnover.MANUAL,
        "ui-password",
        plain="UI_PASSWORD",
    ),
    Entry(
        "api-keys",
        "the model providers' keys",
        (Member("OPENAI_API_KEY"), Member("ANTHROPIC_API_KEY"), Member("AWS_BEDROCK_REGION")),
        Turnover.MANUAL,
        "api-keys",
        any_member=True,
    ),
    Entry(
        "database",
        "the gateway's PostgreSQL login",
        (
            Member("username", default="headgate_a"),
            Member("password", PASSWORD_LENGTH),
            Member("host"),
            Member("port", default="5432"),
            Member("dbname", default="headgate"),
            Member("DATABASE_URL"),
        ),
        Turnover.AUTOMATIC,
        "database-url",
        plain="DATABASE_URL",
    ),
    Entry(
        "salt-key",
        "encrypts what is secret in the database",
        (Member("LITELLM_SALT_KEY", KEY_LENGTH),),
        Turnover.NEVER,
        "salt-key",
        plain="LITELLM_SALT_KEY",
    ),
    Entry(
        "redis",
        "the password of the gateway's Redis",
        # ElastiCache takes 16 to 128 characters.
        (Member("REDIS_PASSWORD", 64),),
        Turnover.MANUAL,
        "redis-password",
        plain="REDIS_PASSWORD",
        setting="redis",
    ),
    Entry(
        "open-webui-key",
        "Open WebUI's virtual key of the gateway, and what it signs sessions with",
        (Member("OPENAI_API_KEY"), Member("WEBUI_SECRET_KEY", 48)),
        Turnover.MANUAL,
        "open-webui-key",
        plain="OPENAI_API_KEY",
        setting="open_webui",
    ),
    Entry(
        "open-webui-admin",
        "the first login of Open WebUI, which it makes of them when it starts for the first time",
        (Member("WEBUI_ADMIN_EMAIL", default="admin@headgate.internal"), Member("WEBUI_ADMIN_PASSWORD", 24)),
        Turnover.MANUAL,
        "open-webui-admin",
        plain="WEBUI_ADMIN_PASSWORD",
        setting="open_webui",
    ),
)


def catalogue_for(*, redis: bool, open_webui: bool) -> tuple[Entry, ...]:
    """Return the secrets of an environment with these settings."""
    on = {None, *(["redis"] if redis else []), *(["open_webui"] if open_webui else [])}
    return tuple(entry for entry in CATALOGUE if entry.setting in on)


def find(name: str) -> Entry:
    """Return the entry of a name, or of the name in the safety rules. Raises `SecretsUsageError` for another."""
    for entry in CATALOGUE:
        if name in (entry.name, entry.resource):
            return entry
    known = ", ".join(entry.name for entry in CATALOGUE)
    raise SecretsUsageError(f"There is no secret called {name[:60]!r}; there are {known}.")
