"""`headgate serve` from the outside: what it prints, refuses, keeps, reloads, and how it ends."""

import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml

from headgate.cli._serve import log_level_of
from headgate.config import Configuration, LitellmSettings, server_settings
from tests.cli.serving import MASTER_KEY, Served, run, wait_until
from tests.doubles.http import begun
from tests.doubles.openai_upstream import OpenAIUpstream

WITH_KEY = {"LITELLM_MASTER_KEY": MASTER_KEY}


def write(directory: Path, *groups: str, **sections: Any) -> Path:
    path = directory / "config.yaml"
    models = [{"model_name": group, "litellm_params": {"model": "demo/demo"}} for group in groups]
    path.write_text(yaml.safe_dump({"model_list": models, **sections}))
    return path


def paste(banner: str, served: Served, **variables: str) -> Any:
    """Run the banner's command in bash, as whoever pastes it."""
    line = banner.partition("Try it:\n")[2].strip()
    result = subprocess.run(
        ["bash", "-c", line],
        env=served.environ | variables,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        cwd="/",
    )
    return json.loads(result.stdout)


def test_the_banner_says_what_runs_and_its_command_works(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    with Served(tmp_path, "serve", "--port", "0") as served:
        banner = served.banner
        assert f"URL         http://127.0.0.1:{served.port}\n" in banner
        assert "models      demo\n" in banner
        assert f"master key  {tmp_path / 'data/master_key'}\n" in banner
        assert paste(banner, served)["choices"][0]["message"]["content"] == "You said: Hello"


def test_the_command_works_in_a_place_with_an_odd_name_too(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    odd = "it's $HOME's data"
    with Served(tmp_path, "serve", "--port", "0", environ={"HEADGATE_DATA_DIR": odd}) as served:
        assert paste(served.banner, served)["object"] == "chat.completion"


def test_the_command_names_the_variable_that_holds_the_key(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    path = write(tmp_path, "it's mine", general_settings={"master_key": "os.environ/OWN_KEY"})
    with Served(tmp_path, "serve", "--config", str(path), "--port", "0", environ={"OWN_KEY": "sk-own"}) as served:
        assert "master key  in $OWN_KEY\n" in served.banner
        assert paste(served.banner, served)["object"] == "chat.completion"
        assert "sk-own" not in served.banner + served.log


@pytest.mark.parametrize(
    "sections",
    [
        {"general_settings": {"master_key": "sk-literal"}},
        # Set for the gateway, not for the shell that it was started in.
        {"environment_variables": {"LITELLM_MASTER_KEY": "sk-literal"}},
    ],
    ids=["setting", "variable-of-the-file"],
)
def test_for_a_key_that_stands_in_the_configuration_the_command_needs_a_variable(
    tmp_path: Path, sections: dict[str, Any]
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    path = write(tmp_path, "demo", **sections)
    with Served(tmp_path, "serve", "--config", str(path), "--port", "0") as served:
        assert "master key  in the configuration\n" in served.banner
        assert "Set LITELLM_MASTER_KEY to the master key that the configuration holds. Try it:\n" in served.banner
        assert paste(served.banner, served, LITELLM_MASTER_KEY="sk-literal")["object"] == "chat.completion"
        assert "sk-literal" not in served.banner + served.log


def test_the_command_reads_a_mounted_file(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    (tmp_path / "a file").write_text("sk-mounted\n")
    # The shell that it is pasted into is somewhere else.
    environ = {"HEADGATE_MASTER_KEY_FILE": "a file"}
    with Served(tmp_path, "serve", "--port", "0", environ=environ) as served:
        assert paste(served.banner, served)["object"] == "chat.completion"
        assert "sk-mounted" not in served.banner + served.log


def test_a_generated_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    with Served(tmp_path, "serve", "--port", "0") as served:
        path = tmp_path / "data/master_key"
        key = path.read_text().strip()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert key.startswith("sk-")
        # The screen may be a log that others read.
        assert key not in served.banner + served.log
        assert served.chat(key).status == 200
        assert served.chat("sk-other").status == 401
    with Served(tmp_path, "serve", "--port", "0") as served:
        assert served.chat(key).status == 200


def test_other_addresses_need_a_key(tmp_path: Path) -> None:
    result = run(tmp_path, "serve", "--port", "0", "--host", "0.0.0.0")
    assert result.returncode == 2
    assert result.stdout == ""
    first, problem = result.stderr.splitlines()
    assert first == "headgate can not start:"
    assert "0.0.0.0" in problem
    assert "LITELLM_MASTER_KEY" in problem


def test_other_addresses_with_a_key(tmp_path: Path) -> None:
    with Served(tmp_path, "serve", "--port", "0", "--host", "0.0.0.0", environ=WITH_KEY) as served:
        assert served.chat().status == 200
        assert not (tmp_path / "data/master_key").exists()


def test_a_key_that_can_not_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(tmp_path, "serve", "--port", "0", environ={"HEADGATE_DATA_DIR": str(tmp_path / "file/data")})
    assert result.returncode == 2
    assert "HEADGATE_DATA_DIR" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_empty_key_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/master_key").touch()
    result = run(tmp_path, "serve", "--port", "0")
    assert result.returncode == 2
    assert f"{tmp_path / 'data/master_key'} is empty" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "named"),
    [
        (["--port", "70000"], {}, "--port"),
        (["--workers", "0"], {}, "--workers"),
        (["--log-level", "loud"], {}, "--log-level"),
        ([], {"PORT": "many"}, "PORT"),
        ([], {"SSL_CERTFILE_PATH": "x.pem"}, "SSL_KEYFILE_PATH"),
        (["--host", "no.such.host.invalid"], WITH_KEY, "no.such.host.invalid"),
    ],
)
def test_a_setting_that_does_not_fit(tmp_path: Path, arguments: list[str], environ: dict[str, str], named: str) -> None:
    result = run(tmp_path, "serve", *arguments, environ=environ)
    assert result.returncode == 2
    assert named in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(tmp_path, "serve", "--port", str(port))
    assert result.returncode == 2
    assert "Try it" not in result.stdout
    assert f"Cannot listen on 127.0.0.1:{port}" in result.stderr
    assert "Traceback" not in result.stderr


CERTIFICATES = Path(__file__).parents[1] / "transport/certificates"


def test_tls(tmp_path: Path) -> None:
    pair = str(CERTIFICATES / "localhost.pem")
    environ = {**WITH_KEY, "SSL_CERTFILE_PATH": pair, "SSL_KEYFILE_PATH": pair}
    trusted = ssl.create_default_context(cafile=str(CERTIFICATES / "root.pem"))
    with (
        Served(tmp_path, "serve", "--port", "0", environ=environ) as served,
        openai.OpenAI(
            base_url=f"https://127.0.0.1:{served.port}/v1",
            api_key=MASTER_KEY,
            max_retries=0,
            http_client=openai.DefaultHttpxClient(verify=trusted),
        ) as client,
    ):
        assert client.models.list().data[0].id == "demo"
        messages: Any = [{"role": "user", "content": "hi"}]
        assert client.chat.completions.create(model="demo", messages=messages).choices[0].message.content
        with client.chat.completions.create(model="demo", messages=messages, stream=True) as stream:
            assert len(list(stream)) > 3


@pytest.mark.parametrize("file", ["nowhere.pem", str(CERTIFICATES / "root.pem"), str(CERTIFICATES / "README.md")])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_certificate_that_can_not_be_used(tmp_path: Path, file: str, workers: str) -> None:
    environ = {**WITH_KEY, "SSL_CERTFILE_PATH": file, "SSL_KEYFILE_PATH": file}
    result = run(tmp_path, "serve", "--port", "0", "--workers", workers, environ=environ)
    assert result.returncode == 2
    assert f"TLS can not be served with {file}" in result.stderr
    assert "Traceback" not in result.stderr


def test_every_problem_of_a_configuration_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "model_list:\n"
        "  - model_name: one\n"
        "    litellm_params: {model: openai/gpt-4o}\n"
        "  - model_name: two\n"
        "    litellm_params: {model: azure/gpt-4o, api_key: sk-secret}\n"
    )
    result = run(tmp_path, "serve", "--config", str(path), "--port", "0", environ=WITH_KEY)
    assert result.returncode == 2
    assert f"{path}:2" in result.stderr
    assert f"{path}:4" in result.stderr
    assert "sk-secret" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    result = run(tmp_path, "serve", "--config", "nowhere.yaml", environ=WITH_KEY)
    assert result.returncode == 2
    assert "nowhere.yaml" in result.stderr
    assert "Traceback" not in result.stderr


def test_litellm_s_command_line(tmp_path: Path) -> None:
    path = write(tmp_path, "demo")
    arguments = ["--port", "0", "--num_workers", "2", "--config", str(path), "--detailed_debug"]
    with Served(tmp_path, *arguments, environ=WITH_KEY) as served:
        assert served.chat().status == 200
        assert len(served.workers) == 2


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_reload(tmp_path: Path, workers: str) -> None:
    path = write(tmp_path, "old")
    arguments = ["serve", "--config", str(path), "--port", "0", "--workers", workers]
    with Served(tmp_path, *arguments, environ=WITH_KEY) as served:
        assert served.chat(model="old").status == 200
        wait_until(lambda: serves_everywhere(served, "old"), "all workers")
        write(tmp_path, "new")
        served.signal(signal.SIGHUP)
        wait_until(lambda: served.log.count("the configuration was reloaded") == int(workers), "the reload")
        assert serves_everywhere(served, "new")
        path.write_text("model_list:\n  - model_name: broken\n")
        served.signal(signal.SIGHUP)
        wait_until(lambda: served.log.count("was not reloaded") == int(workers), "the refusal")
        assert f"{path}:2" in served.log
        assert serves_everywhere(served, "new")


def serves_everywhere(served: Served, model: str) -> bool:
    """Ask over many connections, so that every worker is among those that answer."""
    return all(served.chat(model=model).status == 200 for _ in range(12))


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("ctrl_c", [False, True])
def test_a_stream_under_way_is_finished(tmp_path: Path, workers: str, ctrl_c: bool) -> None:
    with OpenAIUpstream() as upstream:
        path = tmp_path / "config.yaml"
        parameters = {"model": "openai/held", "api_base": upstream.api_base, "api_key": "sk-up"}
        path.write_text(yaml.safe_dump({"model_list": [{"model_name": "held", "litellm_params": parameters}]}))
        body = {"model": "held", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        key = {"authorization": f"Bearer {MASTER_KEY}"}
        with (
            Served(
                tmp_path, "serve", "--config", str(path), "--port", "0", "--workers", workers, environ=WITH_KEY
            ) as served,
            begun(served.port, "POST", "/v1/chat/completions", body, key) as response,
        ):
            begin = response.read(20)
            if ctrl_c:
                served.interrupt()
            else:
                served.signal(signal.SIGTERM)
            wait_until(lambda: refuses(served.port), "the listener to close")
            assert served.process.poll() is None
            upstream.release()
            assert (begin + response.read()).endswith(b"data: [DONE]\n\n")
            assert served.end() == 0
    assert "Traceback" not in served.log


def refuses(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_orderly_end(tmp_path: Path, workers: str, number: signal.Signals) -> None:
    with Served(tmp_path, "serve", "--port", "0", "--workers", workers, environ=WITH_KEY) as served:
        assert served.chat().status == 200
        children = served.workers
        served.signal(number)
        assert served.end() == 0
        assert refuses(served.port)
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert "Traceback" not in served.log


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    path = write(tmp_path, "old")
    arguments = ["serve", "--config", str(path), "--port", "0", "--workers", "2"]
    with Served(tmp_path, *arguments, environ=WITH_KEY) as served:
        wait_until(lambda: len(served.workers) == 2, "the workers")
        before = served.workers
        write(tmp_path, "new")
        served.signal(signal.SIGHUP)
        wait_until(lambda: served.log.count("the configuration was reloaded") == 2, "the reload")
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(set(served.workers) - {before[0]}) == 2, "another worker")
        # The new one serves what the others do: the configuration as it was reloaded, not as it was at the start.
        os.kill(before[1], signal.SIGKILL)
        wait_until(lambda: len(set(served.workers) - set(before)) == 2, "another worker")
        assert serves_everywhere(served, "new")
        assert f"worker {before[0]} ended" in served.log


def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    with Served(tmp_path, "serve", "--port", "0", "--workers", "2", environ=WITH_KEY) as served:
        assert served.chat().status == 200
        wait_until(lambda: len(served.workers) == 2, "the workers")
        children = served.workers
        served.process.kill()
        served.end()
        wait_until(lambda: not [pid for pid in children if running(pid)], "the workers' end")
        assert refuses(served.port)


def running(pid: int) -> bool:
    """Tell whether a process lives; one that has ended may wait for whoever adopted it to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("verbose", "environ", "level"),
    [
        (True, {}, "debug"),
        (True, {"LITELLM_LOG": "ERROR"}, "error"),
        (False, {}, "info"),
        (False, {"HEADGATE_LOG": "DEBUG"}, "debug"),
    ],
)
def test_set_verbose_counts_where_nobody_names_a_log_level(verbose: bool, environ: dict[str, str], level: str) -> None:
    configuration = Configuration(litellm=LitellmSettings(set_verbose=verbose))
    assert log_level_of(configuration, server_settings(environ)) == level


@pytest.mark.parametrize("where", ["file", "environment"])
def test_json_logs(tmp_path: Path, where: str) -> None:
    sections = {"litellm_settings": {"json_logs": True}} if where == "file" else {}
    path = write(tmp_path, "demo", **sections)
    environ = {**WITH_KEY, "PORT": "0", "JSON_LOGS": "True", "DATABASE_URL": "x", "CONFIG_FILE_PATH": str(path)}
    if where == "file":
        del environ["JSON_LOGS"]
    with Served(tmp_path, "serve", environ=environ) as served:
        [line] = [json.loads(line) for line in served.log.splitlines()]
        assert (line["level"], "DATABASE_URL" in line["message"]) == ("warning", True)


def test_workers_host_and_port_come_from_the_environment(tmp_path: Path) -> None:
    with Served(tmp_path, "serve", environ={"NUM_WORKERS": "2", "HOST": "127.0.0.1", "PORT": "0"}) as served:
        wait_until(lambda: len(served.workers) == 2, "two workers")
        assert served.chat((tmp_path / "data/master_key").read_text().strip()).status == 200
