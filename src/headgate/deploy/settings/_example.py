"""The file that `headgate deploy init` writes."""

from headgate.core.errors import ConfigurationError

_COMPOSE = """\
# What `headgate deploy` does with this file: docs/deploying.md
#   headgate deploy plan      what would be done, and why
#   headgate deploy up        do it
#   headgate deploy status    what runs

platform: compose            # one machine, with Docker Compose
project: headgate            # prefix of every name

gateway:
  image: headgate            # headgate, litellm, or the reference of an image
  # configuration: config.yaml   # the gateway's models; without it the built-in demo model serves

environments:
  dev:
    listen_address: 127.0.0.1  # only this machine; another address is called out by the plan and asks for a yes
    listen_port: 4000
    # workers: 2             # processes in each of the gateways
    # open_webui: true       # a chat for people, once there is a key for it
"""

_ECS = """\
# What `headgate deploy` does with this file: docs/deploying.md

platform: ecs                # AWS ECS Fargate
project: headgate            # prefix of every name
region: us-east-1
# account: "123456789012"    # refuse to deploy anywhere else

gateway:
  image: headgate            # headgate, litellm, or the reference of an image
  # configuration: config.yaml   # the gateway's models; without it the built-in demo model serves

# alarm_email: oncall@example.com
# budget_dollars: 300        # a month

environments:
  dev:
    allow_plaintext: true    # HTTP without a certificate: anyone between here and there can read it
    # domain: llm-dev.example.com
  prod:
    domain: llm.example.com  # change this: a certificate and a DNS record are made for it
    # hosted_zone_id: Z0123456789ABC
    # tasks: 2
    # database_class: db.t3.small
  benchmark:                 # 4 tasks of 4 vCPU with 4 workers, db.t3.medium
    allow_plaintext: true
"""

_FILES = {"compose": _COMPOSE, "ecs": _ECS}


def default_file(platform: str) -> str:
    """Return a commented deployment file that loads as it is. Raises `ConfigurationError` for another platform."""
    if platform not in _FILES:
        raise ConfigurationError([f"There is no platform {platform[:60]!r}; there are {' and '.join(_FILES)}."])
    return _FILES[platform]
