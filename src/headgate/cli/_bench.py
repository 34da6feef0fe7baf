"""`headgate bench`: the options of a load test."""

from pathlib import Path
from typing import Annotated

import typer


def bench(
    target: Annotated[str, typer.Option(metavar="URL", help="The gateway, such as https://llm.example.com.")],
    model: Annotated[str, typer.Option(help="The model to ask for.")] = "mock",
    key_env: Annotated[str | None, typer.Option(metavar="NAME", help="The variable that holds the key.")] = None,
    key_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file that holds the key; - for the standard input.")
    ] = None,
    users: Annotated[
        int | None, typer.Option(help="Users, or connections with --rate. [default: 1000; 2000 for 8 tasks]")
    ] = None,
    spawn_rate: Annotated[float, typer.Option(help="Users that are added a second.")] = 500.0,
    think: Annotated[
        str, typer.Option(metavar="MIN-MAX", help="Seconds that a user waits after an answer; 0 to ask at once.")
    ] = "0.5-1",
    rate: Annotated[
        float | None, typer.Option(help="Requests a second, whatever becomes of those before. [default: by users]")
    ] = None,
    warm_up: Annotated[
        float, typer.Option(help="Seconds before it counts, once all users are there; with 0 all counts.")
    ] = 10.0,
    duration: Annotated[float, typer.Option(help="Seconds that count.")] = 300.0,
    requests: Annotated[int, typer.Option(help="Requests in all, at most.")] = 2_000_000,
    timeout: Annotated[float, typer.Option(help="Seconds that an answer may take.")] = 60.0,
    stream: Annotated[bool, typer.Option("--stream", help="Ask for streams, and time their first token.")] = False,
    prompt_bytes: Annotated[int, typer.Option(help="Size of each prompt.")] = 16_350,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of an answer, at most. [default: the model's]")] = None,
    direct: Annotated[
        str | None, typer.Option(metavar="URL", help="The upstream itself, asked beside to tell what is added.")
    ] = None,
    direct_key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The variable that holds the upstream's key.")
    ] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="Tasks of the gateway; chooses the goals.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Workers of all tasks together.")] = None,
    environment: Annotated[
        str | None, typer.Option("--env", help="The environment of the deployment file that tells both.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="The deployment file. [default: headgate.deploy.yaml]")
    ] = None,
    max_errors: Annotated[float, typer.Option(metavar="PERCENT", help="Errors that are put up with.")] = 1.0,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where a goal is missed, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm a load on another machine.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the result as JSON, and ask nothing.")] = False,
) -> None:
    """Put a load on a gateway and tell how it bears it, beside what the benchmark guide expects.

    The defaults are the load behind the guide's figures. Ctrl-C ends the test and shows what was measured until then.

    Exits with 0 when it was measured, 1 with too many errors, 2 for a command line that can not work, 3 when a yes is
    missing and nothing was sent, 130 after Ctrl-C.
    """
    from headgate.cli._bench_run import Options, run

    options = Options(
        target=target,
        model=model,
        key_env=key_env,
        key_file=key_file,
        users=users,
        spawn_rate=spawn_rate,
        think=think,
        rate=rate,
        warm_up=warm_up,
        duration=duration,
        requests=requests,
        timeout=timeout,
        stream=stream,
        prompt_bytes=prompt_bytes,
        max_tokens=max_tokens,
        direct=direct,
        direct_key_env=direct_key_env,
        tasks=tasks,
        workers=workers,
        environment=environment,
        file=file,
        max_errors=max_errors,
        strict=strict,
        yes=yes,
        as_json=as_json,
    )
    raise typer.Exit(run(options))
