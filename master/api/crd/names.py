"""Which definitions may have the names they ask for, and what their status says of it. Pure.

Within a group the first to ask has a name: by age, then by name. What the registry's own resources are called is taken. A definition
whose names are accepted is established at once, for there is nothing else to wait for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from common.objects.customresource import CustomResourceDefinition, Names
from master.api.contract import Document
from master.api.registry import Resource


class Verdict(msgspec.Struct, frozen=True):
    """reason "" when the names are accepted; else Kubernetes' own, with the name that is taken."""

    definition: CustomResourceDefinition
    reason: str = ""
    taken: str = ""

    @property
    def accepted(self) -> bool:
        return not self.reason


def judge(definitions: Iterable[CustomResourceDefinition], own: Sequence[Resource]) -> list[Verdict]:
    """One for each, in the order in which they may choose."""
    words: dict[str, set[str]] = {}
    kinds: dict[str, set[str]] = {}
    for resource in own:
        words.setdefault(resource.group, set()).update((resource.plural, resource.singular, *resource.short_names))
        kinds.setdefault(resource.group, set()).update((resource.kind, f"{resource.kind}List"))
    verdicts = []
    for definition in sorted(definitions, key=lambda d: (d.metadata.creation_timestamp, d.metadata.name)):
        group, names = definition.spec.group, definition.spec.names
        verdict = _verdict(definition, words.setdefault(group, set()), kinds.setdefault(group, set()))
        verdicts.append(verdict)
        if verdict.accepted:
            words[group] |= names.words
            kinds[group] |= {names.kind, names.list_kind}
    return verdicts


def _verdict(definition: CustomResourceDefinition, words: set[str], kinds: set[str]) -> Verdict:
    names = definition.spec.names
    asked = [("PluralConflict", names.plural, words), ("SingularConflict", names.singular, words)]
    asked += [("ShortNamesConflict", word, words) for word in names.short_names]
    asked += [("KindConflict", names.kind, kinds), ("ListKindConflict", names.list_kind, kinds)]
    for reason, word, taken in asked:
        if word in taken:
            return Verdict(definition, reason, word)
    return Verdict(definition)


def status(verdict: Verdict, now: str) -> Document | None:
    """What the definition's status has to become; None when it says so already. now: RFC 3339."""
    definition = verdict.definition
    if verdict.accepted:
        wanted = [
            _condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
            _condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
        ]
        accepted = definition.spec.names
    else:
        wanted = [
            _condition("NamesAccepted", "False", verdict.reason, f'"{verdict.taken}" is already in use'),
            _condition("Established", "False", "NotAccepted", "not all names are accepted"),
        ]
        accepted = definition.status.accepted_names
    if definition.metadata.deletion_timestamp is not None:
        wanted.append(_condition("Terminating", "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress"))
    stored = list(dict.fromkeys([*definition.status.stored_versions, definition.storage.name]))
    standing = {one.type: one for one in definition.status.conditions}
    same = all(
        (was := standing.get(c["type"])) is not None and (was.status, was.reason, was.message) == (c["status"], c["reason"], c["message"])
        for c in wanted
    )
    if same and accepted == definition.status.accepted_names and stored == list(definition.status.stored_versions):
        return None
    for condition in wanted:
        was = standing.get(condition["type"])
        kept = was is not None and was.status == condition["status"] and was.last_transition_time
        condition["lastTransitionTime"] = kept or now
    return {"conditions": wanted, "acceptedNames": _document(accepted), "storedVersions": stored}


def _condition(kind: str, value: str, reason: str, message: str) -> Document:
    return {"type": kind, "status": value, "reason": reason, "message": message}


def _document(names: Names) -> Document:
    """Null takes a name away that was accepted before: the status is written as a merge patch."""
    return {
        "plural": names.plural, "kind": names.kind, "singular": names.singular or None, "listKind": names.list_kind or None,
        "shortNames": list(names.short_names) or None, "categories": list(names.categories) or None,
    }  # fmt: skip
