"""The web as a script: what is served at each address, to whom."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from headgate.deploy.verification import Answer, WebError

MASTER_KEY = "sk-canary-of-the-master-key"


@dataclass
class ScriptedWeb:
    """Serves a gateway at `url` as it should be; `answers` are what it says instead, by URL, to anybody."""

    url: str
    key: str = MASTER_KEY
    models: tuple[str, ...] = ("demo",)
    certificate_ends: datetime | None = None
    answers: dict[str, Answer | WebError] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def ask(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """Answer as a gateway does."""
        self.asked.append((method, url))
        if (scripted := self.answers.get(url)) is not None:
            if isinstance(scripted, WebError):
                raise scripted
            return scripted
        path = url.removeprefix(self.url)
        if path in ("/health/liveliness", "/health/readiness"):
            return Answer(200, certificate_ends=self.certificate_ends)
        if path not in ("/v1/models", "/v1/chat/completions"):
            return Answer(404)
        if (headers or {}).get("Authorization") != f"Bearer {self.key}":
            return Answer(401)
        listed = [{"id": name} for name in self.models]
        return Answer(200, body=json.dumps({"data": listed}).encode())
