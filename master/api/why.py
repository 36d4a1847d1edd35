"""The causal chain: why an object is as it is, or why it is gone.

Every write carries its cause, and a cause names the revision it reacted to. So the chain is a walk over the store's own history:

    pod deleted ─► pod marked ◄─ TaintEviction ─► node tainted ◄─ silence ─► node Unknown
      (no revision: what came before on the same object)     (no revision, another object: came from outside, the end)

`step` and `previous_of` are pure; `chain` and `history` fetch. A chain ends at a request of a user, at what came from
outside the cluster, at the creation of the object, or where history has been compacted away.
"""

from __future__ import annotations

from collections.abc import Sequence

from master.api import causes, difference, documents
from master.api.contract import Document
from master.api.registry import BY_KEY
from master.store.contract import Change, Store

MAX_PATHS = 12
_FOLLOWS = ("metadata.generation", "metadata.deletionGracePeriodSeconds", "metadata.managedFields")
"""What changes only along with something else that says more."""


def step(change: Change) -> Document:
    """One change, for people: `object` is `pods/web` with its namespace apart; `changed` is bounded."""
    resource, namespace, name = change.key.split("/", 2)
    known = BY_KEY.get(resource)
    old = None if change.previous is None else documents.decode(change.previous)
    new = None if change.value is None else documents.decode(change.value)
    verb = "deleted" if new is None else "created" if old is None else "updated"
    changed = [path for path in difference.paths(old, new) if path not in _FOLLOWS] if verb == "updated" else []
    return {
        "time": change.time,
        "revision": change.revision,
        "key": change.key,
        "object": f"{known.singular if known is not None else resource}/{name}",
        "namespace": namespace,
        "verb": verb,
        "changed": changed[:MAX_PATHS] + (["…"] if len(changed) > MAX_PATHS else []),
        "actor": change.cause.actor,
        "rule": change.cause.rule,
        "why": change.cause.why,
        "caused_by": change.cause.revision,
    }


def previous_of(change: Change, history: Sequence[Change]) -> Change | None:
    """The change before this one in the life of the same object; None at its creation, or when it is not kept.

    Of a row of reports under one rule (a pod that restarts again and again) the newest stands for all.
    """
    for index in range(len(history) - 1, -1, -1):
        older = history[index]
        if older.revision >= change.revision:
            continue
        if change.previous is None or older.value is None:
            return None
        if older.cause.rule != change.cause.rule or older.cause.revision is not None:
            return older
        change = older
    return None


async def chain(store: Store, key: str, *, limit: int) -> list[Document]:
    """From the newest change of `key` back to what began it; empty when nothing of it is kept."""
    history = await store.history(key)
    change = history[-1] if history else None
    steps: list[Document] = []
    while change is not None and len(steps) < limit:
        steps.append(step(change))
        cause = change.cause
        if cause.revision is not None and cause.revision < change.revision:
            change = await store.change(cause.revision)
        elif cause.rule != causes.REQUEST and change.key == key:
            change = previous_of(change, history)
        else:
            change = None
    return steps


async def history(store: Store, key: str, *, limit: int) -> list[Document]:
    """The kept changes of one object, and of those that had its name before; oldest first, the newest `limit`."""
    return [step(change) for change in (await store.history(key))[-limit:]]
