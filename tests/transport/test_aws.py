import gc
import hashlib
import hmac
import logging
import os
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.core.errors import Category, ConfigurationError, UpstreamError
from headgate.transport.aws import (
    FAILURE_SECONDS,
    RETRY_SECONDS,
    AwsCredentials,
    AwsSettings,
    Signer,
    shared_credentials,
)
from tests.doubles.aws_identity import IdentityServer, identity_server

ROLE = "arn:aws:iam::123456789012:role/bedrock"


class ManualClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(name="identity", scope="module")
def _identity_server() -> Iterator[IdentityServer]:
    with identity_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh_identity(identity: IdentityServer) -> None:
    identity.lifetime, identity.broken, identity.issued = 3600.0, False, 0
    identity.requests.clear()


def refreshed(settings: AwsSettings, clock: ManualClock | None = None) -> AwsCredentials:
    credentials = AwsCredentials(settings, clock=clock or ManualClock())
    credentials.refresh()
    return credentials


def state(credentials: AwsCredentials) -> tuple[bool, bool]:
    return credentials.available, credentials.refresh_due


def test_given_keys_are_there_at_once_and_never_due() -> None:
    settings = AwsSettings(access_key_id="AKIA", secret_access_key="secret", session_token="token")
    credentials = AwsCredentials(settings)
    assert settings.permanent
    assert state(credentials) == (True, False)
    assert (credentials.frozen.access_key, credentials.frozen.token) == ("AKIA", "token")


def test_environment_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    credentials = AwsCredentials(AwsSettings())
    assert state(credentials) == (False, True)
    credentials.refresh()
    assert state(credentials) == (True, False)
    assert credentials.frozen.access_key == "AKIAENV"


def test_a_profile_of_the_shared_file(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[team]\naws_access_key_id=AKIATEAM\naws_secret_access_key=s\n")
    assert refreshed(AwsSettings(profile="team")).frozen.access_key == "AKIATEAM"


def test_an_assumed_role(identity: IdentityServer) -> None:
    settings = AwsSettings(
        access_key_id="AKIA",
        secret_access_key="secret",
        role_arn=ROLE,
        role_session_name="gateway",
        external_id="outside",
        sts_endpoint=identity.url,
        region="eu-west-1",
    )
    credentials = refreshed(settings)
    assert not settings.permanent
    assert credentials.frozen.token == "issued-token-1"
    _, headers, form = identity.requests[0]
    assert form["Action"] == "AssumeRole"
    assert (form["RoleArn"], form["RoleSessionName"], form["ExternalId"]) == (ROLE, "gateway", "outside")
    assert re.search(r"Credential=AKIA/\d{8}/eu-west-1/sts/", headers["authorization"])


@pytest.mark.parametrize("reference", ["{path}", "oidc/file/{path}", "oidc/env_path/TOKEN_PATH"])
def test_a_web_identity_token_file_is_read_at_each_refresh(
    identity: IdentityServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    monkeypatch.setenv("TOKEN_PATH", str(path))
    identity.lifetime = 60
    clock = ManualClock()
    settings = AwsSettings(
        role_arn=ROLE,
        role_session_name="gateway",
        web_identity_token=reference.format(path=path),
        sts_endpoint=identity.url,
        region="us-east-1",
    )
    credentials = refreshed(settings, clock)
    path.write_text("second\n")
    clock.now += RETRY_SECONDS
    credentials.refresh()
    assert [form["WebIdentityToken"] for _, _, form in identity.requests] == ["first", "second"]
    assert "authorization" not in identity.requests[0][1]


@pytest.mark.parametrize("reference", ["header.body.signature", "oidc/env/TOKEN"])
def test_a_web_identity_token_by_value(
    identity: IdentityServer, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    monkeypatch.setenv("TOKEN", "header.body.signature")
    refreshed(AwsSettings(role_arn=ROLE, web_identity_token=reference, sts_endpoint=identity.url, region="us-east-1"))
    assert identity.requests[0][2]["WebIdentityToken"] == "header.body.signature"


def test_irsa(identity: IdentityServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("service-account-token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", identity.url)
    # Naming the role that the pod has already must not assume it a second time.
    for settings in (AwsSettings(region="us-east-1"), AwsSettings(region="us-east-1", role_arn=ROLE)):
        identity.requests.clear()
        refreshed(settings)
        assert [form["Action"] for _, _, form in identity.requests] == ["AssumeRoleWithWebIdentity"]
        assert identity.requests[0][2]["WebIdentityToken"] == "service-account-token"


def test_pod_identity(identity: IdentityServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("pod-token")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{identity.url}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    assert refreshed(AwsSettings()).frozen.access_key == "ASIA1"
    path, headers, _ = identity.requests[0]
    assert (path, headers["authorization"]) == ("/v1/credentials", "pod-token")


def test_instance_metadata(identity: IdentityServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", identity.url)
    assert refreshed(AwsSettings()).frozen.access_key == "ASIA1"
    assert identity.requests[-1][1]["x-aws-ec2-metadata-token"] == "metadata-session"


def role(identity: IdentityServer) -> AwsSettings:
    return AwsSettings(
        access_key_id="AKIA", secret_access_key="secret", role_arn=ROLE, sts_endpoint=identity.url, region="us-east-1"
    )


def test_a_refresh_is_due_a_quarter_of_an_hour_before_expiry(identity: IdentityServer) -> None:
    clock = ManualClock()
    identity.lifetime = 16 * 60
    credentials = refreshed(role(identity), clock)
    clock.now += RETRY_SECONDS
    assert state(credentials) == (True, False)
    identity.lifetime = 14 * 60
    credentials = refreshed(role(identity), clock)
    assert state(credentials) == (True, False)
    clock.now += RETRY_SECONDS
    assert state(credentials) == (True, True)
    credentials.refresh()
    assert credentials.frozen.token == "issued-token-3"


def test_a_failed_refresh_keeps_what_is_still_good(identity: IdentityServer, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    identity.lifetime = 60
    credentials = refreshed(role(identity), clock)
    identity.broken = True
    clock.now += RETRY_SECONDS
    with caplog.at_level(logging.WARNING, "headgate.transport.aws"):
        credentials.refresh()
    assert credentials.available
    assert credentials.frozen.token == "issued-token-1"
    assert "AccessDenied" in caplog.text


def test_nothing_at_hand_is_an_error_without_details_and_is_not_asked_again_at_once(identity: IdentityServer) -> None:
    clock = ManualClock()
    identity.broken = True
    credentials = AwsCredentials(role(identity), clock=clock)
    with pytest.raises(UpstreamError, match="AccessDenied") as caught:
        credentials.refresh()
    assert caught.value.category is Category.AUTHENTICATION
    assert "123456789012" not in caught.value.message
    asked = len(identity.requests)
    with pytest.raises(UpstreamError, match="AccessDenied"):
        credentials.refresh()
    assert len(identity.requests) == asked
    identity.broken = False
    clock.now += FAILURE_SECONDS
    credentials.refresh()
    assert credentials.available


def test_expired_credentials_are_not_available(identity: IdentityServer) -> None:
    identity.lifetime = -60
    credentials = AwsCredentials(role(identity), clock=ManualClock())
    with pytest.raises(UpstreamError, match="RuntimeError"):
        credentials.refresh()
    assert not credentials.available


def test_an_empty_chain_says_so() -> None:
    with pytest.raises(UpstreamError, match="NoCredentialsError"):
        AwsCredentials(AwsSettings()).refresh()


def test_an_unknown_profile_says_so() -> None:
    with pytest.raises(UpstreamError, match="ProfileNotFound"):
        AwsCredentials(AwsSettings(profile="absent")).refresh()


def test_concurrent_refreshes_ask_once(identity: IdentityServer) -> None:
    credentials = AwsCredentials(role(identity), clock=ManualClock())
    threads = [threading.Thread(target=credentials.refresh) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert identity.issued == 1


def test_equal_settings_share_one_object_while_it_is_used() -> None:
    settings = AwsSettings(access_key_id="AKIA", secret_access_key="secret")
    first = shared_credentials(settings)
    assert shared_credentials(AwsSettings(access_key_id="AKIA", secret_access_key="secret")) is first
    assert shared_credentials(AwsSettings(access_key_id="AKIA", secret_access_key="other")) is not first
    released = weakref.ref(first)
    del first
    gc.collect()
    assert released() is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"access_key_id": "AKIA"}, "belong together"),
        ({"secret_access_key": "s"}, "belong together"),
        ({"web_identity_token": "t"}, "needs aws_role_name"),
        ({"web_identity_token": "oidc/google/x", "role_arn": ROLE}, "not supported"),
    ],
)
def test_settings_that_can_not_work_are_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        AwsSettings(**settings)


def test_settings_do_not_show_their_secrets() -> None:
    assert "hidden" not in repr(AwsSettings(access_key_id="AKIA", secret_access_key="hidden"))


def test_signing_without_credentials_is_an_upstream_error() -> None:
    with pytest.raises(UpstreamError, match="not fetched yet"):
        Signer(AwsCredentials(AwsSettings()), service="bedrock", region="us-east-1").sign("https://h/", {}, b"")


def test_the_signature_covers_path_headers_and_body() -> None:
    settings = AwsSettings(access_key_id="AKIDEXAMPLE", secret_access_key="secret", session_token="token")
    signer = Signer(AwsCredentials(settings), service="bedrock", region="us-east-1")
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/a.b-v2%3A0/converse"
    headers = signer.sign(url, {"Content-Type": "application/json"}, b"{}")
    date = headers["X-Amz-Date"]
    # Recomputed by the letter of the specification; the percent sign of the path is encoded once more.
    canonical = (
        "POST\n/model/a.b-v2%253A0/converse\n\ncontent-type:application/json\n"
        f"host:bedrock-runtime.us-east-1.amazonaws.com\nx-amz-date:{date}\nx-amz-security-token:token\n\n"
        f"content-type;host;x-amz-date;x-amz-security-token\n{hashlib.sha256(b'{}').hexdigest()}"
    )
    scope = f"{date[:8]}/us-east-1/bedrock/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4secret"
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert headers["Authorization"] == (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
        f"Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"
    )


def test_botocore_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, headgate.transport.aws; sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
