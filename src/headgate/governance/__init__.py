"""Who may call. For now the master key; virtual keys, budgets and limits join behind the same two names."""

from headgate.governance._authentication import Authenticator
from headgate.governance._keys import MasterKey, Principal

__all__ = ["Authenticator", "MasterKey", "Principal"]
