"""JSON schemas in the subset that Anthropic's structured outputs accept.

Anthropic refuses objects that are open and keywords that its grammar can not express
(https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations). As in Anthropic's
own clients, objects are closed and what can not be expressed becomes part of the description, where the model reads it.
"""

from typing import Any

import msgspec

from headgate.core.errors import InvalidRequestError

Schema = dict[str, Any]

_FORMATS = frozenset({*("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")})
_KEPT = frozenset({"title", "description", "$ref", "allOf", "anyOf", "required"})
_LISTS = ("anyOf", "allOf")
_MAPS = ("properties", "$defs", "definitions")


def supported_schema(schema: Schema, where: str) -> Schema:
    """Return an equivalent schema in the accepted subset. `where` names the member in errors."""
    try:
        return _transform(schema, where)
    except RecursionError:
        raise InvalidRequestError(f"Invalid value for '{where}': nested too deeply.", param=where) from None


def _transform(schema: object, where: str) -> Schema:
    if not isinstance(schema, dict):
        raise InvalidRequestError(f"Invalid value for '{where}': each schema must be an object.", param=where)
    rest = dict(schema)
    if "oneOf" in rest:
        rest.setdefault("anyOf", rest.pop("oneOf"))
    result = {name: rest.pop(name) for name in (*_KEPT,) if name in rest}
    for name in _LISTS:
        if isinstance(result.get(name), list):
            result[name] = [_transform(variant, where) for variant in result[name]]
    for name in _MAPS:
        members = rest.pop(name, None)
        if isinstance(members, dict):
            result[name] = {key: _transform(member, where) for key, member in members.items()}
    kind = rest.pop("type", None)
    literals = {name: rest.pop(name) for name in ("enum", "const") if name in rest}
    result.update(literals)
    if isinstance(kind, list) and not literals:
        branches = [_transform({**rest, **_of_kind(result, each), "type": each}, where) for each in kind]
        return {
            **{name: result[name] for name in ("title", "description", "$defs") if name in result},
            "anyOf": branches,
        }
    if kind is not None and not literals:
        result["type"] = kind
    if kind == "object" or "properties" in result:
        result["additionalProperties"] = False
        rest.pop("additionalProperties", None)
    if "items" in rest:
        result["items"] = _transform(rest.pop("items"), where)
    if rest.get("format") in _FORMATS:
        result["format"] = rest.pop("format")
    if rest.get("minItems") in (0, 1):
        result["minItems"] = rest.pop("minItems")
    rest.pop("$schema", None)
    if rest:
        note = ", ".join(f"{name}: {msgspec.json.encode(value).decode()}" for name, value in rest.items())
        result["description"] = f"{result.get('description', '')}\n\n{{{note}}}".strip()
    return result


def _of_kind(result: Schema, kind: object) -> Schema:
    """The members that only objects have, for the branch that is an object."""
    return {name: result[name] for name in ("properties", "required") if name in result} if kind == "object" else {}
