"""Renders the tables of docs/configuration.md. `python -m tests.config.documentation` writes them into the page."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from headgate.config._completion import GENERAL_VARIABLES, LITELLM_VARIABLES, ROUTER_VARIABLES
from headgate.config._keys import ENVIRONMENT, SECTIONS, Key
from headgate.config._server import SERVER_VARIABLES, ServerSettings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"

_SHARED = {("router_settings", "model_group_retry_policy", "*"), ("router_settings", "default_litellm_params")}
"""Sections whose keys another section's table has."""

_MARKED = re.compile(r"<!-- table: (?P<name>[^ ]+) -->\n.*?<!-- end -->", re.DOTALL)


def rendered(page: str) -> str:
    """Return the page with every table as the code has it."""
    tables = dict(_tables())
    missing = tables.keys() - {match["name"] for match in _MARKED.finditer(page)}
    assert not missing, f"docs/configuration.md has no place for {sorted(missing)}"
    return _MARKED.sub(lambda match: f"<!-- table: {match['name']} -->\n{tables[match['name']]}<!-- end -->", page)


def _tables() -> Iterator[tuple[str, str]]:
    for section, keys in SECTIONS.items():
        if section not in _SHARED:
            yield ".".join(section) or "top", _key_table(keys)
    yield "environment", _key_table(ENVIRONMENT, "variable")
    settings = {
        **_named("router_settings", ROUTER_VARIABLES),
        **_named("litellm_settings", LITELLM_VARIABLES),
        **_named("general_settings", GENERAL_VARIABLES),
    }
    yield "variables", _rows(("setting", "variables, the first that is set counts"), _variable_rows(settings))
    defaults = {name: field.default for name, field in ServerSettings.model_fields.items()}
    defaults["data_directory"] = "see above"
    server = [[f"`{name}`", _codes(names), _default(defaults[name])] for name, names in SERVER_VARIABLES.items()]
    yield "server", _rows(("setting", "variables, the first that is set counts", "default"), server)


def _named(section: str, variables: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {f"{section}.{name}": names for name, names in variables.items()}


def _variable_rows(settings: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    return [[f"`{name}`", _codes(names)] for name, names in settings.items()]


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _default(value: object) -> str:
    return "none" if value is None else str(value)


def _key_table(keys: tuple[Key, ...], what: str = "key") -> str:
    rows = [[f"`{key.name}`", key.disposition.value, key.default, key.note] for key in keys]
    return _rows((what, "Headgate", "default", "what it does, or why not"), rows)


def _rows(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
