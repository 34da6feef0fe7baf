"""`headgate mock` as its user sees it."""

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.serving import command, environment, run, wait_until
from tests.doubles.http import request


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(tmp_path: Path, workers: str, number: signal.Signals) -> None:
    out = tmp_path / "out"
    arguments = ["mock", "--port", "0", "--workers", workers, "--tokens", "3", "--latency", "1"]
    # The variables of the gateway's container, where the options count.
    environ = environment(tmp_path, HOST="0.0.0.0", PORT="1")
    with (
        out.open("w") as written,
        subprocess.Popen(command(arguments), env=environ, stdout=written, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_until(lambda: "openai/mock" in out.read_text() or process.poll() is not None, "the banner")
            found = re.search(r"api_base  http://127\.0\.0\.1:(\d+)/v1\n", out.read_text())
            assert found, out.read_text()
            answer = request(int(found[1]), "POST", "/v1/chat/completions", {"messages": []})
            assert answer.json()["choices"][0]["message"]["content"] == "tok tok tok"
            process.send_signal(number)
            assert process.wait(15) == 0, out.read_text()
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--tokens", "0"], "The mock can not do this: an answer has 1 to 100,000 tokens."),
        (["--failures", "101"], "The mock can not do this: failures are a share from 0 to 100 %."),
        (["--port", "70000"], "--port: input should be less than or equal to 65535."),
    ],
)
def test_what_it_can_not_do_is_told(tmp_path: Path, options: list[str], problem: str) -> None:
    result = run(tmp_path, "mock", *options)
    assert (result.returncode, result.stderr, result.stdout) == (2, f"{problem}\n", "")
