"""Where a load goes, and whether it leaves the machine."""

import pytest

from headgate.core.errors import ConfigurationError
from headgate.deploy.load import parse_endpoint


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000/v1/chat/completions"),
        ("http://127.0.0.1:4000/", "http://127.0.0.1:4000/v1/chat/completions"),
        ("https://llm.example.com/v1", "https://llm.example.com/v1/chat/completions"),
        ("https://llm.example.com/v1/chat/completions", "https://llm.example.com/v1/chat/completions"),
        ("https://llm.example.com:443/gate way", "https://llm.example.com/gate%20way/chat/completions"),
        ("https://x.example/openai?api-version=1", "https://x.example/openai/chat/completions?api-version=1"),
        ("http://[::1]:4000", "http://[::1]:4000/v1/chat/completions"),
    ],
)
def test_a_url_leads_to_the_chat_route(url: str, shown: str) -> None:
    assert str(parse_endpoint(url, "--target")) == shown


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1", True),
        ("http://127.8.8.8", True),
        ("http://[::1]", True),
        ("http://localhost", True),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("http://127.0.0.1.example.com", False),
        ("https://llm.example.com", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, loopback: bool) -> None:
    assert parse_endpoint(url, "--target").is_loopback is loopback


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("127.0.0.1:4000", "expected a URL such as"),
        ("ftp://x", "expected a URL such as"),
        ("https://", "expected a URL such as"),
        ("http://x:port", "not a URL"),
    ],
)
def test_what_is_no_url_is_told(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        parse_endpoint(url, "--direct")


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="stands in the process list") as caught:
        parse_endpoint("https://user:canary@llm.example.com", "--target")
    assert "canary" not in str(caught.value)
