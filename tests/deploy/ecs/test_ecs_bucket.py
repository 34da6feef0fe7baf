"""Lock, journal and named objects in the bucket."""

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._bucket import Bucket, content_name
from headgate.deploy.engine import DeployError, Holder, Journal, LockedError, StoreConflictError, break_lock, locked
from tests.deploy.ecs.environments import ACCOUNT


@pytest.fixture
def bucket(account: Account) -> Bucket:
    made = Bucket(account, "headgate-dev")
    account.client("s3").create_bucket(Bucket=made.name)
    return made


def test_its_name_is_the_one_of_the_template(account: Account) -> None:
    assert Bucket(account, "headgate-dev").name == f"headgate-dev-{ACCOUNT}-us-east-1"


def test_a_value_is_replaced_only_by_who_knows_it(bucket: Bucket) -> None:
    assert bucket.read("journal") is None
    first = bucket.write("journal", b"one", None)
    with pytest.raises(StoreConflictError):
        bucket.write("journal", b"two", None)
    second = bucket.write("journal", b"two", first)
    with pytest.raises(StoreConflictError):
        bucket.write("journal", b"three", first)
    with pytest.raises(StoreConflictError):
        bucket.delete("journal", first)
    found = bucket.read("journal")
    assert found is not None
    assert (found.data, found.version) == (b"two", second)
    bucket.delete("journal", second)
    assert bucket.read("journal") is None
    with pytest.raises(StoreConflictError):
        bucket.write("journal", b"again", second)


def test_without_a_bucket_there_is_nothing_to_read_and_a_sentence_for_writing(account: Account) -> None:
    missing = Bucket(account, "headgate-dev")
    assert missing.read("lock") is None
    with pytest.raises(DeployError, match="headgate-dev is not there: run `headgate deploy bootstrap` first"):
        missing.write("lock", b"", None)
    with pytest.raises(DeployError, match="bootstrap"):
        missing.put_once("configuration/x.yaml", b"")


def test_two_people_at_once(bucket: Bucket) -> None:
    def clock() -> float:
        return 100.0

    with (
        locked(bucket, Holder("ann", "host", 1, "headgate deploy up"), clock),
        pytest.raises(LockedError, match="Locked by ann on host"),
        locked(bucket, Holder("bob", "host", 2, "headgate deploy up"), clock),
    ):
        pass
    journal = Journal(bucket, clock)
    journal.begin("headgate deploy up")
    journal.note("network", "failed", "no")
    assert Journal(bucket, clock).stopped_at == "network"
    assert break_lock(bucket) is None


def test_objects_are_named_after_their_content(bucket: Bucket, account: Account) -> None:
    name = content_name("configuration", b"model_list: []\n", ".yaml")
    assert name.startswith("configuration/")
    assert name.endswith(".yaml")
    assert len(name) == 14 + 64 + 5
    assert not bucket.has(name)
    assert bucket.put_once(name, b"model_list: []\n")
    assert bucket.has(name)
    assert not bucket.put_once(name, b"model_list: []\n")
    read = account.client("s3").get_object(Bucket=bucket.name, Key=name)["Body"].read()
    assert read == b"model_list: []\n"
