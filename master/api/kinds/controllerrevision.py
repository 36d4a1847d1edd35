"""ControllerRevision: a template that once was, kept for going back. Its data never change."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, count


def _controller(document: Document, now: float) -> str:
    for owner in document["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            group = owner.get("apiVersion", "").rpartition("/")[0]
            return f"{owner.get('kind', '').lower()}{'.' + group if group else ''}/{owner.get('name', '')}"
    return "<none>"


COLUMNS = (
    NAME,
    Column("Controller", _controller, description="Whose template it was."),
    count("Revision", "revision", "Its number: larger is newer."),
    AGE,
)


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new) + rules.not_negative("revision", new.get("revision"))
    if new.get("data") is None:
        found.append(rules.required("data", "data is mandatory"))
    return found + (rules.immutable("data", new.get("data"), old.get("data")) if old is not None else [])
