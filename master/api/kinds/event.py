"""Event: what happened to an object, for people. Columns, defaults, field selectors, and the form of events.k8s.io.

Events expire (the store's `expires`); `master/api/events.py` writes those of our own components.
"""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import Column, since

DEFAULT = "default"
MAX_WORD, MAX_NOTE = 128, 1024


def _regarding(document: Document) -> Document:
    return document.get("involvedObject") or {}


def _last_seen(document: Document, now: float) -> str:
    last = document.get("lastTimestamp") or document.get("eventTime") or document.get("firstTimestamp")
    return since(last or document["metadata"].get("creationTimestamp"), now)


def _first_seen(document: Document, now: float) -> str:
    return since(document.get("firstTimestamp") or document.get("eventTime"), now)


def _source(document: Document) -> str:
    source = document.get("source") or {}
    component = source.get("component") or document.get("reportingComponent") or ""
    return f"{component}, {source['host']}" if source.get("host") else component


def _object(document: Document) -> str:
    return f"{_regarding(document).get('kind', '').lower()}/{_regarding(document).get('name', '')}"


COLUMNS = (
    Column("Last Seen", _last_seen, description="When this was last seen."),
    Column("Type", lambda d, now: d.get("type", ""), description="Normal or Warning."),
    Column("Reason", lambda d, now: d.get("reason", ""), description="Why, in one word."),
    Column("Object", lambda d, now: _object(d), description="The object this is about."),
    Column("Subobject", lambda d, now: _regarding(d).get("fieldPath", ""), priority=1, description="The part of it."),
    Column("Source", lambda d, now: _source(d), priority=1, description="Who says it."),
    Column("Message", lambda d, now: (d.get("message") or "").strip(), description="What happened."),
    Column("First Seen", _first_seen, priority=1, description="When this was first seen."),
    Column("Count", lambda d, now: str(d.get("count") or 1), priority=1, description="How often."),
    Column("Name", lambda d, now: d["metadata"]["name"], format="name", priority=1, description="The event's name."),
)


def default(document: Document) -> None:
    if not document.get("type"):
        document["type"] = "Normal"


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    """The stored form, however it came: an Event stands in the namespace of what it is about."""
    found, namespace = rules.metadata(new), _regarding(new).get("namespace")
    own = new["metadata"].get("namespace")
    if namespace != own and (namespace or own not in ("", DEFAULT)):  # what has no namespace is told of in `default`
        found.append(rules.invalid("involvedObject.namespace", namespace or "", "does not match event.namespace"))
    return found


def validate_v1(new: Document, old: Document | None) -> list[FieldCause]:
    """What events.k8s.io/v1 asks for beyond that, when an Event is made: on the stored form, in its own names."""
    if old is not None:
        return []
    found = [] if new.get("eventTime") else [rules.required("eventTime")]
    needed = {"reportingController": "reportingComponent", "reportingInstance": "reportingInstance", "action": "action", "reason": "reason"}
    for name, stored in needed.items():
        value = new.get(stored) or ""
        if not value:
            found.append(rules.required(name))
        elif len(value) > MAX_WORD and name != "reportingController":
            found.append(rules.invalid(name, "", f"can have at most {MAX_WORD} characters"))
    if len(new.get("message") or "") > MAX_NOTE:
        found.append(rules.invalid("note", "", f"can have at most {MAX_NOTE} characters"))
    if new.get("type") not in ("Normal", "Warning"):
        found.append(rules.invalid("type", "", f"has invalid value: {new.get('type')}"))
    return found


def fields(document: Document) -> dict[str, str]:
    about = _regarding(document)
    return {
        "involvedObject.kind": about.get("kind", ""),
        "involvedObject.namespace": about.get("namespace", ""),
        "involvedObject.name": about.get("name", ""),
        "involvedObject.uid": about.get("uid", ""),
        "involvedObject.apiVersion": about.get("apiVersion", ""),
        "involvedObject.resourceVersion": about.get("resourceVersion", ""),
        "involvedObject.fieldPath": about.get("fieldPath", ""),
        "reason": document.get("reason", ""),
        "reportingComponent": document.get("reportingComponent", ""),
        "source": (document.get("source") or {}).get("component", ""),
        "type": document.get("type", ""),
    }


RENAMED = {
    "involvedObject": "regarding", "message": "note", "reportingComponent": "reportingController", "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp", "lastTimestamp": "deprecatedLastTimestamp", "source": "deprecatedSource",
}  # fmt: skip
"""What core/v1 calls the fields that events.k8s.io/v1 calls otherwise; all else has one name. Stored is the core form."""
_BACK = {new: old for old, new in RENAMED.items()}


def to_events_v1(document: Document) -> Document:
    return {**{RENAMED.get(name, name): value for name, value in document.items()}, "apiVersion": "events.k8s.io/v1"}


def to_core(document: Document) -> Document:
    return {**{_BACK.get(name, name): value for name, value in document.items()}, "apiVersion": "v1"}


def fields_v1(document: Document) -> dict[str, str]:
    """The same selectors under the names of events.k8s.io, on the stored form."""
    found = fields(document)
    about = {f"regarding.{name.partition('.')[2]}": value for name, value in found.items() if name.startswith("involvedObject.")}
    return {**about, "reason": found["reason"], "reportingController": found["reportingComponent"], "type": found["type"]}
