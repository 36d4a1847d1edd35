"""`kctl describe` as text: an object's sections, its conditions, its events, and why it is as it is. Pure: documents in, lines out.

    Name: …          head: names, labels, annotations, owner, age, end
    Replicas: …      the kind's own section (`describing_kinds.py`), or everything in it, field by field, where it has none
    Conditions:      a table
    Events:          a table
    Why:             the newest change, in a sentence

Owns the layout, which is kubectl's: names to the left, values in a column, what belongs together indented.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from common.clock import parse_rfc3339, rfc3339
from ctl.output import Layout

Document = dict[str, Any]
NONE = "<none>"
STEP = 2
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")


class Around(msgspec.Struct, frozen=True):
    """What is told beside the object itself. pods: of a node, a workload or a Service. related: other objects, by what they are."""

    now: float
    events: list[Document] = []
    why: Document | None = None
    pods: list[Document] = []
    related: dict[str, list[Document]] = {}


Lines = list[str]
Section = Callable[[Document, Around], Lines]


def describe(document: Document, around: Around, section: Section | None) -> str:
    lines = head(document, around.now) + (section or everything)(document, around)
    lines += conditions(document, around.now) + events(around.events, around.now)
    if around.why:
        lines.append(pair("Why", why(around.why)))
    return "\n".join(lines) + "\n"


def pair(name: str, value: Any, *, indent: int = 0, width: int = 18) -> str:
    """`Name:   value`."""
    left = f"{' ' * indent}{name}:"
    return f"{left.ljust(width + indent)}{value}".rstrip() if value not in (None, "") else left


def head(document: Document, now: float) -> Lines:
    meta = document["metadata"]
    lines = [pair("Name", meta["name"])]
    if meta.get("namespace"):
        lines.append(pair("Namespace", meta["namespace"]))
    lines += mapping("Labels", meta.get("labels"))
    annotations = {name: value for name, value in (meta.get("annotations") or {}).items() if name != LAST_APPLIED}
    lines += mapping("Annotations", annotations, separator=": ")
    lines.append(pair("Kind", f"{document['kind']} ({document['apiVersion']})"))
    for owner in meta.get("ownerReferences") or ():
        lines.append(pair("Controlled By" if owner.get("controller") else "Owned By", f"{owner['kind']}/{owner['name']}"))
    lines.append(pair("Created", since(meta.get("creationTimestamp"), now)))
    if meta.get("deletionTimestamp"):
        lines.append(pair("Being Deleted", f"its time to end {_until(meta['deletionTimestamp'], now)}"))
        if meta.get("finalizers"):
            lines.append(pair("Finalizers", ", ".join(meta["finalizers"])))
    return lines


def _until(text: str, now: float) -> str:
    left = parse_rfc3339(text) - now
    return f"is over in {age(left)}" if left > 0 else f"has been over for {age(-left)}"


def since(text: str | None, now: float) -> str:
    """`2026-01-01T00:00:00Z (5m ago)`."""
    if not text:
        return "<unknown>"
    return f"{text} ({age(now - parse_rfc3339(text))} ago)"


def age(seconds: float) -> str:
    """As kubectl shortens a duration: two units at the most."""
    left = int(max(0.0, seconds))
    for limit, unit, size, lower, part in (
        (120, "s", 1, "", 0), (10 * 60, "m", 60, "s", 1), (3 * 3600, "m", 60, "", 0), (8 * 3600, "h", 3600, "m", 60),
        (48 * 3600, "h", 3600, "", 0), (8 * 86400, "d", 86400, "h", 3600), (2 * 365 * 86400, "d", 86400, "", 0),
    ):  # fmt: skip
        if left < limit:
            rest = (left % size) // part if part else 0
            return f"{left // size}{unit}" + (f"{rest}{lower}" if rest else "")
    return f"{left // (365 * 86400)}y"


def mapping(name: str, values: Document | None, *, separator: str = "=") -> Lines:
    """Each on a line of its own, in order."""
    if not values:
        return [pair(name, NONE)]
    texts = [f"{key}{separator}{' '.join(str(value).split())}" for key, value in sorted(values.items())]
    return [pair(name if not i else "", text) if not i else f"{' ' * 18}{text}" for i, text in enumerate(texts)]


def titled(field: str) -> str:
    """`podCIDR` as `Pod CIDR`."""
    words = _WORDS.sub(" ", field)
    return words[:1].upper() + words[1:]


def everything(document: Document, around: Around) -> Lines:
    """All fields, as they are."""
    lines: Lines = []
    for name, value in document.items():
        if name not in ("apiVersion", "kind", "metadata"):
            if name == "status" and isinstance(value, dict):
                value = {field: part for field, part in value.items() if field != "conditions"}
            lines += field_lines(name, value, 0)
    return lines


def field_lines(name: str, value: Any, indent: int) -> Lines:
    title = titled(name)
    if isinstance(value, dict):
        if not value:
            return []
        inner = [line for key, part in value.items() for line in field_lines(key, part, indent + STEP)]
        return [f"{' ' * indent}{title}:", *inner]
    if isinstance(value, list):
        if not any(isinstance(part, dict | list) for part in value):
            return [pair(title, ", ".join(map(_text, value)) or NONE, indent=indent)]
        lines = [f"{' ' * indent}{title}:"]
        for part in value:
            inner = [f"{' ' * (indent + 2 * STEP)}{_text(part)}"]
            if isinstance(part, dict):
                inner = [line for key, one in part.items() for line in field_lines(key, one, indent + 2 * STEP)]
            if inner:
                lines += [f"{' ' * (indent + STEP)}- {inner[0].lstrip()}", *inner[1:]]
        return lines
    return [pair(title, _text(value), indent=indent)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    lines = str(value).splitlines()
    return str(value) if len(lines) <= 1 else f"{lines[0]} (and {len(lines) - 1} lines more)"


def table(title: str, header: list[str], rows: list[list[str]]) -> Lines:
    """Indented, below its title."""
    if not rows:
        return [pair(title, NONE)]
    rule = ["-" * len(name) for name in header]
    layout = Layout([header, *rows])
    return [f"{title}:", *(f"  {layout.line(row)}" for row in (header, rule, *rows))]


def conditions(document: Document, now: float) -> Lines:
    found = [each for each in (document.get("status") or {}).get("conditions") or () if isinstance(each, dict)]
    if not found:
        return []
    rows = []
    for each in found:
        changed = each.get("lastTransitionTime")
        moment = age(now - parse_rfc3339(changed)) if changed else NONE
        message = " ".join(each.get("message", "").split())
        rows.append([each.get("type", ""), each.get("status", ""), moment, each.get("reason", ""), message])
    return table("Conditions", ["Type", "Status", "Since", "Reason", "Message"], rows)


def events(found: list[Document], now: float) -> Lines:
    rows = []
    for each in sorted(found, key=_last_seen):
        count, last = each.get("count") or 1, age(now - _last_seen(each))
        first = each.get("firstTimestamp")
        moment = f"{last} (x{count} over {age(now - parse_rfc3339(first))})" if count > 1 and first else last
        source = (each.get("source") or {}).get("component") or each.get("reportingComponent", "")
        rows.append([each.get("type", ""), each.get("reason", ""), moment, source, " ".join(each.get("message", "").split())])
    return table("Events", ["Type", "Reason", "Age", "From", "Message"], rows)


def _last_seen(event: Document) -> float:
    text = event.get("lastTimestamp") or (event.get("series") or {}).get("lastObservedTime") or event.get("eventTime")
    return parse_rfc3339(text or event["metadata"]["creationTimestamp"])


def why(step: Document) -> str:
    """The newest step of the object's chain of causes."""
    changed = f" ({', '.join(step['changed'])})" if step.get("changed") else ""
    return f"{step['verb']}{changed} by {step['actor']} at {rfc3339(step['time'])}: {step['why'] or step['rule']}"
