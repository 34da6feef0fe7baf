"""The data plane's paths: which operation each one is, and the model that some carry."""

import re
from typing import NamedTuple
from urllib.parse import unquote

from headgate.core.provider import Operation

_BY_SUFFIX = {
    "chat/completions": Operation.CHAT,
    "completions": Operation.COMPLETION,
    "embeddings": Operation.EMBEDDING,
    "responses": Operation.RESPONSES,
    "messages": Operation.MESSAGES,
    "messages/count_tokens": Operation.COUNT_TOKENS,
    "images/generations": Operation.IMAGE_GENERATION,
    "images/edits": Operation.IMAGE_EDIT,
    "audio/speech": Operation.SPEECH,
    "audio/transcriptions": Operation.TRANSCRIPTION,
    "moderations": Operation.MODERATION,
    "rerank": Operation.RERANK,
}
_WITH_MODEL: tuple[str, ...] = ("chat/completions", "completions", "embeddings", "images/generations", "audio/speech")
_WITH_MODEL += ("audio/transcriptions", "images/edits")
_MODEL_PATH = re.compile(
    r"/(?:v1/)?(?:openai/deployments|engines)/(?P<model>[^/]+)/(?P<suffix>" + "|".join(_WITH_MODEL) + ")"
)


class Match(NamedTuple):
    """What a path asks for; `model` is the one in the path, or None."""

    operation: Operation
    model: str | None = None


class Routes:
    """Matches paths, below `root` where the gateway is served under one (`SERVER_ROOT_PATH`)."""

    def __init__(self, root: str = "") -> None:
        self.root = root.rstrip("/")
        paths = {f"{prefix}/{suffix}": op for suffix, op in _BY_SUFFIX.items() for prefix in ("", "/v1")}
        paths["/v2/rerank"] = Operation.RERANK
        paths["/openai/v1/responses"] = Operation.RESPONSES
        self.paths = {f"{self.root}{path}": operation for path, operation in paths.items()}
        self.templates = [
            f"{self.root}{prefix}/{kind}/{{model}}/{suffix}"
            for prefix in ("", "/v1")
            for kind in ("openai/deployments", "engines")
            for suffix in _WITH_MODEL
        ]
        self._exact = {path.encode(): Match(operation) for path, operation in self.paths.items()}

    def match(self, path: bytes) -> Match | None:
        """Return what a raw, percent-encoded path asks for, or None when it is not the data plane's."""
        found = self._exact.get(path)
        if found is not None:
            return found
        if b"/deployments/" not in path and b"/engines/" not in path:
            return None
        text = path.decode("latin-1")
        matched = _MODEL_PATH.fullmatch(text, len(self.root)) if text.startswith(self.root) else None
        if matched is None:
            return None
        return Match(_BY_SUFFIX[matched["suffix"]], unquote(matched["model"]))
