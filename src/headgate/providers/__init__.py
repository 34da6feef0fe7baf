"""Upstream providers: encode calls for them, decode and translate what they answer. Nothing here does I/O."""

from headgate.providers._messages_over_chat import with_messages
from headgate.providers._registry import PROVIDERS, Endpoint, create, resolve

__all__ = ["PROVIDERS", "Endpoint", "create", "resolve", "with_messages"]
