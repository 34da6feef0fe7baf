"""How a database login is read from its secret and written into it."""

import base64
import hashlib
import hmac
import json

import psycopg.conninfo
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.deploy.rotation import Credentials, RotationError, alternate, owner_of
from headgate.deploy.rotation._roles import scram_verifier

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1)


@given(TEXT, TEXT, TEXT, st.integers(1, 65535))
def test_a_url_says_the_same_to_postgresql_s_own_reader(user: str, password: str, name: str, port: int) -> None:
    login = Credentials(user, password, "db.example", port, name)
    read = psycopg.conninfo.conninfo_to_dict(login.url)
    assert read == {
        "user": user,
        "password": password,
        "host": "db.example",
        "port": str(port),
        "dbname": name,
        "sslmode": "require",
    }
    assert Credentials.from_url(login.url) == login
    assert Credentials.from_value(json.loads(json.dumps(login.to_value()))) == login


def test_an_ipv6_host_stands_in_brackets() -> None:
    login = Credentials("u", "p", "::1", 5432, "d", "")
    assert login.url == "postgresql://u:p@[::1]:5432/d"
    assert Credentials.from_url(login.url) == login


def test_the_query_of_the_url_is_kept() -> None:
    value = {
        "username": "u",
        "password": "p",
        "host": "h",
        "dbname": "d",
        "DATABASE_URL": "postgresql://x?sslmode=a&b=c",
    }
    assert Credentials.from_value(value).url == "postgresql://u:p@h:5432/d?sslmode=a&b=c"


@pytest.mark.parametrize("name", ["username", "password", "host", "dbname"])
def test_what_is_missing_is_named(name: str) -> None:
    value = Credentials("u", "canary", "h", 5432, "d").to_value()
    for wrong in (None, "", 5):
        with pytest.raises(RotationError, match=f"has no {name}:") as refused:
            Credentials.from_value({**value, name: wrong})
        assert "canary" not in str(refused.value)


def test_a_port_is_a_number() -> None:
    with pytest.raises(RotationError, match="has no port"):
        Credentials.from_value({**Credentials("u", "p", "h", 1, "d").to_value(), "port": "canary"})


@pytest.mark.parametrize(
    "url", ["mysql://u:canary@h/d", "canary", "postgresql://u:canary@h:port/d", "postgresql://[canary"]
)
def test_what_is_no_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(RotationError, match="percent-encoded") as refused:
        Credentials.from_url(url)
    assert "canary" not in str(refused.value)


def test_users_alternate_and_share_an_owner() -> None:
    assert (alternate("gateway_a"), alternate("gateway_b")) == ("gateway_b", "gateway_a")
    assert owner_of("gateway_a") == owner_of("gateway_b") == "gateway_owner"


@pytest.mark.parametrize("name", ["gateway", "_a", "a", "", "gateway_c"])
def test_a_name_without_an_alternate_is_refused(name: str) -> None:
    for derive in (alternate, owner_of):
        with pytest.raises(RotationError, match="NAME_a and NAME_b"):
            derive(name)


def test_the_verifier_is_that_of_the_standard_s_example() -> None:
    # RFC 7677, section 3: password and salt of the exchange; the keys are those that verify its proofs.
    verifier = scram_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    stored, server = (base64.b64decode(key) for key in verifier.rpartition("$")[2].split(":"))
    exchange = (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(stored, exchange, "sha256")
    client_key = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored
    assert base64.b64encode(hmac.digest(server, exchange, "sha256")) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert verifier.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
