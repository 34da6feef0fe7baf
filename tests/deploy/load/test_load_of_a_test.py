"""How much is asked: the defaults are those of the published benchmark, and everything has its bounds."""

import json

import pytest

from headgate.core.errors import ConfigurationError
from headgate.deploy.load import Load
from headgate.deploy.load._prompts import Prompts


def test_the_defaults_are_those_of_the_published_benchmark() -> None:
    load = Load("mock")
    assert (load.users, load.spawn_rate, load.think, load.duration) == (1000, 500, (0.5, 1.0), 300)
    # 1,000 users at 500 a second, then the warm-up.
    assert (load.uncounted, load.rate, load.stream) == (12.0, None, False)
    sentence = (
        "{uuid of 36 characters.............} This is a test there will be no cache hits and we'll fill up the context"
    )
    assert load.prompt_bytes == len(sentence) * 150


def test_what_does_not_count() -> None:
    assert Load("mock", rate=10).uncounted == 10
    assert Load("mock", warm_up=0).uncounted == 0


def test_everything_out_of_range_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Load(
            "",
            users=0,
            spawn_rate=0,
            think=(1, 0.5),
            rate=0,
            warm_up=-1,
            duration=3601,
            requests=0,
            timeout=0,
            prompt_bytes=63,
            max_tokens=0,
        )
    assert len(caught.value.problems) == 11
    assert "The load can not be made: a test takes 3,600 s at most." in caught.value.problems


def test_prompts_have_the_size_that_was_asked_for_and_no_two_are_the_same() -> None:
    prompts = Prompts(Load("mock", prompt_bytes=1000), "0badcafe")
    contents = [json.loads(prompts.body(number))["messages"][0]["content"] for number in (1, 2, 9_999_999)]
    assert {len(content) for content in contents} == {1000}
    assert len(set(contents)) == 3
    other = Prompts(Load("mock", prompt_bytes=1000), "0badcaff")
    assert other.body(1) != prompts.body(1)


def test_a_body_says_what_the_load_says() -> None:
    body = json.loads(Prompts(Load("m", stream=True, max_tokens=7, prompt_bytes=64), "r").body(1))
    assert (body["model"], body["stream"], body["max_tokens"]) == ("m", True, 7)
    assert json.loads(Prompts(Load("m"), "r").body(1)).keys() == {"model", "messages"}


@pytest.mark.parametrize("model", ['a"b', r"a\u0000b", "ünï"])
def test_any_name_of_a_model_is_passed_on(model: str) -> None:
    assert json.loads(Prompts(Load(model), "r").body(1))["model"] == model
