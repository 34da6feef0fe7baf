"""What a package exports is sorted and exists."""

import importlib
import pkgutil
from types import ModuleType

import pytest

import headgate


def _packages() -> list[str]:
    found = pkgutil.walk_packages(headgate.__path__, prefix="headgate.")
    return ["headgate", *(module.name for module in found if module.ispkg)]


def _exports(module: ModuleType) -> list[str] | None:
    exports: list[str] | None = getattr(module, "__all__", None)
    return exports


PACKAGES = _packages()


def test_the_layers_are_found() -> None:
    assert {"headgate.core", "headgate.transport", "headgate.gateway", "headgate.cli"} <= set(PACKAGES)


@pytest.mark.parametrize("name", PACKAGES)
def test_exported_names_are_sorted_and_exist(name: str) -> None:
    module = importlib.import_module(name)
    exports = _exports(module)
    if exports is None:
        # A package without a face has its modules imported by name, and puts nothing of its own in the way.
        assert [member for member, value in vars(module).items() if getattr(value, "__module__", "") == name] == []
        return
    # Constants, then classes, then functions, each in order: ruff's isort-style rule for __all__ (RUF022).
    assert exports == sorted(exports, key=_isort_style)
    assert len(exports) == len(set(exports))
    assert [export for export in exports if not hasattr(module, export)] == []
    assert [export for export in exports if export.startswith("_") and not export.startswith("__")] == []


def _isort_style(export: str) -> tuple[int, str]:
    if export.isupper():
        return 0, export
    return (1, export) if export[0].isupper() else (2, export)
