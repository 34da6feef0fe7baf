"""Build hook of the wheel: compiles the modules of the hot path with mypyc. Off unless HATCH_BUILD_HOOKS_ENABLE is set.

`modules` of `[tool.hatch.build.targets.wheel.hooks.custom]` in pyproject.toml names them, below `src`. A wheel built
with the hook holds their sources too and does the same in less time; it fits one platform and one Python version.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# mypyc names the modules by their paths from the working directory, and so does what this writes for each of them.
_PROGRAM = """
import sys
from mypyc.build import mypycify
from setuptools import setup
work, *modules = sys.argv[1:]
types = ["--config-file=", "--ignore-missing-imports", "--disable-error-code=import-untyped"]
extensions = mypycify(
    [*types, f"--cache-dir={work}/cache", *modules], group_name="headgate", target_dir=f"{work}/c", debug_level="0"
)
options = ["--build-lib", f"{work}/lib", "--build-temp", f"{work}/temp"]
setup(name="headgate", packages=[], ext_modules=extensions, script_args=["--quiet", "build_ext", *options])
"""


class CompileHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled modules to a wheel; leaves an editable one as it is, whose sources are meant to change."""

    _directory: "tempfile.TemporaryDirectory[str] | None" = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile. Ends the build with a sentence when that does not work."""
        if version == "editable":
            return
        compiler = os.environ.get("CC", "cc").split()[0]
        if shutil.which(compiler) is None:
            self.app.abort(
                f"Compiling the hot path needs a C compiler, and there is no {compiler}. Install one "
                "(apt-get install gcc libc6-dev), or build without HATCH_BUILD_HOOKS_ENABLE: the same in pure Python."
            )
        self._directory = tempfile.TemporaryDirectory(prefix="headgate-compile-")
        work = self._directory.name
        done = subprocess.run(  # noqa: S603 - our own program and the modules of pyproject.toml
            [sys.executable, "-c", _PROGRAM, work, *self.config["modules"]],
            cwd=Path(self.root, "src"),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            self.app.abort(f"Compiling the hot path failed:\n{done.stdout}{done.stderr}")
        libraries = Path(work, "lib")
        for library in sorted(path for path in libraries.rglob("*") if path.is_file()):
            build_data["force_include"][str(library)] = library.relative_to(libraries).as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what the compilation left."""
        if self._directory is not None:
            self._directory.cleanup()
