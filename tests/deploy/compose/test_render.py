import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.core.errors import ConfigurationError
from headgate.deploy.compose import IMAGES, gateway_image, render
from headgate.deploy.compose._render import digests, services, volumes
from headgate.deploy.settings import Environment


def environment(**changes: Any) -> Environment:
    return Environment(**{"name": "dev", "platform": "compose", "tasks": 2, **changes})


def composed(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(render(environment(**changes))["compose.yaml"])
    return found


@pytest.mark.parametrize("changes", [{}, {"open_webui": True}, {"tasks": 1}, {"tasks": 7, "image": "litellm"}])
def test_the_compose_file_is_valid_against_the_published_schema(changes: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(render(environment(**changes))["compose.yaml"])
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_schema_would_find_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(render(environment())["compose.yaml"].replace("healthcheck:", "helthcheck:", 1))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_the_whole_stack_is_there() -> None:
    found = composed(open_webui=True)["services"]
    assert set(found) == {
        *("gateway-1", "gateway-2", "nginx", "postgres", "redis-primary", "redis-replica"),
        *("sentinel-1", "sentinel-2", "sentinel-3", "prometheus", "alertmanager", "grafana", "jaeger", "open-webui"),
    }
    assert set(found) == {name for names in services(environment(open_webui=True)).values() for name in names}
    assert "open-webui" not in composed()["services"]


def test_every_image_is_pinned_and_every_service_restarts_checks_itself_and_drops_its_rights() -> None:
    for name, service in composed(open_webui=True)["services"].items():
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-alpine)?$", service["image"]), name
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        if name != "open-webui":
            assert service["cap_drop"] == ["ALL"]
            assert name.startswith("gateway") or not service["user"].startswith("0")


def test_only_the_gateway_listens_beyond_loopback_and_only_where_asked() -> None:
    published = {
        port
        for service in composed(open_webui=True, listen_address="0.0.0.0", listen_port=80)["services"].values()
        for port in service.get("ports", ())
    }
    assert {port for port in published if not port.startswith("127.0.0.1:")} == {"0.0.0.0:80:8080"}


def test_data_stores_have_no_way_in_or_out() -> None:
    found = composed()
    assert found["networks"]["data"] == {"internal": True}
    for name in ("postgres", "redis-primary", "redis-replica", "sentinel-1"):
        assert found["services"][name]["networks"] == ["data"]
        assert "ports" not in found["services"][name]


def test_every_volume_that_is_used_is_declared() -> None:
    found = composed(open_webui=True)
    used = {
        mount.split(":")[0]
        for service in found["services"].values()
        for mount in service.get("volumes", ())
        if not mount.startswith("./")
    }
    assert used == set(found["volumes"])
    assert used == {name for names in volumes(environment(open_webui=True)).values() for name in names}


def test_every_file_that_is_mounted_is_rendered_or_a_mount_point(tmp_path: Path) -> None:
    configuration = tmp_path / "models.yaml"
    configuration.write_text("model_list: []\n")
    files = render(environment(configuration=configuration))
    for service in yaml.safe_load(files["compose.yaml"])["services"].values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0].removeprefix("./")
            if mount.startswith("./") and source not in ("prometheus/rules", "grafana/dashboards"):
                assert source in files or any(path.startswith(f"{source}/") for path in files), source
    assert files["gateway/config.yaml"] == "model_list: []\n"


def test_the_image_of_the_gateway_can_be_chosen() -> None:
    assert composed()["services"]["gateway-1"]["image"] == gateway_image("headgate")
    assert "litellm" in composed(image="litellm")["services"]["gateway-1"]["image"]
    assert composed(image="example.com/gateway:3.1")["services"]["gateway-1"]["image"] == "example.com/gateway:3.1"


def test_a_change_reaches_only_the_services_that_it_concerns(tmp_path: Path) -> None:
    configuration = tmp_path / "models.yaml"
    configuration.write_text("model_list: []\n")

    def changed(one: Environment, other: Environment, versions: dict[str, str] | None = None) -> set[str]:
        before = digests(render(one)["compose.yaml"])
        after = digests(render(other, versions)["compose.yaml"])
        return {name for name in before if before[name] != after.get(name)}

    plain = environment()
    assert changed(plain, plain) == set()
    assert changed(plain, environment(workers=3)) == {"gateway-1", "gateway-2"}
    assert changed(plain, environment(max_connections=300)) == {"postgres"}
    assert changed(plain, environment(listen_port=80)) == {"nginx"}
    assert changed(plain, environment(configuration=configuration)) == {"gateway-1", "gateway-2"}
    assert changed(plain, plain, {"grafana": "1"}) == {"grafana"}


def test_a_configuration_that_can_not_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can not be read as text"):
        render(environment(configuration=tmp_path))


def test_yaml_files_are_yaml() -> None:
    files = render(environment())
    parsed = {path: yaml.safe_load(text) for path, text in files.items() if path.endswith((".yml", ".yaml"))}
    assert parsed["prometheus/prometheus.yml"]["scrape_configs"][0]["static_configs"] == [
        {"targets": ["gateway-1:4000", "gateway-2:4000"]}
    ]
    receivers = {receiver["name"] for receiver in parsed["alertmanager/alertmanager.yml"]["receivers"]}
    assert parsed["alertmanager/alertmanager.yml"]["route"]["receiver"] in receivers
    jaeger = parsed["jaeger/jaeger.yaml"]
    assert set(jaeger["service"]["extensions"]) == set(jaeger["extensions"])
    for kind in ("receivers", "processors", "exporters"):
        assert set(jaeger["service"]["pipelines"]["traces"][kind]) == set(jaeger[kind])


@pytest.mark.parametrize("script", ["redis/start.sh", "redis/sentinel.sh"])
def test_scripts_are_scripts_and_keep_the_password_off_the_command_line(script: str) -> None:
    text = render(environment())[script]
    assert subprocess.run(["sh", "-n"], input=text.encode(), check=False).returncode == 0
    [started] = [line for line in text.splitlines() if line.startswith("exec ")]
    assert "PASSWORD" not in started


def _checked(tool: str, arguments: Callable[[Path], list[str]], path: Path) -> None:
    program = shutil.which(tool)
    if program is None:
        pytest.skip(f"no {tool}")
    result = subprocess.run([program, *arguments(path)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    # Outside of Compose nobody knows the gateways' names, and nginx before 1.27.3 does not know `resolve`.
    text = render(environment())["nginx/nginx.conf"]
    assert text.count(" resolve ") == 2
    path = tmp_path / "nginx.conf"
    elsewhere = text.replace(" /tmp/", f" {tmp_path}/")
    path.write_text(re.sub(r"gateway-(\d):4000 resolve", r"127.0.0.1:400\1", elsewhere))
    _checked("nginx", lambda file: ["-t", "-q", "-c", str(file)], path)


@pytest.mark.parametrize(
    ("tool", "arguments", "file"),
    [
        ("promtool", ["check", "config", "--syntax-only"], "prometheus/prometheus.yml"),
        ("amtool", ["check-config"], "alertmanager/alertmanager.yml"),
    ],
)
def test_the_monitoring_tools_accept_their_configuration(
    tool: str, arguments: list[str], file: str, tmp_path: Path
) -> None:
    path = tmp_path / "configuration.yml"
    path.write_text(render(environment())[file])
    _checked(tool, lambda given: [*arguments, str(given)], path)


def test_images_have_one_home() -> None:
    templates = Path(__file__).parents[3] / "src" / "headgate" / "deploy" / "compose" / "templates"
    for template in templates.iterdir():
        for image in IMAGES.values():
            assert image not in template.read_text()
