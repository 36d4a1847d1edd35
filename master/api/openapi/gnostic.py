"""OpenAPI v2 in protobuf, the form that clients in Go ask for: gnostic's messages, package `openapi.v2`.

A generic encoder with a table of field numbers (from gnostic's OpenAPIv2.proto), for the messages that our documents have. Where the
two forms differ:

    {"name": value, ...}      a repeated {1: name, 2: value}                       "%Message"
    x-anything: value         a repeated {1: name, 2: Any{2: YAML}}, and JSON is YAML      EXTENSIONS
    "type": "string"          TypeItem{1: [string]}; `items` and others are wrapped likewise, see `_content`
    a parameter, by its "in"  Parameter{1: body} or Parameter{2: {3: query, 4: path}}

Keys that the table lacks are left out: it has all that the official definitions and a structural schema may use.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

Json = dict[str, Any]

STRING, BOOLEAN, INTEGER, NUMBER, ANY = "string", "boolean", "integer", "number", "any"
"""ANY: any JSON value, as YAML."""

MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Document": {"swagger": (1, STRING), "info": (2, "Info"), "paths": (8, "Paths"), "definitions": (9, "Definitions")},
    "Info": {"title": (1, STRING), "version": (2, STRING)},
    "Paths": {"": (2, "PathItem")},
    "Definitions": {"": (1, "Schema")},
    "PathItem": {
        "get": (2, "Operation"), "put": (3, "Operation"), "post": (4, "Operation"), "delete": (5, "Operation"),
        "options": (6, "Operation"), "head": (7, "Operation"), "patch": (8, "Operation"), "parameters": (9, "*Parameter"),
    },
    "Operation": {
        "tags": (1, "*string"), "summary": (2, STRING), "description": (3, STRING), "operationId": (5, STRING),
        "produces": (6, "*string"), "consumes": (7, "*string"), "parameters": (8, "*Parameter"), "responses": (9, "Responses"),
        "schemes": (10, "*string"), "deprecated": (11, BOOLEAN),
    },
    "BodyParameter": {
        "description": (1, STRING), "name": (2, STRING), "in": (3, STRING), "required": (4, BOOLEAN), "schema": (5, "Schema"),
    },
    "QueryParameter": {
        "required": (1, BOOLEAN), "in": (2, STRING), "description": (3, STRING), "name": (4, STRING), "type": (6, STRING),
        "uniqueItems": (20, BOOLEAN),
    },
    "PathParameter": {
        "required": (1, BOOLEAN), "in": (2, STRING), "description": (3, STRING), "name": (4, STRING), "type": (5, STRING),
        "uniqueItems": (19, BOOLEAN),
    },
    "Responses": {"": (1, "ResponseValue")},
    "Response": {"description": (1, STRING), "schema": (2, "SchemaItem")},
    "Schema": {
        "$ref": (1, STRING), "format": (2, STRING), "title": (3, STRING), "description": (4, STRING), "default": (5, ANY),
        "multipleOf": (6, NUMBER), "maximum": (7, NUMBER), "exclusiveMaximum": (8, BOOLEAN), "minimum": (9, NUMBER),
        "exclusiveMinimum": (10, BOOLEAN), "maxLength": (11, INTEGER), "minLength": (12, INTEGER), "pattern": (13, STRING),
        "maxItems": (14, INTEGER), "minItems": (15, INTEGER), "uniqueItems": (16, BOOLEAN), "maxProperties": (17, INTEGER),
        "minProperties": (18, INTEGER), "required": (19, "*string"), "enum": (20, "*any"), "additionalProperties": (21, "OfSchema"),
        "type": (22, "TypeItem"), "items": (23, "ItemsItem"), "properties": (25, "Properties"), "externalDocs": (29, "ExternalDocs"),
        "example": (30, ANY),
    },
    "Properties": {"": (1, "Schema")},
    "ExternalDocs": {"description": (1, STRING), "url": (2, STRING)},
}  # fmt: skip
"""message → JSON key → (field number, type). The key "" stands for any name: a map. "*": repeated."""

EXTENSIONS = {"PathItem": 10, "Operation": 13, "Schema": 31}
"""The number of `vendor_extension` in a message that has it."""

_VARINT, _FIXED, _BYTES = 0, 1, 2


def _varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _delimited(number: int, content: bytes) -> bytes:
    return b"%s%s%s" % (_varint(number << 3 | _BYTES), _varint(len(content)), content)


def _named(number: int, name: str, value: bytes) -> bytes:
    return _delimited(number, _delimited(1, name.encode()) + _delimited(2, value))


def _any(value: Any) -> bytes:
    return _delimited(2, msgspec.json.encode(value))


def encode(message: str, document: Json) -> bytes:
    """The bytes of one message; raises KeyError for a message that the table lacks."""
    fields, extensions = MESSAGES[message], EXTENSIONS.get(message, 0)
    if "" in fields:
        number, kind = fields[""]
        return b"".join(_named(number, name, _content(kind, value)) for name, value in document.items())
    parts = []
    for key, value in document.items():
        if key in fields:
            parts.append(_field(*fields[key], value))
        elif extensions and key.startswith("x-"):
            parts.append(_named(extensions, key, _any(value)))
    return b"".join(parts)


def _field(number: int, kind: str, value: Any) -> bytes:
    if kind[0] == "*":
        return b"".join(_delimited(number, _content(kind[1:], item)) for item in value)
    if kind in (BOOLEAN, INTEGER):
        return _varint(number << 3 | _VARINT) + _varint(int(value))
    if kind == NUMBER:
        return _varint(number << 3 | _FIXED) + struct.pack("<d", value)
    return _delimited(number, _content(kind, value))


def _content(kind: str, value: Any) -> bytes:
    """What stands inside a length-delimited field."""
    if kind == STRING:
        return str(value).encode()
    if kind == ANY:
        return _any(value)
    match kind:
        case "TypeItem":
            return _delimited(1, value.encode())
        case "ItemsItem" | "SchemaItem":
            return _delimited(1, encode("Schema", value))
        case "OfSchema":
            return _field(2, BOOLEAN, value) if isinstance(value, bool) else _delimited(1, encode("Schema", value))
        case "ResponseValue":
            return _delimited(1, encode("Response", value))
        case "Parameter":
            return _parameter(value)
    return encode(kind, value)


def _parameter(value: Json) -> bytes:
    if value["in"] == "body":
        return _delimited(1, _delimited(1, encode("BodyParameter", value)))
    number, kind = {"query": (3, "QueryParameter"), "path": (4, "PathParameter")}[value["in"]]
    return _delimited(1, _delimited(2, _delimited(number, encode(kind, value))))
