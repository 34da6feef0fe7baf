"""How this copy of the package was built. This module is compiled when the others of the hot path are."""

COMPILED = not __file__.endswith(".py")
"""True when the modules of the hot path are compiled ones; they do the same in less time."""
