"""Embeddings by InvokeModel: each family has a format of its own.

Titan: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html; Cohere:
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html.
"""

import array
import base64
import sys
from typing import Any

import msgspec

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members, encode, integer, text
from headgate.core.provider import Answer, Headers
from headgate.core.usage import Usage
from headgate.providers._chat import decode_member, present
from headgate.providers._errors import protocol_error

COHERE_LIMIT = 96
"""Texts in one call to a Cohere model."""

_TOKENS_HEADER = b"x-amzn-bedrock-input-token-count"
_COHERE_OWN = ("input_type", "truncate", "max_tokens")

_input = msgspec.json.Decoder(str | list[Any])


class _Answer(msgspec.Struct, rename="camel"):
    """Titan's answer, or Cohere's: there `embeddings` is a list, or with types asked for a mapping by type."""

    embedding: list[float] | None = None
    embeddings: list[list[float]] | dict[str, list[list[float]]] | None = None
    input_text_token_count: int | None = None


class _Embedding(msgspec.Struct):
    index: int
    embedding: list[float] | str
    object: str = "embedding"


class _Usage(msgspec.Struct):
    prompt_tokens: int
    total_tokens: int


class _List(msgspec.Struct):
    data: list[_Embedding]
    model: str
    usage: _Usage
    object: str = "list"


_decoder = msgspec.json.Decoder(_Answer)


def encode_embedding(members: Members, model: str) -> bytes:
    """Translate the members of an embedding request. Raises `InvalidRequestError` for what the model can not do."""
    _encoding_format(members)
    texts = _texts(members)
    dimensions = integer(members, "dimensions")
    if "cohere." in model:
        return _cohere(members, texts, dimensions, model)
    if "titan-embed" in model:
        return _titan(members, texts, dimensions, model)
    message = f"Headgate does not know the embedding format of '{model}'; use an Amazon Titan or Cohere model."
    raise InvalidRequestError(message, param="model")


def decode_embedding(members: Members, headers: Headers, body: bytes, model: str) -> Answer:
    """Translate an answer into the encoding that the client asked for. Raises `UpstreamError` (PROTOCOL) for others."""
    try:
        answer = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise protocol_error("The upstream provider's answer holds no embeddings.") from None
    vectors = answer.embeddings.get("float") if isinstance(answer.embeddings, dict) else answer.embeddings
    if answer.embedding is not None:
        vectors = [answer.embedding]
    if not vectors:
        raise protocol_error("The upstream provider's answer holds no embeddings.")
    count = answer.input_text_token_count
    tokens = max(count, 0) if count is not None else _counted(headers)
    packed = _encoding_format(members) == "base64"
    data = [_Embedding(index, _pack(vector) if packed else vector) for index, vector in enumerate(vectors)]
    return Answer(encode(_List(data, model, _Usage(tokens, tokens))), Usage(input_tokens=tokens))


def _texts(members: Members) -> list[str]:
    value = present(members, "input")
    if value is None:
        raise InvalidRequestError("Missing required parameter: 'input'.", param="input")
    given = decode_member(_input, value, "input")
    texts = [given] if isinstance(given, str) else given
    if not texts:
        raise InvalidRequestError("Invalid value for 'input': expected at least one text.", param="input")
    strings = [item for item in texts if isinstance(item, str)]
    if len(strings) != len(texts):
        message = "Invalid value for 'input': Bedrock's models take text, not tokens."
        raise InvalidRequestError(message, param="input")
    return strings


def _titan(members: Members, texts: list[str], dimensions: int | None, model: str) -> bytes:
    if len(texts) > 1:
        message = "Invalid value for 'input': Amazon Titan takes one text per request; send one request per text."
        raise InvalidRequestError(message, param="input")
    body: dict[str, Any] = {"inputText": texts[0]}
    if "titan-embed-image" in model:
        if dimensions is not None:
            body["embeddingConfig"] = {"outputEmbeddingLength": dimensions}
    elif "titan-embed-text-v2" in model:
        body["embeddingTypes"] = ["float"]
        if dimensions is not None:
            body["dimensions"] = dimensions
        if (normalize := present(members, "normalize")) is not None:
            body["normalize"] = normalize
    elif dimensions is not None:
        message = "Invalid value for 'dimensions': this model has one size only; leave 'dimensions' out."
        raise InvalidRequestError(message, param="dimensions")
    return encode(body)


def _cohere(members: Members, texts: list[str], dimensions: int | None, model: str) -> bytes:
    if len(texts) > COHERE_LIMIT:
        message = f"Invalid value for 'input': Cohere takes at most {COHERE_LIMIT} texts per request."
        raise InvalidRequestError(message, param="input")
    # Cohere requires a purpose; LiteLLM's default is a document to be found.
    body: dict[str, Any] = {"texts": texts, "input_type": "search_document", "embedding_types": ["float"]}
    body |= {name: value for name in _COHERE_OWN if (value := present(members, name)) is not None}
    if dimensions is not None:
        if "embed-v4" not in model:
            message = "Invalid value for 'dimensions': this model has one size only; leave 'dimensions' out."
            raise InvalidRequestError(message, param="dimensions")
        body["output_dimension"] = dimensions
    return encode(body)


def _encoding_format(members: Members) -> str:
    encoding = text(members, "encoding_format") or "float"
    if encoding not in ("float", "base64"):
        message = "Invalid value for 'encoding_format': expected 'float' or 'base64'."
        raise InvalidRequestError(message, param="encoding_format")
    return encoding


def _counted(headers: Headers) -> int:
    value = next((value for name, value in headers if name == _TOKENS_HEADER), b"")
    return int(value) if value.isdigit() and len(value) < 12 else 0


def _pack(vector: list[float]) -> str:
    """OpenAI's base64 form: single-precision floats, little-endian."""
    packed = array.array("f", vector)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()
