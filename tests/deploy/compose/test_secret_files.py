import stat
from pathlib import Path

import pytest

from headgate.deploy.compose._secret_files import SECRETS, SecretFiles
from headgate.deploy.engine import DeployError


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path / "secrets")
    assert files.missing() == SECRETS
    assert files.create() == tuple(secret.file for secret in SECRETS)
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.directory.iterdir()} == {0o600}
    before = contents(files.directory)
    assert files.create() == ()
    assert contents(files.directory) == before
    assert files.is_current()
    assert files.exposed() == ()
    assert before[".gitignore"] == "*\n"


def test_secrets_have_the_guide_s_lengths_and_differ(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path / "secrets")
    files.create()
    values = {secret.file: (files.directory / secret.file).read_text().strip() for secret in SECRETS}
    assert len(values["master_key"]) == 48
    assert values["master_key"].startswith("sk-")
    assert len(values["grafana_password"]) == 24
    assert len(set(values.values())) == len(SECRETS)
    other = SecretFiles(tmp_path / "others")
    other.create()
    assert not set(values.values()) & {(other.directory / secret.file).read_text().strip() for secret in SECRETS}


def test_services_get_what_they_need_and_no_more(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path)
    files.create()
    found = contents(tmp_path)
    master = found["master_key"].strip()
    assert [name for name, text in found.items() if master in text and name.endswith(".env")] == ["gateway.env"]
    password = found["database_password"].strip()
    assert f"DATABASE_URL=postgresql://headgate:{password}@postgres:5432/headgate\n" in found["gateway.env"]
    assert found["postgres.env"] == f"POSTGRES_PASSWORD={password}\n"


def test_a_value_of_one_s_own_is_kept_and_reaches_the_services(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path)
    files.create()
    before = files.versions()
    (tmp_path / "grafana_password").write_text("of-my-own\n")
    assert not files.is_current()
    files.create()
    assert files.is_current()
    assert (tmp_path / "grafana.env").read_text() == "GF_SECURITY_ADMIN_PASSWORD=of-my-own\n"
    after = files.versions()
    assert {name for name in after if after[name] != before[name]} == {"grafana"}


def test_provider_keys_are_a_person_s_and_change_the_gateway(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path)
    files.create()
    before = files.versions()
    (tmp_path / "providers.env").write_text("# comment\nOPENAI_API_KEY='sk-of-a-provider'\n")
    files.create()
    assert "sk-of-a-provider" in (tmp_path / "providers.env").read_text()
    assert files.versions()["gateway"] != before["gateway"]
    assert "sk-of-a-provider" in set(files.values())


def test_rights_that_are_too_wide_are_seen_and_narrowed(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path)
    files.create()
    (tmp_path / "salt_key").chmod(0o644)
    assert files.exposed() == ("salt_key",)
    files.create()
    assert files.exposed() == ()


def test_an_empty_file_is_a_missing_secret(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path)
    files.create()
    (tmp_path / "salt_key").write_text("\n")
    assert [secret.file for secret in files.missing()] == ["salt_key"]
    assert not files.is_current()
    assert files.versions() == {}


def test_a_directory_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeployError, match="secrets"):
        SecretFiles(tmp_path / "file" / "secrets").create()


def test_deleting_leaves_nothing(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path / "secrets")
    files.delete()
    files.create()
    files.delete()
    assert not files.directory.exists()
