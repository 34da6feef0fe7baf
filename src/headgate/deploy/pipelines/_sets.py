"""Which pipelines there are: the ECS guide's, under its names, and the few that one machine needs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline that changes something.

    `name` is what the ECS guide's files are called by, `own` the same in our words. `components` are what it brings up
    or takes down, none for everything. `bootstrap` makes the ground first, `build` the image, `verify` looks at the
    result; `redeploy` starts the tasks anew instead of bringing anything up, `teardown` takes down.
    """

    name: str
    own: str
    title: str
    components: tuple[str, ...] = ()
    bootstrap: bool = False
    build: bool = False
    verify: bool = False
    redeploy: bool = False
    teardown: bool = False

    @property
    def stage(self) -> str:
        """The stage that it belongs to: deploy, update or teardown."""
        return self.own.partition("-")[0]

    @property
    def arguments(self) -> str:
        """The components as arguments of a command, each with a space before it; empty for everything."""
        return "".join(f" {component}" for component in self.components)

    @property
    def confirmed(self) -> str:
        """What the typed confirmation of a teardown says to headgate: once for a part, twice for everything."""
        return " ".join(f"--confirm={resource}" for resource in self.components or ("everything", "everything"))


def _teardown(name: str, title: str, *components: str) -> Pipeline:
    return Pipeline(f"teardown-{name}", f"teardown-{components[-1]}", f"Tear down {title}", components, teardown=True)


ECS: tuple[Pipeline, ...] = (
    Pipeline("security", "deploy-security", "Deploy security (stack 1 of 5)", ("security",), bootstrap=True),
    Pipeline("network", "deploy-network", "Deploy network (stack 2 of 5)", ("network",)),
    Pipeline("alb", "deploy-alb", "Deploy load balancer (stack 3 of 5)", ("alb",)),
    Pipeline("database", "deploy-database", "Deploy database (stack 4 of 5)", ("database",)),
    Pipeline("litellm", "deploy-gateway", "Deploy gateway and the rest (stack 5 of 5)", build=True, verify=True),
    Pipeline("litellm-config", "update-config", "Update gateway configuration", ("gateway",), verify=True),
    Pipeline("litellm-update", "update-gateway", "Start gateway tasks anew", redeploy=True, verify=True),
    Pipeline("teardown", "teardown", "Tear down everything", teardown=True),
    _teardown("litellm", "gateway and what stands on it", "monitoring", "webui", "mock", "gateway"),
    _teardown("database", "database", "database"),
    _teardown("alb", "load balancer", "alb"),
    _teardown("network", "network", "network"),
    _teardown("security", "security", "security"),
)
"""In the order in which a first deployment runs them, and a teardown after it."""

COMPOSE: tuple[Pipeline, ...] = (
    Pipeline("deploy", "deploy", "Deploy to one machine", verify=True),
    Pipeline("teardown", "teardown", "Tear down everything", teardown=True),
)
"""One machine has no stacks: its pipelines deploy or tear down everything."""
