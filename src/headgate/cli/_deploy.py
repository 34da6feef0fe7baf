"""`headgate deploy`: the options of its commands."""

from pathlib import Path
from typing import Annotated

import typer

from headgate.cli._cost import cost

deploy_app = typer.Typer(
    help="Deploy a gateway with everything around it: plan, do it, look at it, take it away.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Environment = Annotated[str, typer.Option("--env", help="The environment of the deployment file.")]
_File = Annotated[
    Path | None, typer.Option("--file", "-f", help="The deployment file. [default: headgate.deploy.yaml]")
]
_Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON, and ask nothing.")]
_Components = Annotated[list[str] | None, typer.Argument(help="Only these; `headgate deploy list` shows them.")]
_Confirm = Annotated[
    list[str] | None,
    typer.Option("--confirm", metavar="NAME", help="Say yes without a terminal; twice where two are needed."),
]


@deploy_app.command("init")
def init(
    platform: Annotated[str, typer.Option(help="compose, for one machine, or ecs.")] = "compose",
    file: _File = None,
    as_json: _Json = False,
) -> None:
    """Write a commented deployment file. One that is there is left alone."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import write_default_file

    raise typer.Exit(write_default_file(Request(file, "dev", as_json), platform))


@deploy_app.command("bootstrap")
def bootstrap(
    environment: _Environment = "dev", file: _File = None, confirm: _Confirm = None, as_json: _Json = False
) -> None:
    """Make what everything else stands on: on AWS the bucket for lock, journal, packages and configuration."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import lay_foundation

    raise typer.Exit(lay_foundation(Request(file, environment, as_json, tuple(confirm or ()))))


@deploy_app.command("plan")
def plan(
    components: _Components = None, environment: _Environment = "dev", file: _File = None, as_json: _Json = False
) -> None:
    """Show what `up` would do, and why. Changes nothing, and needs nothing but the deployment file."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import show_plan

    raise typer.Exit(show_plan(Request(file, environment, as_json), components or ()))


@deploy_app.command("validate")
def validate(environment: _Environment = "dev", file: _File = None, as_json: _Json = False) -> None:
    """Check the deployment file, the gateway's configuration and everything made of them; needs nothing else."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_verbs import validate

    raise typer.Exit(validate(Request(file, environment, as_json)))


@deploy_app.command("up")
def up(
    components: _Components = None,
    environment: _Environment = "dev",
    file: _File = None,
    confirm: _Confirm = None,
    as_json: _Json = False,
) -> None:
    """Create and change what the plan says. Run it again to continue after a failure or Ctrl-C.

    Exits with 0 when everything was confirmed by reading it again, 1 after a failure, 3 when a yes is missing, 4 when
    another run holds the lock, 5 when some steps are blocked.
    """
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import bring_up

    raise typer.Exit(bring_up(Request(file, environment, as_json, tuple(confirm or ())), components or ()))


@deploy_app.command("down")
def down(
    components: _Components = None,
    environment: _Environment = "dev",
    file: _File = None,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Volumes and secrets as well.")] = False,
    confirm: _Confirm = None,
    as_json: _Json = False,
) -> None:
    """Take the deployment away, or some of its components. What holds data stays unless that is asked for too."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import take_down

    request = Request(file, environment, as_json, tuple(confirm or ()))
    raise typer.Exit(take_down(request, components or (), delete_data=delete_data))


@deploy_app.command("status")
def status(environment: _Environment = "dev", file: _File = None, as_json: _Json = False) -> None:
    """Show each component as it is, the last run and the lock. Exits with 1 unless everything is healthy."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import show_status

    raise typer.Exit(show_status(Request(file, environment, as_json)))


@deploy_app.command("verify")
def verify(environment: _Environment = "dev", file: _File = None, as_json: _Json = False) -> None:
    """Look at a deployment from the outside, as its users do. Exits with 1 unless everything was seen and is well."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_verbs import verify

    raise typer.Exit(verify(Request(file, environment, as_json)))


@deploy_app.command("diff")
def diff(environment: _Environment = "dev", file: _File = None, as_json: _Json = False) -> None:
    """Show what somebody changed by hand since the last run. Exits with 1 where there is something."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_verbs import show_differences

    raise typer.Exit(show_differences(Request(file, environment, as_json)))


@deploy_app.command("scale")
def scale(
    tasks: Annotated[int, typer.Argument(min=1, help="How many gateways are to run.")],
    environment: _Environment = "dev",
    file: _File = None,
    as_json: _Json = False,
) -> None:
    """Have so many gateways run, within the limits of the deployment file, and wait until they do."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_verbs import scale

    raise typer.Exit(scale(Request(file, environment, as_json), tasks))


@deploy_app.command("backup")
def backup(
    name: Annotated[str | None, typer.Argument(help="What to call it. [default: the time]")] = None,
    list_them: Annotated[bool, typer.Option("--list", help="Show the backups that there are, and make none.")] = False,
    environment: _Environment = "dev",
    file: _File = None,
    as_json: _Json = False,
) -> None:
    """Save what the deployment holds, and wait until it is saved."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_verbs import back_up, show_backups

    request = Request(file, environment, as_json)
    raise typer.Exit(show_backups(request) if list_them else back_up(request, name))


@deploy_app.command("restore")
def restore(
    name: Annotated[str, typer.Argument(help="A backup; `headgate deploy backup --list` shows them.")],
    environment: _Environment = "dev",
    file: _File = None,
    confirm: _Confirm = None,
    as_json: _Json = False,
) -> None:
    """Bring a backup back in the place of what the deployment holds now; needs two yeses."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_verbs import restore

    raise typer.Exit(restore(Request(file, environment, as_json, tuple(confirm or ())), name))


@deploy_app.command("render")
def render(
    directory: Annotated[Path, typer.Argument(help="Where to write.")],
    environment: _Environment = "dev",
    file: _File = None,
    as_json: _Json = False,
) -> None:
    """Write everything that would be deployed to a directory, but for secrets; it can be used without Headgate."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import render_to

    raise typer.Exit(render_to(Request(file, environment, as_json), directory))


@deploy_app.command("list")
def list_components(environment: _Environment = "dev", file: _File = None, as_json: _Json = False) -> None:
    """Show the components in the order in which they are created."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import show_components

    raise typer.Exit(show_components(Request(file, environment, as_json)))


@deploy_app.command("unlock")
def unlock(
    environment: _Environment = "dev", file: _File = None, confirm: _Confirm = None, as_json: _Json = False
) -> None:
    """Take the lock from a run that is dead."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import unlock_environment

    raise typer.Exit(unlock_environment(Request(file, environment, as_json, tuple(confirm or ()))))


@deploy_app.command("outputs")
def outputs(environment: _Environment = "dev", file: _File = None, as_json: _Json = False) -> None:
    """Show where everything is and how to get at it. Secrets are named by their files, never shown."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import show_outputs

    raise typer.Exit(show_outputs(Request(file, environment, as_json)))


@deploy_app.command("logs")
def logs(
    component: Annotated[str, typer.Argument(help="The component, such as gateway.")],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=10_000, help="Lines of each service.")] = 100,
    environment: _Environment = "dev",
    file: _File = None,
    as_json: _Json = False,
) -> None:
    """Show the last lines that a component wrote, with the deployment's secrets hidden."""
    from headgate.cli._deploy_request import Request
    from headgate.cli._deploy_run import show_logs

    raise typer.Exit(show_logs(Request(file, environment, as_json), component, lines))


deploy_app.command("cost")(cost)
