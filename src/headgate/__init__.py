"""Headgate: an LLM gateway. Import the subpackages; this one carries only the version."""

__all__ = ["__version__"]

__version__ = "0.1.0"
