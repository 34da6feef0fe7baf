from pathlib import Path

import pytest

from headgate.core.errors import ConfigurationError
from headgate.deploy.settings import (
    PRESETS,
    DeploySettings,
    Environment,
    connection_budget,
    default_file,
    load_settings,
)
from headgate.deploy.settings._presets import BOTH_PLATFORMS, ONE_MACHINE_ONLY

PLAIN = "platform: ecs\nallow_plaintext: true\n"


def load(tmp_path: Path, text: str, **environ: str) -> DeploySettings:
    path = tmp_path / "headgate.deploy.yaml"
    path.write_text(text)
    return load_settings(path, environ)


def problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text, **environ)
    return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("platform", ["compose", "ecs"])
def test_the_generated_file_has_nothing_wrong_with_it(platform: str, tmp_path: Path) -> None:
    settings = load(tmp_path, default_file(platform))
    assert settings.platform == platform
    assert settings.warnings == ()
    assert settings.environment("dev").platform == platform


def test_the_generated_dev_says_that_it_is_plaintext_and_prod_is_not(tmp_path: Path) -> None:
    settings = load(tmp_path, default_file("ecs"))
    assert settings.environment("dev").allow_plaintext
    assert not settings.environment("prod").allow_plaintext
    assert "allow_plaintext: true" in default_file("ecs")


def test_a_platform_that_does_not_exist_has_no_file() -> None:
    with pytest.raises(ConfigurationError, match="compose and ecs"):
        default_file("eks")


def test_dev_is_as_the_guide_s_tables_have_it(tmp_path: Path) -> None:
    dev = load(tmp_path, PLAIN).environment("dev")
    assert (dev.project, dev.region, dev.prefix) == ("headgate", "us-east-1", "headgate-dev")
    assert (dev.task_cpu, dev.task_memory, dev.tasks, dev.min_tasks, dev.max_tasks) == (512, 1024, 1, 1, 4)
    assert (dev.database_class, dev.database_storage_gb, dev.database_max_storage_gb) == ("db.t3.micro", 20, 100)
    assert (dev.log_retention_days, dev.rotation_days) == (14, 30)
    assert dev.spot
    off = (dev.multi_az, dev.waf, dev.deletion_protection, dev.container_insights, dev.performance_insights, dev.nat)
    assert not any(off)
    assert not dev.redis


def test_prod_is_as_the_guide_s_tables_have_it(tmp_path: Path) -> None:
    prod = load(tmp_path, PLAIN).environment("prod")
    on = (prod.multi_az, prod.waf, prod.deletion_protection, prod.container_insights, prod.performance_insights)
    assert all(on)
    assert prod.nat
    assert prod.redis
    assert not prod.spot
    assert (prod.database_class, prod.log_retention_days, prod.rotation_days, prod.tasks) == ("db.t3.small", 90, 30, 2)


def test_benchmark_is_as_the_benchmark_guide_has_it(tmp_path: Path) -> None:
    benchmark = load(tmp_path, PLAIN).environment("benchmark")
    assert (benchmark.tasks, benchmark.task_cpu, benchmark.task_memory, benchmark.workers) == (4, 4096, 8192, 4)
    assert (benchmark.min_tasks, benchmark.max_tasks) == (2, 10)
    assert (benchmark.database_class, benchmark.database_storage_gb) == ("db.t3.medium", 100)
    assert (benchmark.database_pool, benchmark.max_connections) == (10, 200)
    assert not benchmark.multi_az
    assert benchmark.log_retention_days == 7


def test_the_network_is_the_guides(tmp_path: Path) -> None:
    dev = load(tmp_path, PLAIN).environment("dev")
    assert dev.vpc_cidr == "10.0.0.0/16"
    assert dev.public_subnets == ("10.0.1.0/24", "10.0.2.0/24")
    assert dev.private_subnets == ("10.0.11.0/24", "10.0.12.0/24")


def test_connections_are_counted_as_in_the_benchmark_guide(tmp_path: Path) -> None:
    benchmark = load(tmp_path, PLAIN).environment("benchmark")
    assert str(connection_budget(benchmark)) == "4 tasks x 4 workers x 10 connections = 160 of 200"
    assert connection_budget(benchmark).fits
    assert connection_budget(benchmark, scaled_out=True).needed == 400
    assert not connection_budget(benchmark, scaled_out=True).fits


def test_what_is_nearer_counts_more(tmp_path: Path) -> None:
    text = (
        PLAIN + "workers: 2\nenvironments:\n  dev:\n    workers: 3\n  prod:\n  trial:\n    like: prod\n    tasks: 3\n"
    )
    settings = load(tmp_path, text)
    assert [environment.workers for environment in settings.environments.values()] == [3, 2, 2]
    assert settings.environment("trial").multi_az
    assert settings.environment("trial").tasks == 3


def test_the_gateway_has_a_section_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("model_list: []\n")
    dev = load(
        tmp_path, PLAIN + "gateway:\n  image: ghcr.io/example/gateway:1.2\n  configuration: models.yaml\n"
    ).environment("dev")
    assert dev.image == "ghcr.io/example/gateway:1.2"
    assert dev.configuration == tmp_path / "models.yaml"


def test_region_and_account_come_from_the_environment_unless_the_file_says(tmp_path: Path) -> None:
    given = {"AWS_REGION": "eu-west-1", "AWS_ACCOUNT_ID": "123456789012"}
    dev = load(tmp_path, PLAIN, **given).environment("dev")
    assert (dev.region, dev.account) == ("eu-west-1", "123456789012")
    assert load(tmp_path, PLAIN + "region: us-west-2\n", **given).environment("dev").region == "us-west-2"


def test_redis_is_on_where_more_than_one_task_runs(tmp_path: Path) -> None:
    assert load(tmp_path, PLAIN + "environments:\n  dev:\n    tasks: 2\n").environment("dev").redis
    assert not load(tmp_path, PLAIN + "redis: false\n").environment("prod").redis


def test_the_mock_is_on_in_the_benchmark_unless_its_image_is_not_there(tmp_path: Path) -> None:
    assert load(tmp_path, PLAIN).environment("benchmark").mock_upstream
    assert not load(tmp_path, PLAIN).environment("dev").mock_upstream
    litellm = f"{PLAIN}image: ghcr.io/berriai/litellm-database:main-v1.80.5\n"
    assert not load(tmp_path, litellm).environment("benchmark").mock_upstream
    [told] = problems(tmp_path, f"{litellm}mock_upstream: true\nenvironments:\n  benchmark:\n")
    assert told == (
        "headgate.deploy.yaml:4: benchmark: mock_upstream: the mock runs in Headgate's image, and this environment"
        " deploys LiteLLM's. Run `headgate mock` where the gateway reaches it."
    )


def test_a_pool_reaches_litellm_in_a_configuration_only(tmp_path: Path) -> None:
    text = f"{PLAIN}image: litellm\ndatabase_pool: 5\nenvironments:\n  dev:\n"
    [told] = problems(tmp_path, text)
    assert told.startswith("headgate.deploy.yaml:4: dev: database_pool: LiteLLM reads it from its configuration")
    (tmp_path / "config.yaml").write_text("model_list: []\n")
    assert load(tmp_path, f"{text}configuration: config.yaml\n").environment("dev").database_pool == 5
    assert load(tmp_path, text.replace("litellm", "headgate")).environment("dev").database_pool == 5


def test_open_webui_needs_a_way_to_its_image(tmp_path: Path) -> None:
    text = f"{PLAIN}open_webui: true\nenvironments:\n  dev:\n"
    [told] = problems(tmp_path, text)
    assert told.startswith("headgate.deploy.yaml:3: dev: open_webui: without a NAT gateway tasks pull images from ECR")
    assert load(tmp_path, f"{text}nat: true\n").environment("dev").open_webui
    copy = "123456789012.dkr.ecr.us-east-1.amazonaws.com/headgate-dev:open-webui-0.11.0"
    assert load(tmp_path, f"{text}open_webui_image: {copy}\n").environment("dev").open_webui_image == copy


def test_a_name_of_open_webui_lies_in_the_zone_of_a_domain(tmp_path: Path) -> None:
    text = f"{PLAIN}open_webui_domain: chat.example.com\nenvironments:\n  dev:\n"
    [told] = problems(tmp_path, text)
    assert told.startswith("headgate.deploy.yaml:3: dev: open_webui_domain: a name for Open WebUI takes a domain")
    assert load(tmp_path, f"{text}domain: llm.example.com\n").environment("dev").open_webui_domain == "chat.example.com"


def test_load_balancers_take_tasks_out_as_the_guides_say(tmp_path: Path) -> None:
    settings = load(tmp_path, PLAIN)
    found = {name: (one.health_check_path, one.unhealthy_threshold) for name, one in settings.environments.items()}
    assert found["dev"] == ("/health/liveliness", 5)
    assert found["benchmark"] == ("/health/readiness", 3)


def test_one_machine_runs_two_gateways_that_share_redis(tmp_path: Path) -> None:
    dev = load(tmp_path, "platform: compose\n").environment("dev")
    assert (dev.tasks, dev.redis, dev.listen_address, dev.listen_port) == (2, True, "127.0.0.1", 4000)
    assert load(tmp_path, "platform: compose\ntasks: 5\n").environment("dev").tasks == 5


def test_a_setting_without_effect_is_told(tmp_path: Path) -> None:
    settings = load(tmp_path, "platform: compose\nwaf: true\n")
    assert settings.warnings == (f"{tmp_path}/headgate.deploy.yaml:2: waf has no effect on the platform compose.",)
    assert "listen_port" in load(tmp_path, PLAIN + "listen_port: 80\n").warnings[0]


def test_every_error_is_told_at_once_with_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    text = (
        "platform: ecs\n"
        "regoin: us-east-1\n"
        "account: 123\n"
        "gateway:\n"
        "  imag: headgate\n"
        "environments:\n"
        "  dev:\n"
        "    allow_plaintext: true\n"
        "    worker: 2\n"
        "    tasks: many\n"
        "  prd:\n"
        "    domain: llm.example.com\n"
    )
    found = problems(tmp_path, text)
    assert found == [
        "headgate.deploy.yaml:2: regoin is not a setting. Did you mean region?",
        "headgate.deploy.yaml:3: account: input should be the 12 digits of an account, in quotes.",
        "headgate.deploy.yaml:5: gateway.imag is not a setting. Did you mean image?",
        "headgate.deploy.yaml:9: environments.dev.worker is not a setting. Did you mean workers?",
        "headgate.deploy.yaml:10: tasks: input should be a valid integer, unable to parse string as an integer.",
        "headgate.deploy.yaml:11: prd needs `like:` and one of dev, prod, benchmark. Did you mean prod?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("environments: {}\n", "headgate.deploy.yaml:1: platform is missing. Set it to compose or ecs."),
        ("platform: compos\n", "1: platform should be compose or ecs. Did you mean compose?"),
        ("platform: eks\n", "1: platform should be compose or ecs."),
        ("- platform\n", "1: Expected `key: value` lines, such as platform: compose."),
        ("platform: [\n", "Not valid YAML"),
        ("platform: ecs\nplatform: ecs\n", "2: The key 'platform' is already set in line 1."),
        ("platform: ecs\nenvironments: dev\n", "2: environments takes a name per environment, such as `dev:`."),
        ("platform: ecs\nenvironments:\n  dev: 3\n", "3: environments.dev takes `key: value` lines."),
        ("platform: compose\ngateway: x\nenvironments:\n", "2: gateway takes `key: value` lines."),
        ("platform: compose\nenvironments:\n  all:\n    like: dev\n", "3: all can not be the name of an environment."),
        ("platform: compose\nenvironments:\n  qa:\n    like: prd\n", "4: like should be one of dev, prod, benchmark."),
        ("platform: compose\nconfiguration: no.yaml\n", "2: configuration: there is no file"),
        (
            "platform: compose\nproject: My_Project\n",
            "2: project: input should be up to 20 lower-case",
        ),
        ("platform: compose\nlisten_address: host\n", "2: listen_address: input should be an IPv4"),
    ],
)
def test_a_file_that_can_not_be_read_says_why(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in problems(tmp_path, text)[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("max_connections: 5", "max_connections: the database would run out of connections: 1 tasks x 1 workers x 10"),
        ("tasks: 9", "tasks: 9 is not between min_tasks 1 and max_tasks 4."),
        ("task_cpu: 300", "task_cpu: Fargate has tasks of 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units."),
        ("task_memory: 512", "task_memory: with 512 CPU units Fargate offers 1024, 2048, 3072, 4096 MiB."),
        ("database_max_storage_gb: 20\n    database_storage_gb: 30", "database_max_storage_gb: is below"),
        ("log_retention_days: 15", "log_retention_days: CloudWatch keeps logs for 1, 3, 5"),
        ("rotation_days: 7", "rotation_days: must be above 7"),
        ("vpc_cidr: 10.0.0.0/8", "vpc_cidr: AWS takes ranges from /16 to /28."),
        ("public_subnets: [10.1.0.0/24, 10.0.2.0/24]", "public_subnets: 10.1.0.0/24 lies outside of 10.0.0.0/16."),
        ("private_subnets: [10.0.1.0/24, 10.0.12.0/24]", "private_subnets: 10.0.1.0/24 overlaps 10.0.1.0/24."),
        ("hosted_zone_id: Z1", "hosted_zone_id: a hosted zone is of no use without a domain."),
        ("like: prod\n    multi_az: false", "multi_az: is on in production"),
    ],
)
def test_values_that_do_not_fit_together_are_told(line: str, expected: str, tmp_path: Path) -> None:
    found = problems(tmp_path, f"{PLAIN}environments:\n  dev:\n    {line}\n")
    assert any(f"dev: {expected}" in problem for problem in found), found


def test_an_error_that_concerns_every_environment_is_told_once(tmp_path: Path) -> None:
    assert problems(tmp_path, "platform: compose\nworkers: 0\n") == [
        "headgate.deploy.yaml:2: workers: input should be greater than or equal to 1."
    ]


def test_https_needs_a_domain_unless_plaintext_is_allowed(tmp_path: Path) -> None:
    found = problems(tmp_path, "platform: ecs\nenvironments:\n  prod:\n")
    assert found == [
        "headgate.deploy.yaml:3: prod: domain: HTTPS needs a domain. Set one, or allow_plaintext: true to serve HTTP."
    ]


def test_an_environment_that_is_not_listed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'prd'; there are dev, prod, benchmark\. Did you mean prod\?"):
        load(tmp_path, PLAIN).environment("prd")


def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"Cannot be read: No such file or directory\. `headgate deploy init` writes one\."
    ):
        load_settings(tmp_path / "headgate.deploy.yaml")


def test_presets_and_platforms_speak_of_settings_that_exist() -> None:
    known = Environment.model_fields.keys()
    assert known >= {key for preset in PRESETS.values() for key in preset}
    assert known >= BOTH_PLATFORMS | ONE_MACHINE_ONLY
