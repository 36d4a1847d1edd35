"""What CEL's language has and the library lacks, as functions: optional fields, pairs of keys and values, texts by letters.

`dialect.py` writes rules so that they call these. Their names end in an underscore, so no rule can spell them itself. An optional value is
the library's own, which knows `orValue`, `or`, `value` and `hasValue`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from cel import OptionalValue

some, none = OptionalValue.of, OptionalValue.none


def _given(of: Any) -> list[Any]:
    """The value, if there is one; what is no optional is its own."""
    if not isinstance(of, OptionalValue):
        return [of]
    return [of.value()] if of.has_value() else []


def _field(of: Any, name: str) -> OptionalValue:
    for value in _given(of):
        if isinstance(value, dict) and name in value:
            return some(value[name])
    return none()


def _index(of: Any, at: Any) -> OptionalValue:
    for value in _given(of):
        if isinstance(value, dict) and at in value:
            return some(value[at])
        if isinstance(value, list) and isinstance(at, int) and 0 <= at < len(value):
            return some(value[at])
    return none()


def _items(told: list[Any]) -> list[Any]:
    return [value for optional, item in told for value in (_given(item) if optional else [item])]


def _entries(told: list[Any]) -> dict[Any, Any]:
    return {key: value for optional, key, item in told for value in (_given(item) if optional else [item])}


def _pairs(of: dict[Any, Any] | list[Any]) -> list[dict[str, Any]]:
    found = of.items() if isinstance(of, dict) else enumerate(of)
    return [{"key": key, "value": value} for key, value in found]


def _merged(maps: list[dict[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for one in maps:
        if twice := found.keys() & one.keys():
            raise ValueError(f"insert failed: key {sorted(map(str, twice))[0]} already exists")
        found |= one
    return found


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, datetime.timedelta):
        return f"{_double(value.total_seconds())}s"
    if isinstance(value, dict) and len(value) == 1 and (shown := value.get("ip", value.get("cidr"))):
        return str(shown)
    if isinstance(value, str | int):
        return str(value)
    raise ValueError(f"no such overload: string({type(value).__name__})")


def _double(value: float) -> str:
    """As Go writes it, shortest: no `.0`, and exponents of two digits."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "optionalField_": _field,
    "optionalIndex_": _index,
    "optionalItems_": _items,
    "optionalEntries_": _entries,
    "optionalList_": _given,
    "optionalOf_": lambda found: some(found[0]) if found else none(),
    "optionalFlat_": lambda found: some(found[0][0]) if found and found[0] else none(),
    "pairs_": _pairs,
    "entries_": lambda pairs: {pair["key"]: pair["value"] for pair in pairs},
    "merged_": _merged,
    "letters_": len,
    "string_": _string,
}
