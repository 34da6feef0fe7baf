import base64
import json
import struct
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse

from headgate.core.errors import Category, InvalidRequestError, UpstreamError
from headgate.core.json import raw
from headgate.core.provider import Answer, Headers
from headgate.providers._bedrock_embeddings import COHERE_LIMIT, decode_embedding, encode_embedding

TITAN_1 = "amazon.titan-embed-text-v1"
TITAN_2 = "amazon.titan-embed-text-v2:0"
TITAN_IMAGE = "amazon.titan-embed-image-v1"
COHERE_3 = "cohere.embed-multilingual-v3"
COHERE_4 = "us.cohere.embed-v4:0"


def encode(model: str, **members: Any) -> Any:
    return json.loads(encode_embedding({name: raw(value) for name, value in members.items()}, model))


def decode(body: Any, headers: Headers = (), **members: Any) -> Answer:
    given = {name: raw(value) for name, value in members.items()}
    return decode_embedding(given, headers, json.dumps(body).encode(), "m")


@pytest.mark.parametrize(
    ("model", "members", "body"),
    [
        (TITAN_1, {"input": "a"}, {"inputText": "a"}),
        (TITAN_2, {"input": ["a"], "user": "u"}, {"inputText": "a", "embeddingTypes": ["float"]}),
        (
            TITAN_2,
            {"input": "a", "dimensions": 256, "normalize": False},
            {"inputText": "a", "embeddingTypes": ["float"], "dimensions": 256, "normalize": False},
        ),
        (
            TITAN_IMAGE,
            {"input": "a", "dimensions": 384},
            {"inputText": "a", "embeddingConfig": {"outputEmbeddingLength": 384}},
        ),
        (TITAN_IMAGE, {"input": "a"}, {"inputText": "a"}),
        (
            COHERE_3,
            {"input": ["a", "b"], "truncate": "END"},
            {"texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"], "truncate": "END"},
        ),
        (
            COHERE_4,
            {"input": "a", "input_type": "search_query", "dimensions": 512},
            {"texts": ["a"], "input_type": "search_query", "embedding_types": ["float"], "output_dimension": 512},
        ),
    ],
)
def test_encoding(model: str, members: Any, body: Any) -> None:
    assert encode(model, **members) == body


@pytest.mark.parametrize(
    ("model", "members", "param"),
    [
        (TITAN_2, {}, "input"),
        (TITAN_2, {"input": []}, "input"),
        (TITAN_2, {"input": 5}, "input"),
        (TITAN_2, {"input": [1, 2]}, "input"),
        (TITAN_2, {"input": ["a", "b"]}, "input"),
        (TITAN_1, {"input": "a", "dimensions": 5}, "dimensions"),
        (COHERE_3, {"input": "a", "dimensions": 5}, "dimensions"),
        (COHERE_3, {"input": ["a"] * (COHERE_LIMIT + 1)}, "input"),
        (COHERE_3, {"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ("twelvelabs.marengo-embed-2-7-v1:0", {"input": "a"}, "model"),
    ],
)
def test_what_a_model_can_not_do_is_refused(model: str, members: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(model, **members)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("body", "headers", "tokens"),
    [
        ({"embedding": [0.5, -1.0], "inputTextTokenCount": 3}, (), 3),
        (
            {"embeddings": [[0.5, -1.0]], "response_type": "embeddings_floats"},
            [(b"x-amzn-bedrock-input-token-count", b"4")],
            4,
        ),
        ({"embeddings": {"float": [[0.5, -1.0]]}}, [(b"x-amzn-bedrock-input-token-count", b"x")], 0),
    ],
)
def test_decoding(body: Any, headers: Headers, tokens: int) -> None:
    answer = decode(body, headers)
    parsed = CreateEmbeddingResponse.model_validate_json(answer.body, strict=True)
    assert parsed.data[0].embedding == [0.5, -1.0]
    assert parsed.usage.total_tokens == tokens
    assert answer.usage is not None
    assert answer.usage.input_tokens == tokens


def test_base64_is_little_endian_single_precision() -> None:
    answer = decode({"embeddings": [[0.5, -1.0], [0.1, 2.0]]}, encoding_format="base64")
    vectors = [struct.unpack("<2f", base64.b64decode(item["embedding"])) for item in json.loads(answer.body)["data"]]
    assert vectors[0] == (0.5, -1.0)
    assert vectors[1] == pytest.approx((0.1, 2.0))
    assert [item["index"] for item in json.loads(answer.body)["data"]] == [0, 1]


@pytest.mark.parametrize("body", [{}, [], {"embedding": "x"}, {"embeddings": {"int8": [[1]]}}, {"embeddings": []}])
def test_anything_else_is_a_protocol_error(body: Any) -> None:
    with pytest.raises(UpstreamError) as caught:
        decode(body)
    assert caught.value.category is Category.PROTOCOL
