import pytest

from headgate.core.provider import Operation
from headgate.gateway._routes import Match, Routes

PATHS = {
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


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize("root", ["", "/gate", "/gate/"])
def test_every_operation_has_its_path(prefix: str, root: str) -> None:
    routes = Routes(root)
    found = {path: routes.match(f"{root.rstrip('/')}{prefix}/{path}".encode()) for path in PATHS}
    assert found == {path: Match(operation) for path, operation in PATHS.items()}
    assert set(PATHS.values()) == set(Operation)


@pytest.mark.parametrize("kind", ["openai/deployments", "engines"])
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_a_model_in_the_path(kind: str, prefix: str) -> None:
    assert Routes().match(f"{prefix}/{kind}/gpt-4o/chat/completions".encode()) == Match(Operation.CHAT, "gpt-4o")
    assert Routes().match(f"{prefix}/{kind}/a%2Fb%20c/embeddings".encode()) == Match(Operation.EMBEDDING, "a/b c")
    assert Routes("/gate").match(f"/gate{prefix}/{kind}/m/embeddings".encode()) == Match(Operation.EMBEDDING, "m")


def test_paths_of_their_own() -> None:
    assert Routes().match(b"/v2/rerank") == Match(Operation.RERANK)
    assert Routes().match(b"/openai/v1/responses") == Match(Operation.RESPONSES)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/models",
        "/v1/chat/completions/",
        "//v1/chat/completions",
        "/v1/v1/chat/completions",
        "/v1/Chat/completions",
        "/v1/chat%2Fcompletions",
        "/openai/deployments//chat/completions",
        "/openai/deployments/a/b/chat/completions",
        "/openai/deployments/m/moderations",
        "/engines/m",
        "/x/engines/m/embeddings",
        "/engines/\xff",
    ],
)
def test_other_paths_are_not_the_data_plane_s(path: str) -> None:
    assert Routes().match(path.encode("latin-1")) is None


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/engines/m/embeddings"])
def test_below_a_root_nothing_is_served_beside_it(path: str) -> None:
    assert Routes("/gate").match(path.encode()) is None
    assert Routes("/gate").match(f"/other{path}".encode()) is None
    assert Routes("/gate").match(f"/gate{path}".encode()) is not None


def test_the_paths_are_listed_for_the_control_plane() -> None:
    routes = Routes("/gate")
    assert all(routes.match(path.encode()) for path in routes.paths)
    assert all(routes.match(path.replace("{model}", "m").encode()) for path in routes.templates)
