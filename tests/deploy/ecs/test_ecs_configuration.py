"""Several files of a configuration become one object."""

import hashlib
from pathlib import Path

import pytest
import yaml

from headgate.core.errors import ConfigurationError
from headgate.deploy.ecs import Account
from headgate.deploy.ecs._configuration import read_configuration
from headgate.deploy.ecs._world import World
from tests.deploy.ecs.environments import environment

_MAIN = """
include: [more.yaml]
model_list:
  - model_name: claude
    litellm_params: {model: bedrock/us.anthropic.claude-sonnet-4-6, aws_region_name: os.environ/AWS_BEDROCK_REGION}
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
"""
_MORE = """
model_list:
  - model_name: gpt
    litellm_params: {model: openai/gpt-5, api_key: os.environ/OPENAI_API_KEY}
"""


def test_included_files_are_part_of_the_object(tmp_path: Path) -> None:
    main = tmp_path / "config.yaml"
    main.write_text(_MAIN)
    (tmp_path / "more.yaml").write_text(_MORE)

    read = read_configuration(main, {})

    assert read.models == ("bedrock/us.anthropic.claude-sonnet-4-6", "openai/gpt-5")
    assert read.variables == {"AWS_BEDROCK_REGION", "LITELLM_MASTER_KEY", "OPENAI_API_KEY"}
    assert read.key == f"configuration/{hashlib.sha256(read.content).hexdigest()}.yaml"
    document = yaml.safe_load(read.content)
    assert [entry["model_name"] for entry in document["model_list"]] == ["claude", "gpt"]
    assert document["model_list"][1]["litellm_params"]["api_key"] == "os.environ/OPENAI_API_KEY"
    assert "include" not in document

    (tmp_path / "more.yaml").write_text(_MORE.replace("gpt-5", "gpt-6"))
    assert read_configuration(main, {}).key != read.key


def test_a_file_that_can_not_be_read_says_where(tmp_path: Path) -> None:
    main = tmp_path / "config.yaml"
    main.write_text("include: [absent.yaml]\n")
    with pytest.raises(ConfigurationError, match=r"config\.yaml:1: .*absent\.yaml"):
        read_configuration(main, {})
    main.write_text("model_list: [")
    with pytest.raises(ConfigurationError, match=r"config\.yaml"):
        read_configuration(main, {})


def test_entries_that_are_none_are_left_to_the_gateway_to_refuse(tmp_path: Path) -> None:
    main = tmp_path / "config.yaml"
    main.write_text("model_list: [nothing, {litellm_params: 5}, {litellm_params: {model: 7}}]\n")
    assert read_configuration(main, {}).models == ()


def test_litellm_gets_the_pool_that_the_database_was_reckoned_with(tmp_path: Path) -> None:
    main = tmp_path / "config.yaml"
    main.write_text(_MAIN.replace("include: [more.yaml]", ""))
    general = yaml.safe_load(read_configuration(main, {}, database_pool=7).content)["general_settings"]
    assert general == {"master_key": "os.environ/LITELLM_MASTER_KEY", "database_connection_pool_limit": 7}
    main.write_text("model_list: []\n")
    general = yaml.safe_load(read_configuration(main, {}, database_pool=7).content)["general_settings"]
    assert general == {"database_connection_pool_limit": 7}
    assert b"general_settings" not in read_configuration(main, {}).content


def test_another_pool_in_the_configuration_is_refused(tmp_path: Path) -> None:
    main = tmp_path / "config.yaml"
    main.write_text("general_settings: {database_connection_pool_limit: 50}\n")
    with pytest.raises(ConfigurationError, match="database_connection_pool_limit is 50, but database_pool"):
        read_configuration(main, {}, database_pool=10)
    content = yaml.safe_load(read_configuration(main, {}, database_pool=50).content)
    assert content["general_settings"]["database_connection_pool_limit"] == 50
    main.write_text("general_settings: [wrong]\n")
    assert b"wrong" in read_configuration(main, {}, database_pool=10).content


@pytest.mark.parametrize(("image", "pool"), [("litellm", 7), ("headgate", None)])
def test_only_litellm_is_told_of_the_pool(image: str, pool: int | None, tmp_path: Path) -> None:
    main = tmp_path / "config.yaml"
    main.write_text("model_list: []\n")
    of = environment("dev", image=image, configuration=main, database_pool=7)
    found = World(of, Account("us-east-1"), lambda: "headgate:0.1.0").configuration
    assert found is not None
    assert yaml.safe_load(found.content).get("general_settings", {}).get("database_connection_pool_limit") == pool
