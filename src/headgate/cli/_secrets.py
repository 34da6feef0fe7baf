"""`headgate secrets`: the options of its commands."""

from pathlib import Path
from typing import Annotated

import typer

secrets_app = typer.Typer(
    help="The secrets of a deployment in AWS Secrets Manager. No command shows a value.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Environment = Annotated[str, typer.Option("--env", help="The environment of the deployment file.")]
_File = Annotated[
    Path | None, typer.Option("--file", "-f", help="The deployment file. [default: headgate.deploy.yaml]")
]
_Region = Annotated[str | None, typer.Option(help="The AWS region. [default: the deployment file's, then AWS_REGION]")]
_Json = Annotated[bool, typer.Option("--json", help="Write the report as JSON.")]
_Confirm = Annotated[
    list[str] | None,
    typer.Option("--confirm", metavar="NAME", help="Say yes without a terminal; twice where two are needed."),
]
_Name = Annotated[str, typer.Argument(help="A name that `headgate secrets list` shows.")]


@secrets_app.command("list")
def list_secrets(environment: _Environment = "dev", file: _File = None, as_json: _Json = False) -> None:
    """Show which secrets there are, what is in each, and what changing it takes. Needs no credentials."""
    from headgate.cli._secrets_report import Place, list_all

    list_all(Place(environment, file, None), as_json=as_json)


@secrets_app.command("status")
def show_status(
    environment: _Environment = "dev", file: _File = None, region: _Region = None, as_json: _Json = False
) -> None:
    """Tell of each secret whether it exists, is filled and rotated in time. Exits with 1 when something needs you."""
    from headgate.cli._secrets_report import Place, show

    show(Place(environment, file, region), as_json=as_json)


@secrets_app.command("create")
def create(
    environment: _Environment = "dev",
    file: _File = None,
    region: _Region = None,
    key: Annotated[str | None, typer.Option("--kms-key", help="The KMS key to encrypt with.")] = None,
    as_json: _Json = False,
) -> None:
    """Create the secrets that are missing, with random values. What has a value keeps it."""
    from headgate.cli._secrets_report import Place, create_all

    create_all(Place(environment, file, region), key, as_json=as_json)


@secrets_app.command("set")
def set_secret(
    name: _Name,
    member: Annotated[str | None, typer.Argument(help="The member to set, such as OPENAI_API_KEY.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Read the value from this file. [default: standard input]")
    ] = None,
    environment: _Environment = "dev",
    file: _File = None,
    region: _Region = None,
    confirm: _Confirm = None,
    as_json: _Json = False,
) -> None:
    """Set a secret to what the standard input or a file holds, text or a JSON object of members."""
    from headgate.cli._secrets_report import Place, set_value

    set_value(Place(environment, file, region), name, member, source, confirm or [], as_json=as_json)


@secrets_app.command("rotate")
def rotate_secret(
    name: _Name,
    emergency: Annotated[
        bool, typer.Option("--emergency", help="End the present master key at once, without a window.")
    ] = False,
    abandon: Annotated[bool, typer.Option("--abandon", help="Give up a rotation that has not ended.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until it is done.", min=0)] = 300.0,
    environment: _Environment = "dev",
    file: _File = None,
    region: _Region = None,
    confirm: _Confirm = None,
    as_json: _Json = False,
) -> None:
    """Rotate a secret now and wait until it is done. The value before stays valid for a while."""
    from headgate.cli._secrets_report import Place, rotate_now

    rotate_now(
        Place(environment, file, region),
        name,
        confirm or [],
        emergency=emergency,
        abandon=abandon,
        timeout=timeout,
        as_json=as_json,
    )


@secrets_app.command("revoke-previous")
def revoke_previous(
    name: Annotated[str, typer.Argument(help="master-key; no other secret keeps its previous value.")] = "master-key",
    environment: _Environment = "dev",
    file: _File = None,
    region: _Region = None,
    confirm: _Confirm = None,
    as_json: _Json = False,
) -> None:
    """End the previous master key before its time. Gateways learn of it when they start."""
    from headgate.cli._secrets_report import Place, revoke

    revoke(Place(environment, file, region), name, confirm or [], as_json=as_json)
