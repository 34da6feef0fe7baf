"""`headgate mock`: a mock upstream for load tests."""

from typing import Annotated

import typer


def mock(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 4010,
    workers: Annotated[int, typer.Option(help="Processes that serve; each counts its requests for itself.")] = 1,
    latency: Annotated[float, typer.Option(metavar="MS", help="Milliseconds until an answer begins.")] = 0.0,
    jitter: Annotated[float, typer.Option(metavar="MS", help="Up to so many milliseconds more, evenly spread.")] = 0.0,
    tokens: Annotated[int, typer.Option(help="Tokens of an answer.")] = 64,
    interval: Annotated[float, typer.Option(metavar="MS", help="Milliseconds between the tokens of a stream.")] = 0.0,
    failures: Annotated[float, typer.Option(metavar="PERCENT", help="How many requests fail.")] = 0.0,
    failure_status: Annotated[int, typer.Option(help="How they fail.")] = 500,
    seed: Annotated[int, typer.Option(help="Decides which of them fail, and how the jitter falls.")] = 0,
) -> None:
    """Start an upstream that pretends to be a model, to put load on a gateway without paying for it.

    It speaks OpenAI's API (chat, completions, embeddings, moderations), takes any key and any model, and gives the same
    answers to the same load. Give its URL to a deployment as `api_base`.
    """
    import os
    import sys

    from headgate.config import server_settings
    from headgate.gateway import MockSettings, run_mock
    from headgate.telemetry import configure_logging

    settings = server_settings(os.environ, host=host, port=port, workers=workers)
    wanted = MockSettings(
        latency=latency / 1000,
        jitter=jitter / 1000,
        tokens=tokens,
        interval=interval / 1000,
        failures=failures / 100,
        failure_status=failure_status,
        seed=seed,
    )
    configure_logging(settings.log_level, json_lines=False)

    def announce(bound: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"Mock upstream\n  api_base  http://{shown}:{bound}/v1\n  model     openai/mock, or any other name")

    sys.exit(run_mock(wanted, settings, announce))
