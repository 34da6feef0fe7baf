from typing import Any

import pytest

from headgate.core.errors import ConfigurationError
from headgate.core.provider import Origin
from headgate.providers._connection import extra_headers, header_block, parse_base, setting


def _problem(call: Any, *arguments: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        call(*arguments)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("url", "origin", "path", "shown"),
    [
        ("https://api.openai.com/v1", Origin("https", "api.openai.com", 443), "/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", Origin("https", "api.openai.com", 443), "/v1", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8000", Origin("http", "127.0.0.1", 8000), "", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/v1", Origin("http", "::1", 8000), "/v1", "http://[::1]:8000/v1"),
        ("HTTPS://Host/a", Origin("https", "host", 443), "/a", "https://host/a"),
        ("https://h/a?key=s3cret", Origin("https", "h", 443), "/a", "https://h/a"),
    ],
)
def test_base_urls_are_split(url: str, origin: Origin, path: str, shown: str) -> None:
    base = parse_base(url)
    assert (base.origin, base.path, base.url) == (origin, path, shown)


@pytest.mark.parametrize(
    "url",
    [
        *("", None, 5, "api.openai.com", "ftp://host", "https://", "https:///v1", "https://h:99999", "https://h:x"),
        *(
            "https://user:secretpass@h/v1",
            "https://h/a b",
            "https://h/\r\nX: y",
            "https://h/ü",
            "https://ho st/",
            "https://[::1",
        ),
    ],
)
def test_a_bad_base_url_is_refused_without_showing_it(url: object) -> None:
    problem = _problem(parse_base, url)
    assert problem.startswith("api_base ")
    assert "secretpass" not in problem


def test_a_setting_comes_from_the_parameters_before_the_environment() -> None:
    environ = {"A": "", "B": "from-b", "C": "from-c"}
    assert setting({"api_key": "given"}, "api_key", environ, ("A", "B")) == "given"
    assert setting({"api_key": None}, "api_key", environ, ("A", "B", "C")) == "from-b"
    assert setting({}, "api_key", environ, ()) == ""
    assert setting({"api_key": " padded\n"}, "api_key", {}, ()) == "padded"


@pytest.mark.parametrize("value", ["sk-a\r\nX: y", "sk-ü", 5, ["sk"]])
def test_a_setting_that_can_not_go_into_a_header_is_refused_without_showing_it(value: object) -> None:
    problem = _problem(setting, {"api_key": value}, "api_key", {}, ())
    assert problem.startswith("api_key ")
    assert "sk" not in problem


def test_extra_headers_are_checked_by_name_and_value() -> None:
    assert extra_headers({"extra_headers": {"X-Team": "a", "X-Number": 5}}) == {"X-Team": "a", "X-Number": "5"}
    assert extra_headers({"headers": {"X-Old": "b"}}) == {"X-Old": "b"}
    assert extra_headers({}) == {}
    given = {"Host": "h", "content-LENGTH": "1", "a b": "c", "X-Split": "s3cret\r\nX: y", "": "z", "X-Wide": "é€"}
    problem = _problem(extra_headers, {"extra_headers": given})
    assert problem.count("\n") == len(given) - 1
    assert "s3cret" not in problem
    assert "mapping" in _problem(extra_headers, {"extra_headers": ["X: y"]})


def test_later_headers_replace_earlier_ones_in_any_case() -> None:
    block = header_block({"User-Agent": "a", "Authorization": "b"}, {"authorization": "c"})
    assert block == b"User-Agent: a\r\nauthorization: c\r\n"
