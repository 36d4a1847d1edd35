"""A column of kubectl's table: its header, and how to fill it from a document.

Each kind lists its columns in its own file; `master/api/tables.py` renders them. Times are printed the way kubectl users
know them ("45s", "3m12s", "5d"): apimachinery's `duration.HumanDuration`.
A cell is a string, a number or a boolean; it reads raw documents, because tables print any stored object, also one that
a typed view would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from common.clock import parse_rfc3339
from master.api.contract import Document

Cell = str | int | bool


class Column(msgspec.Struct, frozen=True):
    """cell(document, now): now in wall-clock seconds. priority 1: only with `-o wide`."""

    name: str
    cell: Callable[[Document, float], Cell]
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


def human_duration(seconds: float) -> str:
    """At most two units, fewer digits the longer it lasts."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 120:
        return f"{max(whole, 0)}s"
    minutes, s = divmod(whole, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if minutes < 10:
        return f"{minutes}m{s}s" if s else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{m}m" if m else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{h}h" if h else f"{days}d"
    years, d = divmod(days, 365)
    if years < 2:
        return f"{days}d"
    if years < 8:
        return f"{years}y{d}d" if d else f"{years}y"
    return f"{years}y"


def since(timestamp: str | None, now: float) -> str:
    """How long ago; `<unknown>` when it never happened."""
    if not timestamp:
        return "<unknown>"
    try:
        return human_duration(now - parse_rfc3339(timestamp))
    except ValueError:
        return "<invalid>"


def selector_text(selector: Document | None) -> str:
    """A typed LabelSelector as kubectl prints it."""
    if selector is None:
        return "<none>"
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    words = {"In": "in", "NotIn": "notin"}
    for e in selector.get("matchExpressions") or []:
        if e["operator"] in words:
            parts.append(f"{e['key']} {words[e['operator']]} ({','.join(e.get('values') or [])})")
        else:
            parts.append(e["key"] if e["operator"] == "Exists" else f"!{e['key']}")
    return ",".join(parts) or "<none>"


def map_text(labels: dict[str, str] | None) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted((labels or {}).items())) or "<none>"


def at(document: Document, path: str) -> Any:
    """What stands at a path of fields (`spec.template.spec`); None when any part of it is missing."""
    value: Any = document
    for word in path.split("."):
        value = value.get(word) if isinstance(value, dict) else None
    return value


def plain(
    name: str, path: str, description: str, *, absent: Cell = "", type: str = "string", priority: int = 0
) -> Column:  # fmt: skip
    """A column that shows one field as it is; `absent` when it is missing or empty."""

    def cell(document: Document, now: float) -> Cell:
        value = at(document, path)
        return absent if value is None or value == "" else value

    return Column(name, cell, type=type, description=description, priority=priority)


def count(name: str, path: str, description: str) -> Column:
    """A whole number, 0 when it is missing."""
    return plain(name, path, description, absent=0, type="integer")


def boolean(value: bool | None, absent: str = "<unset>") -> str:
    return absent if value is None else "true" if value else "false"


def some(texts: Sequence[str], limit: int = 3) -> str:
    """The first few of a list, and how many more there are."""
    shown = ",".join(texts[:limit])
    return f"{shown} + {len(texts) - limit} more..." if len(texts) > limit else shown


NAME = Column(
    "Name", lambda d, now: d["metadata"]["name"], format="name",
    description="The object's name, unique within its namespace and kind.",
)  # fmt: skip
AGE = Column(
    "Age", lambda d, now: since(d["metadata"].get("creationTimestamp"), now),
    description="Time since the object was created.",
)  # fmt: skip


def converted(columns: Sequence[Column], to_stored: Callable[[Document], Document]) -> tuple[Column, ...]:
    """The columns of a kind for another version of it: they read the stored form."""

    def of(column: Column) -> Column:
        return msgspec.structs.replace(column, cell=lambda d, now: column.cell(to_stored(d), now))

    return tuple(of(column) for column in columns)


CREATED_AT = Column(
    "Created At", lambda d, now: d["metadata"].get("creationTimestamp") or "", type="date",
    description="When the object was created.",
)  # fmt: skip
PLAIN = (NAME, CREATED_AT)
"""For kinds without columns of their own."""


def template_columns(spec: str = "spec") -> tuple[Column, ...]:
    """Containers, images and selector of a workload, for `-o wide`. spec: the path of what has the template."""

    def containers(document: Document) -> list[Document]:
        return at(document, f"{spec}.template.spec.containers") or []

    return (
        Column("Containers", lambda d, now: ",".join(c["name"] for c in containers(d)), priority=1,
               description="Names of each container in the template."),
        Column("Images", lambda d, now: ",".join(c.get("image", "") for c in containers(d)), priority=1,
               description="Images referenced by each container in the template."),
        Column("Selector", lambda d, now: selector_text(at(d, f"{spec}.selector")), priority=1,
               description="Which pods are covered by this workload."),
    )  # fmt: skip
