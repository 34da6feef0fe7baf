"""One machine: the whole stack as a Compose project."""

from headgate.deploy.compose._images import IMAGES, LITELLM, gateway_image
from headgate.deploy.compose._render import render
from headgate.deploy.compose._target import ComposeTarget

__all__ = ["IMAGES", "LITELLM", "ComposeTarget", "gateway_image", "render"]
