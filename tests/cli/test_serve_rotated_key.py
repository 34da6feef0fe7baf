"""`headgate serve` while its master key is being replaced, and with a key from a mounted file."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.serving import Served, run

CURRENT, PREVIOUS = "sk-current-canary", "sk-previous-canary"


def rotated(end: str) -> str:
    """Return what a rotation leaves in the secret; the previous key is valid until `end`."""
    return json.dumps({"current": CURRENT, "previous": PREVIOUS, "previous_not_after": end})


def test_both_keys_open_within_the_window_and_neither_is_shown(tmp_path: Path) -> None:
    with Served(
        tmp_path, "serve", "--port", "0", environ={"HEADGATE_MASTER_KEY": rotated("2100-01-01T00:00:00Z")}
    ) as it:
        assert [it.chat(key).status for key in (CURRENT, PREVIOUS, "sk-other")] == [200, 200, 401]
        assert "in $HEADGATE_MASTER_KEY\n" in it.banner
        assert "canary" not in it.banner + it.log
        bearer = it.banner.partition("Bearer ")[2].partition('" \\')[0]
        if shutil.which("jq") is not None:
            shown = subprocess.run(
                ["bash", "-c", f'echo "{bearer}"'], env=it.environ, capture_output=True, text=True, check=True
            )
            assert shown.stdout.strip() == CURRENT
        else:
            assert bearer == """$(printf %s "$HEADGATE_MASTER_KEY" | jq -r '.current // .LITELLM_MASTER_KEY')"""


def test_after_the_window_the_previous_key_opens_nothing(tmp_path: Path) -> None:
    with Served(
        tmp_path, "serve", "--port", "0", environ={"HEADGATE_MASTER_KEY": rotated("2000-01-01T00:00:00Z")}
    ) as it:
        assert [it.chat(key).status for key in (CURRENT, PREVIOUS)] == [200, 401]


@pytest.mark.parametrize("text", [f"{CURRENT}\n", rotated("2100-01-01T00:00:00Z")], ids=["plain", "rotated"])
def test_a_key_from_a_mounted_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mounted"
    file.write_text(text)
    environ = {"HEADGATE_MASTER_KEY_FILE": str(file)}
    with Served(tmp_path, "serve", "--host", "127.0.0.1", "--port", "0", environ=environ) as served:
        assert f"master key  {file}\n" in served.banner
        assert "canary" not in served.banner + served.log
        assert [served.chat(key).status for key in (CURRENT, "sk-other")] == [200, 401]
        read = f"cat {file}" if text.startswith("sk-") else f"jq -r '.current // .LITELLM_MASTER_KEY' {file}"
        assert f"Bearer $({read})" in served.banner


def test_a_variable_comes_before_the_file(tmp_path: Path) -> None:
    environ = {"LITELLM_MASTER_KEY": CURRENT, "HEADGATE_MASTER_KEY_FILE": str(tmp_path / "missing")}
    with Served(tmp_path, "serve", "--port", "0", environ=environ) as served:
        assert served.chat(CURRENT).status == 200


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(None, "can not be read: No such file or directory", id="missing"),
        pytest.param(b"\n", "is empty", id="empty"),
        pytest.param(b"\xff\xfe", "it is not text", id="binary"),
    ],
)
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / "mounted"
    if content is not None:
        file.write_bytes(content)
    ended = run(tmp_path, "serve", "--port", "0", environ={"HEADGATE_MASTER_KEY_FILE": str(file)})
    assert ended.returncode == 2
    assert f"HEADGATE_MASTER_KEY_FILE: {file}" in ended.stderr
    assert problem in ended.stderr


def test_a_window_that_can_not_be_read_is_refused_before_serving(tmp_path: Path) -> None:
    ended = run(tmp_path, "serve", "--port", "0", environ={"HEADGATE_MASTER_KEY": rotated("soon")})
    assert ended.returncode == 2
    assert "The master key begins as a JSON object, but" in ended.stderr
    assert "canary" not in ended.stderr + ended.stdout
