"""Who owns which fields: `metadata.managedFields`, between its stored form and the one that is worked with.

Pure. An entry is told from others by manager, operation and subresource, an Update also by its apiVersion: what a manager applies
is one entry, whatever version it speaks. Entries of updates are bounded: beyond MAX_UPDATERS the oldest are poured together.
"""

from __future__ import annotations

from typing import Any

import msgspec

from master.api.apply import sets
from master.api.apply.sets import FieldSet

APPLY, UPDATE = "Apply", "Update"
MAX_UPDATERS = 10
ANCIENT, BEFORE_FIRST_APPLY, UNKNOWN = "ancient-changes", "before-first-apply", "unknown"

Entry = dict[str, Any]


class Manager(msgspec.Struct, frozen=True, order=True):
    """What identifies an entry. api_version: of an Update only."""

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""

    def text(self) -> str:
        """As Kubernetes names a manager in a conflict."""
        said = msgspec.json.encode(self.name).decode()
        if self.subresource:
            said += f" with subresource {msgspec.json.encode(self.subresource).decode()}"
        return f"{said} using {self.api_version}" if self.operation == UPDATE else said


class Owned(msgspec.Struct, frozen=True):
    """time: of the last change, RFC 3339; "" when it is not known. api_version: what the fields are of."""

    fields: FieldSet
    time: str
    api_version: str


Managers = dict[Manager, Owned]


def manager(name: str, operation: str, *, api_version: str, subresource: str = "") -> Manager:
    return Manager(name or UNKNOWN, operation, api_version if operation == UPDATE else "", subresource)


def decode(entries: Any, *, trusted: bool = True) -> Managers:
    """trusted: the entries are ours. Else what a client sent is checked; raises ValueError when it is not what it should be."""
    found: Managers = {}
    for entry in entries or ():
        if not trusted:
            _check(entry)
        fields = entry["fieldsV1"] if trusted else sets.parse(entry.get("fieldsV1") or {})
        version = entry.get("apiVersion", "")
        who = manager(entry.get("manager", ""), entry["operation"], api_version=version, subresource=entry.get("subresource", ""))
        if fields:
            found[who] = Owned(fields, entry.get("time", ""), version)
    return found


def _check(entry: Any) -> None:
    if not isinstance(entry, dict) or entry.get("operation") not in (APPLY, UPDATE) or entry.get("fieldsType") != "FieldsV1":
        raise ValueError("an entry of managedFields needs an operation (Apply or Update) and fieldsType FieldsV1")
    if not all(isinstance(entry.get(field, ""), str) for field in ("manager", "apiVersion", "time", "subresource")):
        raise ValueError("manager, apiVersion, time and subresource are strings")


def encode(managers: Managers) -> list[Entry]:
    """Applied before updated, each by time, then by name: the order in which Kubernetes lists them."""
    ordered = sorted(managers.items(), key=lambda pair: (pair[0].operation, pair[1].time, pair[0]))
    return [_entry(who, owned) for who, owned in ordered]


def _entry(who: Manager, owned: Owned) -> Entry:
    entry: Entry = {"manager": who.name, "operation": who.operation, "apiVersion": owned.api_version}
    if owned.time:
        entry["time"] = owned.time
    entry["fieldsType"], entry["fieldsV1"] = "FieldsV1", owned.fields
    if who.subresource:
        entry["subresource"] = who.subresource
    return entry


def is_reset(entries: Any) -> bool:
    """A client's way to say that nobody is to own anything: an empty list, or one empty entry."""
    return entries == [] or entries == [{}]


def capped(managers: Managers) -> Managers:
    """With at most MAX_UPDATERS entries of updates: the oldest of one version become one, under a name of its own."""
    updaters = sorted((who for who in managers if who.operation == UPDATE), key=lambda who: (managers[who].time, who))
    over = len(updaters) - MAX_UPDATERS
    if over <= 0:
        return managers
    left, first = dict(managers), {}
    for who in updaters:
        if over <= 0:
            break
        if who.api_version not in first:
            first[who.api_version] = who
            continue
        bucket = manager(ANCIENT, UPDATE, api_version=who.api_version)
        if bucket not in left:
            left[bucket] = left.pop(first[who.api_version])
        poured = left.pop(who)
        left[bucket] = Owned(sets.union(left[bucket].fields, poured.fields), poured.time, poured.api_version)
        over -= 1
    return left


def same_but_for_times(left: list[Entry] | None, right: list[Entry] | None) -> bool:
    def timeless(entries: list[Entry] | None) -> list[Entry]:
        return sorted(({**entry, "time": ""} for entry in entries or ()), key=lambda e: (e.get("manager", ""), e["operation"],
                      e.get("apiVersion", ""), e.get("subresource", "")))  # fmt: skip

    return timeless(left) == timeless(right)
