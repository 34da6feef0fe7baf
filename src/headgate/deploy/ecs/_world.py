"""What all components of one environment share: the account, the bucket, and the stacks as they should be."""

from collections.abc import Callable, Mapping
from functools import cached_property

from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._bedrock import bedrock_model_arns
from headgate.deploy.ecs._bucket import Bucket
from headgate.deploy.ecs._configuration import GatewayConfiguration, read_configuration
from headgate.deploy.ecs._deployed_database import restored_from
from headgate.deploy.ecs._environment import Inputs
from headgate.deploy.ecs._image import image_tag, is_in_ecr
from headgate.deploy.ecs._kept import SaltKey, kept_salt_key
from headgate.deploy.ecs._logs import failure_report
from headgate.deploy.ecs._packages import RotationPackage
from headgate.deploy.ecs._reader import Event
from headgate.deploy.ecs._runner import StackRunner
from headgate.deploy.ecs._stacks import StackSpec, stack_specs
from headgate.deploy.engine import DeployError, Progress
from headgate.deploy.secrets import Vault, find
from headgate.deploy.settings import Environment

UNKNOWN_ACCOUNT = "000000000000"
"""Stands for the account where nobody is signed in and the file names none."""


class World:
    """One environment in one account.

    `image` returns the reference of the gateway's image, raising `DeployError` while there is none. What is read of AWS
    is kept until `refresh`.
    """

    def __init__(self, environment: Environment, account: Account, image: Callable[[], str]) -> None:
        self._given = environment
        self.account = account
        self.bucket = Bucket(account, environment.prefix)
        self.package = RotationPackage(environment.database_authorities)
        self._image = image
        self._specs: dict[str, StackSpec] | None = None
        self._zone: str | None = None

    @property
    def environment(self) -> Environment:
        """Return the environment; a hosted zone that the file leaves open is that of the domain, once it is found."""
        if self._zone is None:
            return self._given
        return self._given.model_copy(update={"hosted_zone_id": self._zone})

    @property
    def prefix(self) -> str:
        """Return what every name begins with, such as `headgate-dev`."""
        return self._given.prefix

    @cached_property
    def configuration(self) -> GatewayConfiguration | None:
        """Return the gateway's configuration, None where the built-in one serves. Raises `ConfigurationError`."""
        given = self._given
        pool = given.database_pool if given.runs_litellm else None
        return None if given.configuration is None else read_configuration(given.configuration, database_pool=pool)

    @cached_property
    def vault(self) -> Vault:
        """Return the environment's secrets. Raises `CredentialsError`."""
        return Vault(self.account.client("secretsmanager"), f"{self._given.project}/{self._given.name}")

    def refresh(self) -> None:
        """Forget what was read of AWS: something has changed it."""
        self._specs = None

    def specs(self) -> Mapping[str, StackSpec]:
        """Return the stacks by template, in the order of their creation, as they should be now.

        What only AWS can tell and does not is taken to be what the deployment file leads to. Raises `DeployError` and
        `ConfigurationError`.
        """
        if self._specs is None:
            self._find_zone()
            made = stack_specs(self.environment, self.inputs())
            self._specs = {spec.template: spec for spec in made}
        return self._specs

    def stack(self, template: str) -> str:
        """Return the name of a stack."""
        return f"{self.prefix}-{template}"

    def inputs(self) -> Inputs:
        """Return what earlier steps produced. Raises `DeployError` and `ConfigurationError`."""
        configuration = self.configuration
        models = () if configuration is None else configuration.models
        salt_key = self._salt_key()
        return Inputs(
            image=self._image_or_planned(),
            rotation_package=self.package.key,
            configuration="" if configuration is None else configuration.key,
            provider_keys=self._provider_keys(),
            bedrock_model_arns=bedrock_model_arns(models, self._given.region, self._account_id()),
            restored=self._restored(),
            salt_key_secret=salt_key.secret,
            salt_key_key=salt_key.key,
        )

    def runner(self, progress: Progress = lambda sentence: None) -> StackRunner:
        """Return what runs stacks; their events go to `progress`."""

        def tell(event: Event) -> None:
            reason = f": {event.reason}" if event.reason else ""
            progress(f"{event.resource} {event.status}{reason}")

        return StackRunner(self.account.client("cloudformation"), call=self.account.call, on_event=tell)

    def outputs(self) -> dict[str, dict[str, str]]:
        """Return the outputs of the stacks that exist, by template. Raises `DeployError`."""
        runner = self.runner()
        with explained("The stacks"):
            found = {template: runner.outputs(spec.name) for template, spec in self.specs().items()}
        return {template: outputs for template, outputs in found.items() if outputs}

    def failure_report(self, component: str) -> str:
        """Return what is known of a component that failed; empty where nothing is."""
        return failure_report(self.account, self._given, component)

    def _account_id(self) -> str:
        try:
            return self.account.identity().account
        except DeployError:
            return self._given.account or UNKNOWN_ACCOUNT

    def _image_or_planned(self) -> str:
        """Return the image by its digest; where it is not there yet, or nobody can tell, as it will be called."""
        try:
            return self._image()
        except DeployError:
            named = self._given.image
            if is_in_ecr(named):
                return named
            registry = f"{self._account_id()}.dkr.ecr.{self._given.region}.amazonaws.com"
            return f"{registry}/{self.prefix}:{image_tag(named)}"

    def _provider_keys(self) -> frozenset[str]:
        """Return the keys that the configuration reads, which have to be there when tasks start, and those that are."""
        entry = find("api-keys")
        known = frozenset(entry.names)
        wanted = frozenset[str]() if self.configuration is None else known & self.configuration.variables
        try:
            value = self.vault.value(entry)
        except DeployError:
            return wanted if self.configuration is not None else known
        return wanted | frozenset(name for name, text in (value or {}).items() if text)

    def _salt_key(self) -> SaltKey:
        """Return a salt key that is there already; none where that can not be told."""
        try:
            with explained("The salt key"):
                return kept_salt_key(self.account, self._given)
        except DeployError:
            return SaltKey()

    def _restored(self) -> str:
        """Return which backup the database was brought back from; empty where that can not be told."""
        try:
            with explained("The database's stack"):
                return restored_from(self.account, self._given)
        except DeployError:
            return ""

    def _find_zone(self) -> None:
        """Look for the public hosted zone that lies closest above the domain."""
        domain = self._given.domain
        if domain is None or self._given.hosted_zone_id is not None or self._zone is not None:
            return
        try:
            with explained("The hosted zones"):
                client = self.account.client("route53")
                pages = client.get_paginator("list_hosted_zones").paginate()
                zones = [zone for page in pages for zone in page["HostedZones"]]
        except DeployError:
            return
        above = [
            zone for zone in zones if not zone["Config"]["PrivateZone"] and f".{domain}.".endswith(f".{zone['Name']}")
        ]
        if above:
            self._zone = max(above, key=lambda zone: len(zone["Name"]))["Id"].rpartition("/")[2]
