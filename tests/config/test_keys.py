from collections import Counter
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import headgate
from headgate.config import (
    Disposition,
    GeneralSettings,
    LitellmSettings,
    ModelGroupAlias,
    ModelInfo,
    ModelParameters,
    RouterSettings,
    RoutingStrategyArguments,
)
from headgate.config._completion import GENERAL_VARIABLES, LITELLM_VARIABLES, ROUTER_VARIABLES
from headgate.config._keys import ENVIRONMENT, SECTIONS
from headgate.config._models import is_cost
from headgate.config._server import SERVER_VARIABLES
from headgate.ledger import _overrides

_MODELS: dict[tuple[str, ...], type[BaseModel]] = {
    ("model_list", "*", "litellm_params"): ModelParameters,
    ("model_list", "*", "model_info"): ModelInfo,
    ("router_settings",): RouterSettings,
    ("router_settings", "routing_strategy_args"): RoutingStrategyArguments,
    ("router_settings", "model_group_alias", "*"): ModelGroupAlias,
    ("litellm_settings",): LitellmSettings,
    ("general_settings",): GeneralSettings,
}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_key_is_listed_once_and_says_something(section: tuple[str, ...]) -> None:
    keys = SECTIONS[section]
    assert [name for name, count in Counter(key.name for key in keys).items() if count > 1] == []
    assert all(key.note.endswith(".") and "|" not in key.note for key in keys)
    assert all(key.default for key in keys if key.disposition is Disposition.HONOURED)


@pytest.mark.parametrize("section", _MODELS)
def test_what_is_honoured_is_what_the_settings_hold(section: tuple[str, ...]) -> None:
    listed = {
        key.name for key in SECTIONS[section] if key.disposition is Disposition.HONOURED and not is_cost(key.name)
    }
    assert listed == set(_MODELS[section].model_fields)


@pytest.mark.parametrize("section", [("model_list", "*", "litellm_params"), ("model_list", "*", "model_info")])
def test_the_prices_that_are_honoured_are_those_that_the_ledger_reads(section: tuple[str, ...]) -> None:
    prices = [key for key in SECTIONS[section] if is_cost(key.name) or key.name == "tiered_pricing"]
    honoured = {key.name for key in prices if key.disposition is Disposition.HONOURED and "_above_" not in key.name}
    assert honoured == {*_overrides.KEYS, _overrides.REQUEST_KEY}
    assert {key.name for key in prices if key.planned} == set(_overrides.UNSUPPORTED)


@pytest.mark.parametrize(
    "section",
    [("router_settings",), ("router_settings", "routing_strategy_args"), ("general_settings",)],
)
def test_the_listed_default_is_the_one_that_holds(section: tuple[str, ...]) -> None:
    fields = _MODELS[section].model_fields
    for key in SECTIONS[section]:
        default = fields[key.name].default if key.name in fields else PydanticUndefined
        if isinstance(default, bool):
            assert key.default == str(default).lower()
        elif isinstance(default, int | float):
            assert float(key.default) == default
        elif isinstance(default, str):
            assert key.default == default


_READ_ELSEWHERE = {
    "CONFIG_FILE_PATH": "cli/_serve.py",
    "SERVER_ROOT_PATH": "gateway/_gateway.py",
    "HTTPS_PROXY": "transport/dialer.py",
    "HTTP_PROXY": "transport/dialer.py",
    "NO_PROXY": "transport/dialer.py",
}
"""Variables that no setting stands for, each with the module that reads it."""


def test_the_variables_that_are_honoured_are_those_that_are_read() -> None:
    listed = {key.name for key in ENVIRONMENT if key.disposition is Disposition.HONOURED}
    tables = (ROUTER_VARIABLES, LITELLM_VARIABLES, GENERAL_VARIABLES, SERVER_VARIABLES)
    read = {name for table in tables for names in table.values() for name in names if not name.startswith("HEADGATE_")}
    assert listed == read | _READ_ELSEWHERE.keys()
    for name, module in _READ_ELSEWHERE.items():
        assert name in (Path(headgate.__file__).parent / module).read_text()


def test_each_variable_is_listed_once_and_says_something() -> None:
    assert [name for name, count in Counter(key.name for key in ENVIRONMENT).items() if count > 1] == []
    assert all(key.note.endswith(".") and "|" not in key.note for key in ENVIRONMENT)
