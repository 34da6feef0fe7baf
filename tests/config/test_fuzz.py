from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.config import check_configuration, load_configuration
from headgate.config._keys import SECTIONS
from headgate.core.errors import ConfigurationError

_NAMES = st.sampled_from([*sorted({key.name for keys in SECTIONS.values() for key in keys}), "*", "a", "openai/*"])
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["os.environ/X", "os.environ/GONE", "${X}", "demo/demo", "openai/gpt", "1e-6"]),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
_SECTIONS = st.dictionaries(_NAMES, _VALUES, max_size=6)
_ENTRIES = st.fixed_dictionaries(
    {}, optional={"model_name": _VALUES, "litellm_params": _SECTIONS | _VALUES, "model_info": _SECTIONS | _VALUES}
)
_DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "model_list": st.lists(_ENTRIES, max_size=3) | _VALUES,
        "router_settings": _SECTIONS | _VALUES,
        "litellm_settings": _SECTIONS | _VALUES,
        "general_settings": _SECTIONS | _VALUES,
        "environment_variables": _VALUES,
        "include": _VALUES,
        "unknown": _VALUES,
    },
)
_QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def survives(path: Path) -> None:
    environ = {"X": "value"}
    fatal = any(finding.fatal for finding in check_configuration(path, environ).findings)
    if fatal:
        with pytest.raises(ConfigurationError):
            load_configuration(path, environ)
    else:
        models = load_configuration(path, environ).models
        assert all(entry.parameters.resolved()["model"] for entry in models)
        assert len({entry.info.id for entry in models}) == len(models)
    assert environ == {"X": "value"}


@_QUICK
@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(data)
    survives(path)


@_QUICK
@given(st.text(alphabet=st.sampled_from("a-b:&*!<>|{}[],'\"#%@`?\n \t0.e~"), max_size=80))
def test_any_text_that_looks_like_yaml_is_a_configuration_or_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    survives(path)


@_QUICK
@given(_DOCUMENTS)
def test_any_values_under_known_keys_are_a_configuration_or_an_error(tmp_path: Path, document: dict[str, Any]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True))
    survives(path)
