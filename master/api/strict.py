"""Decoding of a document against the schema of its kind, as Kubernetes' own typed decoder does it.

Owns: unknown fields, wrong types, bad quantities, times and base64, nulls, and which required fields are missing.
Leaves to others: duplicate fields are found where bytes are decoded (`body.py`) and only reported here; what a value
means is the business of each kind (`kinds/`).

Wrong types are always refused. Unknown and duplicate fields are refused (Strict), warned of (Warn) or passed over in
silence (Ignore); in the last two they are dropped, since a typed decoder has no place for them. A null field is an absent
field; a null in a list or a map is its type's zero value. Quantities are brought into their canonical form ("0.5" is
"500m"). The texts are those that Kubernetes' users know, down to Go's names of types, because people and scripts search
for them.

Subtle: the walk is on the path of every write, so scalars are checked in the loop of the object that holds them, and a
path is a chain of (parent, key) that becomes text only when there is something to say about it.
"""

from __future__ import annotations

import binascii
import functools
import re
from collections.abc import Sequence
from decimal import ROUND_CEILING
from typing import Any

from common.errors import BadRequest, FieldCause, Invalid
from common.objects import quantity
from master.api.contract import Document
from master.api.schema import Node, Type

STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"
MAX_REPORTED = 100
"""How many unknown fields are named; Kubernetes stops there too."""

Path = tuple[Any, Any] | None
"""(parent, field name or list index); None is the document itself."""

_PLAIN = {Type.STRING: str, Type.BOOLEAN: bool}
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_ZERO: dict[Type, Any] = {
    Type.STRING: "", Type.BYTES: "", Type.BOOLEAN: False, Type.INTEGER: 0, Type.NUMBER: 0,
    Type.QUANTITY: "0", Type.INT_OR_STRING: 0,
}  # fmt: skip
_GO = {
    Type.STRING: "string", Type.BOOLEAN: "bool", Type.NUMBER: "float64", Type.BYTES: "[]uint8",
    Type.INT_OR_STRING: "intstr.IntOrString", Type.QUANTITY: "resource.Quantity",
    Type.TIME: "v1.Time", Type.MICRO_TIME: "v1.MicroTime", Type.ANY: "map[string]interface {}",
}  # fmt: skip
_TIME = re.compile(r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d([.,]\d{1,9})?(Z|[+-]\d\d:\d\d)$")
_MICRO_LAYOUT, _LAYOUT = "2006-01-02T15:04:05.000000Z07:00", "2006-01-02T15:04:05Z07:00"

ABSENCE_ALLOWED = frozenset(
    {
        ("HTTPHeader", "value"), ("Sysctl", "value"), ("ISCSIVolumeSource", "lun"), ("Event", "metadata"),
        ("Event", "involvedObject"), ("Binding", "target"), ("SleepAction", "seconds"), ("DaemonEndpoint", "Port"),
        ("OwnerReference", "apiVersion"), ("OwnerReference", "kind"), ("OwnerReference", "name"), ("OwnerReference", "uid"),
    }
)  # fmt: skip
"""Fields that the schema calls required because Go always writes them, but whose zero value Kubernetes accepts."""
TOLD_BY_RULES = frozenset(
    {
        ("DeploymentSpec", "selector"), ("ReplicaSetSpec", "selector"), ("DaemonSetSpec", "selector"), ("StatefulSetSpec", "selector"),
        ("PodSpec", "containers"), ("Container", "name"), ("CronJobSpec", "schedule"), ("HorizontalPodAutoscalerSpec", "maxReplicas"),
        ("HorizontalPodAutoscalerSpec", "scaleTargetRef"),
        ("CrossVersionObjectReference", "kind"), ("CrossVersionObjectReference", "name"),
    }
)  # fmt: skip
"""Required fields whose absence the kind's own rules tell, together with whatever else is wrong."""
_NOT_HERE = ABSENCE_ALLOWED | TOLD_BY_RULES


class _Mismatch(Exception):
    """A wrong type: the walk ends at the first, as Go's decoder reports only the first."""


def check(
    document: Document, node: Node, *, mode: str = IGNORE, duplicates: Sequence[str] = (), patched: bool = False
) -> tuple[Document, list[str]]:
    """A cleaned copy of the document (unknown and null fields dropped), and the warnings (mode Warn only).

    mode: Strict, Warn or Ignore, `fieldValidation`'s values. duplicates: sentences from `body.decode`. Raises BadRequest
    with the whole text (`Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown
    field "spec.foo"`). patched: the document is the result of a patch; then, as in Kubernetes, Invalid is raised, with
    the cause at field `patch`.
    """
    cleaned, unknown = clean(document, node, patched=patched)
    if mode == IGNORE or not (unknown or duplicates):
        return cleaned, []
    said = [*duplicates, *(f'unknown field "{path}"' for path in unknown)]
    if mode == STRICT:
        raise _refusal(document, node, "strict decoding error: " + ", ".join(said[:MAX_REPORTED]), patched=patched)
    return cleaned, [line for each in said[:MAX_REPORTED] for line in lines(each)]


def lines(said: str) -> list[str]:
    """One warning each: what is said of duplicate fields in YAML has several lines."""
    first, *rest = said.split("\n  ")
    return rest if rest and first.endswith("yaml: unmarshal errors:") else [said]


def check_applied(duplicates: Sequence[str], mode: str) -> list[str]:
    """Warnings about fields that occur twice in what is applied. Raises BadRequest when that must not be."""
    if mode == STRICT and duplicates:
        raise BadRequest(f"error strict decoding YAML: error converting YAML to JSON: {', '.join(duplicates)}")
    return [line for each in duplicates for line in lines(each)] if mode == WARN else []


def clean(document: Document, node: Node, *, patched: bool = False) -> tuple[Document, list[str]]:
    """The cleaned copy, and the paths of the unknown fields. Raises BadRequest or Invalid for a wrong type, as `check`."""
    unknown: list[Path] = []
    try:
        if not isinstance(document, dict):
            raise _Mismatch(f"json: cannot unmarshal {_word(document)} into Go value of type {_go(node)}")
        return _object(document, node, None, unknown), [_text(path) for path in unknown]
    except _Mismatch as error:
        raise _refusal(document, node, str(error), patched=patched) from None


def missing_required(document: Document, node: Node) -> list[FieldCause]:
    """Required fields that are absent or empty, as FieldValueRequired causes, `status` aside; to be called after defaulting.

    Fields whose absence is legal or has a text of its own (`ABSENCE_ALLOWED`, `TOLD_BY_RULES`, numbers with a range) are not among them
    unless they are wholly absent.
    """
    causes: list[FieldCause] = []
    spec = {key: value for key, value in document.items() if key != "status"}
    _missing(spec, node, None, causes)
    return causes


def _missing(value: Any, node: Node, path: Path, causes: list[FieldCause]) -> None:
    if node.type is Type.OBJECT and isinstance(value, dict):
        for field in node.required:
            if value.get(field) in (None, "", []) and (node.name, field) not in _NOT_HERE:
                causes.append(FieldCause("FieldValueRequired", "Required value", _text((path, field))))
        for key, part in value.items():
            child = node.fields.get(key)
            if child is not None and isinstance(part, (dict, list)):
                _missing(part, child, (path, key), causes)
    elif node.type is Type.ARRAY and isinstance(value, list) and node.items is not None and node.items.type is Type.OBJECT:
        for index, item in enumerate(value):
            _missing(item, node.items, (path, index), causes)
    elif node.type is Type.MAP and isinstance(value, dict) and node.values is not None and node.values.type is Type.OBJECT:
        for key, part in value.items():
            _missing(part, node.values, (path, key), causes)


def _object(document: dict[str, Any], node: Node, path: Path, unknown: list[Path]) -> dict[str, Any]:
    fields, cleaned = node.fields, {}
    for key, value in document.items():
        child = fields.get(key)
        if child is None:
            if len(unknown) < MAX_REPORTED:
                unknown.append((path, key))
        elif value is not None:
            kind = child.type
            if type(value) is _PLAIN.get(kind):
                cleaned[key] = value
            else:
                cleaned[key] = _READ[kind](value, child, (path, key), node, unknown)
    return cleaned


def _read_object(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    if type(value) is not dict:
        raise _wrong(value, node, path, owner)
    return _object(value, node, path, unknown)


def _read_map(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    if type(value) is not dict:
        raise _wrong(value, node, path, owner)
    child = node.values
    assert child is not None
    kind, plain = child.type, _PLAIN.get(child.type)
    cleaned = {}
    for key, part in value.items():
        if part is None:
            cleaned[key] = _zero(child)
        elif type(part) is plain:
            cleaned[key] = part
        else:
            cleaned[key] = _READ[kind](part, child, (path, key) if kind is not Type.STRING else path, owner, unknown)
    return cleaned


def _read_array(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    if type(value) is not list:
        raise _wrong(value, node, path, owner)
    child = node.items
    assert child is not None
    kind, plain = child.type, _PLAIN.get(child.type)
    cleaned = []
    for index, part in enumerate(value):
        if part is None:
            cleaned.append(_zero(child))
        elif type(part) is plain:
            cleaned.append(part)
        else:
            cleaned.append(_READ[kind](part, child, (path, index), owner, unknown))
    return cleaned


def _read_plain(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    raise _wrong(value, node, path, owner)


def _read_integer(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    low, high = _RANGES.get(node.format, _RANGES["int64"])
    if type(value) is not int or not low <= value <= high:
        raise _wrong(value, node, path, owner)
    return value


def _read_number(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    if type(value) not in (int, float):
        raise _wrong(value, node, path, owner)
    return value


def _read_int_or_string(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    low, high = _RANGES["int32"]
    if type(value) is not str and (type(value) is not int or not low <= value <= high):
        raise _Mismatch(f"json: cannot unmarshal {_word(value, integer=True)} into Go value of type int32")
    return value


def _read_quantity(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    if type(value) not in (str, int, float):
        raise _Mismatch(_QUANTITY_TEXT)
    try:
        return canonical(value.strip() if type(value) is str else repr(value))
    except ValueError:
        raise _Mismatch(_QUANTITY_TEXT) from None


def _read_time(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    if type(value) is not str:
        raise _Mismatch(f"json: cannot unmarshal {_word(value)} into Go value of type string")
    if not _TIME.match(value):
        layout = _MICRO_LAYOUT if node.type is Type.MICRO_TIME else _LAYOUT
        raise _Mismatch(f'parsing time "{value[:64]}" as "{layout}": cannot parse it as a time of RFC 3339')
    return value


def _read_bytes(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    if type(value) is not str:
        raise _wrong(value, node, path, owner)
    try:
        binascii.a2b_base64(value.replace("\n", "").replace("\r", ""), strict_mode=True)
    except ValueError:
        raise _Mismatch(f"illegal base64 data at input byte {_first_bad_byte(value)}") from None
    return value


def _read_any(value: Any, node: Node, path: Path, owner: Node, unknown: list[Path]) -> Any:
    return value


_READ = {
    Type.OBJECT: _read_object,
    Type.MAP: _read_map,
    Type.ARRAY: _read_array,
    Type.STRING: _read_plain,
    Type.BOOLEAN: _read_plain,
    Type.INTEGER: _read_integer,
    Type.NUMBER: _read_number,
    Type.INT_OR_STRING: _read_int_or_string,
    Type.QUANTITY: _read_quantity,
    Type.TIME: _read_time,
    Type.MICRO_TIME: _read_time,
    Type.BYTES: _read_bytes,
    Type.ANY: _read_any,
}

_QUANTITY_TEXT = f"quantities must match the regular expression '{quantity.REGEX_TEXT}'"


@functools.lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The form in which Kubernetes writes a quantity: "1000m" is "1", "0.5" is "500m", "1024Mi" is "1Gi", "1000" is "1k".

    Raises ValueError. Finer than a billionth is rounded up, as apimachinery does.
    """
    number = quantity.exact(text)
    if text.endswith("i") and abs(number) >= 1024:
        count, power = int(number.to_integral_value(ROUND_CEILING)), 0
        while power < 6 and count % 1024 == 0:
            count, power = count // 1024, power + 1
        return f"{count}{('', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei')[power]}"
    nanos = int((number * 10**9).to_integral_value(ROUND_CEILING))
    if nanos == 0:
        return "0"
    exponent = -9
    exponential = "e" in text or ("E" in text and not text.endswith(("E", "Ei")))
    while nanos % 1000 == 0 and (exponential or exponent < 18):
        nanos, exponent = nanos // 1000, exponent + 3
    if exponential:
        return f"{nanos}e{exponent}" if exponent else str(nanos)
    return f"{nanos}{_DECIMAL_SUFFIXES[exponent]}"


_DECIMAL_SUFFIXES = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}


def _zero(node: Node) -> Any:
    """What a null in a list or a map becomes."""
    if node.type in (Type.OBJECT, Type.MAP):
        return {}
    return [] if node.type is Type.ARRAY else _ZERO.get(node.type)


def _wrong(value: Any, node: Node, path: Path, owner: Node) -> _Mismatch:
    word = _word(value, integer=node.type is Type.INTEGER)
    return _Mismatch(f"json: cannot unmarshal {word} into Go struct field {owner.name}.{_text(path, indices=False)} of type {_go(node)}")


def _word(value: Any, *, integer: bool = False) -> str:
    """Go's name for a JSON value; a number that does not fit an integer is quoted, as Go does."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return f"number {str(value)[:64]}" if integer else "number"
    return {str: "string", list: "array", dict: "object", type(None): "null"}.get(type(value), "value")


def _go(node: Node) -> str:
    if node.type is Type.OBJECT:
        return ".".join(node.definition.rsplit(".", 2)[-2:])
    if node.type is Type.ARRAY and node.items is not None:
        return "[]" + _go(node.items)
    if node.type is Type.MAP and node.values is not None:
        return "map[string]" + _go(node.values)
    return node.format or "int64" if node.type is Type.INTEGER else _GO[node.type]


def _text(path: Path, *, indices: bool = True) -> str:
    """`spec.containers[0].image`; without indices as Go's decoder writes it, `spec.containers.image`."""
    parts: list[str] = []
    while path is not None:
        path, key = path
        if isinstance(key, int):
            if indices:
                parts.append(f"[{key}]")
        else:
            parts.append(f".{str(key)[:256]}")
    return "".join(reversed(parts)).removeprefix(".")


def _refusal(document: Any, node: Node, said: str, *, patched: bool) -> BadRequest | Invalid:
    if not patched:
        return BadRequest(_sentence(document, node, said))
    cause = FieldCause("FieldValueInvalid", f"Invalid value: {said}", "patch")
    return Invalid(f' "" is invalid: patch: {cause.message}', causes=(cause,))


def _sentence(document: Any, node: Node, said: str) -> str:
    kind = document.get("kind") if isinstance(document, dict) else None
    version = document.get("apiVersion") if isinstance(document, dict) else None
    if not isinstance(kind, str) or not kind or not isinstance(version, str):
        return f"the object provided is unrecognized (must be of type {node.name}): {said}"
    return f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a {node.name}: {said}'


def _first_bad_byte(text: str) -> int:
    found = re.search(r"[^A-Za-z0-9+/\r\n]", text)
    return found.start() if found is not None else max(len(text) - len(text) % 4, 0)
