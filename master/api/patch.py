"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386), as pure functions on documents.

Neither changes what it is given; the result may share the parts that were not touched, so its caller must not change it
in place either. Strategic merge, which needs the schema, is in `strategic.py`.
Errors are Kubernetes': a malformed patch is a BadRequest, a patch that cannot be applied (a failed `test`, a missing
path) is Invalid with one cause that names the operation.

Subtle: a JSON patch is applied to one deep copy. Copying along each operation's path only would be less work for one
operation and quadratic for ten thousand.
"""

from __future__ import annotations

import copy
from typing import Any

from common.errors import BadRequest, FieldCause, Invalid, TooLarge
from master.api.contract import Document

MAX_OPERATIONS = 10_000
MAX_MOVED = 100_000
"""Values that all `copy` and `move` operations of a patch may touch together: each copy could double a document."""
MAX_DEPTH = 100
"""Of a path, and of what a path and the value put there make together; what follows walks documents recursively."""

REJECTED = "the server rejected our request due to an error in our request"


def json_patch(document: Document, operations: Any) -> Document:
    """Apply a decoded JSON patch (a list of operations). Raises BadRequest, TooLarge, Invalid."""
    if not isinstance(operations, list):
        raise BadRequest(f"error decoding patch: {no_object(operations, '[]handlers.jsonPatchOp')}")
    for operation in operations:
        if not isinstance(operation, dict):
            raise BadRequest(f"error decoding patch: {no_object(operation, 'handlers.jsonPatchOp')}")
    if len(operations) > MAX_OPERATIONS:
        said = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise TooLarge(f"Request entity too large: {said}")
    patched: Any = copy.deepcopy(document)
    left = MAX_MOVED
    for operation in operations:
        if operation.get("op") in ("copy", "move"):
            left -= _extent(_get(patched, _pointer(operation, "from")), room=MAX_DEPTH - len(_pointer(operation, "path")), left=left)
        patched = _apply(patched, operation)
    if not isinstance(patched, dict):
        raise _rejected("", "the patched document is not an object")
    return patched


def merge_patch(document: Document, patch: Any) -> Document:
    """Apply a decoded JSON merge patch. Raises BadRequest when the patch is not an object."""
    if not isinstance(patch, dict):
        raise BadRequest(f"error decoding patch: {no_object(patch)}")
    return _merged(document, patch)


def no_object(value: Any, wanted: str = "map[string]interface {}") -> str:
    """What Go's decoder says of a value of the wrong type. wanted: Go's name of the right one."""
    word = {str: "string", list: "array", dict: "object", bool: "bool", type(None): "null"}.get(type(value), "number")
    return f"json: cannot unmarshal {word} into Go value of type {wanted}"


def _merged(target: Any, patch: dict[str, Any]) -> dict[str, Any]:
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merged(merged.get(key), value)
        else:
            merged[key] = value
    return merged


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    op = operation.get("op")
    path = _pointer(operation, "path")
    if op == "add":
        return _add(document, path, copy.deepcopy(_value(operation)))
    if op == "replace":
        _get(document, path)
        return _put(document, path, copy.deepcopy(_value(operation)))
    if op == "remove":
        return _remove(document, path)
    if op == "test":
        found = _get(document, path, missing_ok=True)
        if not _equal(found, operation.get("value")):
            raise _rejected(_name(path), "test failed: the value found is not the one expected")
        return document
    if op == "copy":
        return _add(document, path, copy.deepcopy(_get(document, _pointer(operation, "from"))))
    if op == "move":
        source = _pointer(operation, "from")
        if path[: len(source)] == source and len(path) > len(source):
            raise _rejected(_name(path), "a value cannot be moved into itself")
        value = _get(document, source)
        return _add(_remove(document, source), path, value)
    raise _rejected(_name(path), f"unexpected operation {str(op)[:64]!r}: it must be add, remove, replace, move, copy or test")


def _pointer(operation: dict[str, Any], field: str) -> list[str]:
    """The tokens of a JSON pointer (RFC 6901)."""
    text = operation.get(field)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _rejected(str(text)[:256], f"operation {str(operation.get('op'))[:64]!r} needs {field!r}, a path that starts with /")
    tokens = text.split("/", MAX_DEPTH + 1)[1:]
    if len(tokens) > MAX_DEPTH:
        raise _rejected(text[:256], f"a path may have {MAX_DEPTH} parts")
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise _rejected(str(operation.get("path"))[:256], f"operation {operation['op']!r} needs a value")
    return operation["value"]


def _parent(document: Any, path: list[str]) -> Any:
    return _get(document, path[:-1])


def _index(items: list[Any], token: str, path: list[str], *, last: int) -> int:
    """RFC 6901 indices, and negative ones, which Kubernetes' library takes as counted from the end."""
    digits = token.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= 9:
        index = int(token)
        if index < 0:
            index += last + 1
        if 0 <= index <= last:
            return index
    raise _rejected(_name(path), f"unable to access invalid index {token[:64]} of a list of {len(items)}")


def _get(document: Any, path: list[str], *, missing_ok: bool = False) -> Any:
    value = document
    for token in path:
        if isinstance(value, dict):
            if token not in value:
                if missing_ok:
                    return None
                raise _rejected(_name(path), f"missing value: nothing stands at {token[:64]!r}")
            value = value[token]
        elif isinstance(value, list):
            value = value[_index(value, token, path, last=len(value) - 1)]
        else:
            raise _rejected(_name(path), "missing path: a part of it is neither an object nor a list")
    return value


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _parent(document, path)
    if isinstance(parent, list):
        position = len(parent) if path[-1] == "-" else _index(parent, path[-1], path, last=len(parent))
        parent.insert(position, value)
        return document
    return _put(document, path, value)


def _put(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _parent(document, path)
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        parent[_index(parent, path[-1], path, last=len(parent) - 1)] = value
    else:
        raise _rejected(_name(path), "missing path: its parent is neither an object nor a list")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    _get(document, path)
    parent = _parent(document, path)
    if isinstance(parent, list):
        del parent[_index(parent, path[-1], path, last=len(parent) - 1)]
    else:
        del parent[path[-1]]
    return document


def _equal(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1, though Python says so."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return left == right


def _extent(value: Any, *, room: int, left: int) -> int:
    """How many values this is, level by level. Raises TooLarge beyond `left` values or `room` levels."""
    level, count = [value], 0
    while level:
        count, room = count + len(level), room - 1
        if count > left or room < -1:
            raise TooLarge(f"what a JSON patch copies and moves may have {MAX_MOVED} values and {MAX_DEPTH} levels together")
        level = [
            child
            for part in level
            if isinstance(part, dict | list)
            for child in (part.values() if isinstance(part, dict) else part)
        ]
    return count


def _name(path: list[str]) -> str:
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)[:256]


def _rejected(path: str, why: str) -> Invalid:
    return Invalid(REJECTED, causes=(FieldCause("UnexpectedServerResponse", why, path),))
