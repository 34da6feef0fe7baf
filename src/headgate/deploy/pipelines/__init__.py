"""Pipelines that call `headgate deploy`, for Azure DevOps, GitHub Actions and GitLab."""

from headgate.deploy.pipelines._render import PINS, PipelineSettings, Provider, render_pipelines
from headgate.deploy.pipelines._sets import COMPOSE, ECS, Pipeline
from headgate.deploy.pipelines._write import Written, write_files

__all__ = [
    "COMPOSE",
    "ECS",
    "PINS",
    "Pipeline",
    "PipelineSettings",
    "Provider",
    "Written",
    "render_pipelines",
    "write_files",
]
