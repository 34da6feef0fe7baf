"""On one machine the deployment file says how many gateways there are."""

import pytest

from headgate.deploy.compose._scale import scale
from headgate.deploy.engine import ExitCode, UsageError
from headgate.deploy.settings import Environment


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (2, "2 gateways are what the deployment file says already"),
        (3, "set `tasks: 3` for dev, then run `headgate deploy up --env dev`. Nothing was changed"),
    ],
)
def test_another_number_is_refused_with_how_it_is_done(tasks: int, said: str) -> None:
    environment = Environment.model_validate({"name": "dev", "platform": "compose", "tasks": 2})
    with pytest.raises(UsageError) as raised:
        scale(environment, tasks)
    assert said in str(raised.value)
    assert raised.value.exit_code is ExitCode.USAGE
