import pytest

from headgate.gateway._headers import deployment_lines, lines, upstream_lines


def fields(block: bytes) -> dict[str, str]:
    assert block.endswith(b"\r\n")
    pairs = [line.partition(": ") for line in block.decode("latin-1").split("\r\n")[:-1]]
    assert all(separator for _, separator, _ in pairs)
    return {name: value for name, _, value in pairs}


def test_a_deployment_is_named() -> None:
    assert fields(deployment_lines("dep-1", "https://host/v1", "gpt")) == {
        "x-litellm-model-id": "dep-1",
        "x-litellm-model-api-base": "https://host/v1",
        "x-litellm-version": "1.80.5",
        "x-litellm-model-group": "gpt",
    }


def test_a_deployment_without_a_base_has_no_such_field() -> None:
    assert "x-litellm-model-api-base" not in fields(deployment_lines("dep-1", "", "gpt"))


@pytest.mark.parametrize("hostile", ["a\r\nset-cookie: b", "a\nset-cookie: b", "a\rb", "a\0b", "a\x7fb", "ä\u2028b"])
def test_nothing_ends_a_line_early(hostile: str) -> None:
    for block in (deployment_lines(hostile, hostile, hostile), lines((("x-name", hostile),))):
        assert "set-cookie" not in fields(block)
        assert not set(block.replace(b"\r\n", b"")) - set(range(0x20, 0x7F))


def test_a_field_s_name_ends_no_line_either() -> None:
    assert lines((("x-a\r\nx-b", "1"),)).count(b"\r\n") == 1


def test_the_upstream_s_fields_get_a_prefix() -> None:
    given = [(b"x-request-id", b"req"), (b"date", b"today")]
    assert fields(upstream_lines(given)) == {"llm_provider-x-request-id": "req", "llm_provider-date": "today"}


def test_its_rate_limits_keep_their_names_too() -> None:
    assert fields(upstream_lines([(b"x-ratelimit-remaining-requests", b"9")])) == {
        "x-ratelimit-remaining-requests": "9",
        "llm_provider-x-ratelimit-remaining-requests": "9",
    }


@pytest.mark.parametrize(
    "name",
    [
        "set-cookie",
        "connection",
        "transfer-encoding",
        "location",
        "via",
        "x-served-by",
        "alt-svc",
        "x-envoy-upstream-service-time",
    ],
)
def test_cookies_connections_and_inner_hosts_stay_inside(name: str) -> None:
    assert upstream_lines([(name.encode(), b"value")]) == b""
    assert fields(upstream_lines([(name.encode(), b"value"), (b"x-request-id", b"req")])) == {
        "llm_provider-x-request-id": "req"
    }


def test_the_number_of_fields_is_bounded() -> None:
    given = [(b"x-%d" % number, b"value") for number in range(1000)]
    assert len(fields(upstream_lines(given))) == 64


def test_their_size_is_bounded_at_whole_lines() -> None:
    given = [(b"x-%d" % number, b"v" * 1000) for number in range(60)]
    block = upstream_lines(given)
    assert 7_000 < len(block) <= 8_192
    assert set(fields(block).values()) == {"v" * 1000}


def test_one_field_beyond_the_bound_leaves_nothing() -> None:
    assert upstream_lines([(b"x-large", b"v" * 9000)]) == b""
