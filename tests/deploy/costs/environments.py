"""Environments for the tests of costs."""

from headgate.deploy.settings import PRESETS, Environment

DOMAIN = "llm.example.com"


def environment(preset: str = "dev", **settings: object) -> Environment:
    """Return one of the presets on ECS with some settings changed."""
    values = {"name": preset, "platform": "ecs", **PRESETS[preset], **settings}
    return Environment.model_validate(values)
