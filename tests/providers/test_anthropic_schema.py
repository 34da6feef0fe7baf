from typing import Any

import pytest

from headgate.core.errors import InvalidRequestError
from headgate.providers._anthropic_schema import supported_schema


def test_a_schema_in_the_subset_stays_as_it_is() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "title": "Person",
        "properties": {
            "name": {"type": "string", "description": "Full name"},
            "born": {"type": "string", "format": "date"},
            "kind": {"enum": ["a", "b"]},
            "children": {"type": "array", "items": {"$ref": "#/$defs/Child"}, "minItems": 1},
            "partner": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["name"],
        "additionalProperties": False,
        "$defs": {"Child": {"type": "object", "properties": {}, "additionalProperties": False}},
    }
    assert supported_schema(schema, "s") == schema


def test_objects_are_closed_at_every_depth() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"inner": {"type": "array", "items": {"type": "object", "additionalProperties": True}}},
    }
    closed = supported_schema(schema, "s")
    assert closed["additionalProperties"] is False
    assert closed["properties"]["inner"]["items"]["additionalProperties"] is False


def test_what_can_not_be_expressed_is_told_in_the_description() -> None:
    schema = {"type": "integer", "description": "Age", "minimum": 0, "maximum": 150, "default": 3}
    assert supported_schema(schema, "s") == {
        "type": "integer",
        "description": "Age\n\n{minimum: 0, maximum: 150, default: 3}",
    }
    assert supported_schema({"type": "string", "format": "iban"}, "s") == {
        "type": "string",
        "description": '{format: "iban"}',
    }


def test_several_types_become_alternatives() -> None:
    schema = {"type": ["object", "null"], "properties": {"a": {"type": "string"}}, "required": ["a"], "title": "T"}
    assert supported_schema(schema, "s") == {
        "title": "T",
        "anyOf": [
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "required": ["a"],
                "additionalProperties": False,
            },
            {"type": "null"},
        ],
    }
    assert supported_schema({"type": ["string", "null"], "enum": ["a", None]}, "s") == {"enum": ["a", None]}
    assert supported_schema({"oneOf": [{"type": "string"}]}, "s") == {"anyOf": [{"type": "string"}]}


def test_what_is_no_schema_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        supported_schema({"type": "object", "properties": {"a": True}}, "response_format.json_schema.schema")
    assert caught.value.param == "response_format.json_schema.schema"
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"type": "array", "items": deep}
    with pytest.raises(InvalidRequestError, match="nested too deeply"):
        supported_schema(deep, "s")
