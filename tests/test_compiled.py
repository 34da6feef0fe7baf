"""The package with its hot path compiled does what the sources do: their tests pass against it."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = (
    *("core", "governance", "routing", "dialects", "providers", "telemetry", "transport"),
    *("gateway", "integration", "fault", "contract"),
)
WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
HOOK = WHEEL["hooks"]["custom"]


def test_every_module_that_is_compiled_exists() -> None:
    for name in HOOK["modules"]:
        assert (ROOT / "src" / name).is_file(), name


def test_what_msgspec_decodes_is_not_compiled() -> None:
    """A compiled class has no annotations that msgspec could read, and would decode to nothing without a word."""
    for name in HOOK["modules"]:
        source = (ROOT / "src" / name).read_text()
        assert "msgspec.Struct" not in source, name


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the package as the image has it."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    directory = tmp_path_factory.mktemp("compiled")
    options = [
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(directory),
    ]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, str(ROOT)],
        env={**os.environ, "HATCH_BUILD_HOOKS_ENABLE": "1"},
        check=True,
        timeout=600,
    )
    return directory


@pytest.mark.long
def test_the_tests_of_the_hot_path_pass_against_compiled_modules(compiled: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(compiled)}
    for name in HOOK["modules"]:
        module = name.removesuffix(".py").replace("/", ".")
        program = f"import importlib; print(importlib.import_module({module!r}).__file__)"
        found = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True).strip()
        assert Path(found).is_relative_to(compiled)
        assert Path(found).suffix == ".so"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/{part}" for part in PARTS)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.mark.long
def test_without_a_compiler_the_build_ends_with_a_sentence(tmp_path: Path) -> None:
    options = ["--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, str(ROOT)],
        env={**os.environ, "HATCH_BUILD_HOOKS_ENABLE": "1", "CC": "no-such-compiler"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode != 0
    assert "needs a C compiler, and there is no no-such-compiler" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
