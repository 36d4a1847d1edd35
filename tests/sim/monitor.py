"""What must hold at every moment, checked at each revision of the store and each action of a runtime.

    no pod (uid) runs twice       neither on two hosts nor in two live sandboxes nor as two attempts of one container
    at most one means one         no two pods of one at-most-one Deployment run, on whatever hosts, unless a host was fenced by mistake
    nothing acknowledged is lost  a master that comes back finds exactly what was visible before, plus at most what was under way
    the right writer              each kind of change was made by the part whose business it is, and says why

The monitor knows the cluster only from the store's changes and the runtimes' operations; it asks none of the code it judges.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from master.store.contract import Change, Store
from tests.sim.trace import Trace

Document = dict[str, Any]
SINGLE = "steersman.io/at-most-one"


class Violation(AssertionError):
    """Something that must never happen has happened."""


class Runtime(Protocol):
    def running(self) -> list[tuple[str, str]]:
        """(pod uid, container) of all that runs."""

    def live_sandboxes(self) -> list[str]:
        """The pod uids of all sandboxes that are ready."""


class Pod(msgspec.Struct):
    """What the monitor remembers of a pod, dead or alive."""

    name: str
    app: str
    single: bool


def _expect(condition: object, why: str) -> None:
    if not condition:
        raise Violation(why)


class Monitor:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.runtimes: dict[str, Runtime] = {}
        self.pods: dict[str, Pod] = {}
        self.present: dict[str, tuple[int, bytes]] = {}
        self.revision = 0
        self.forgiven: dict[str, None] = {}
        """Pods that ran on a host when the operator declared it down: what they do besides is on the operator."""
        self.violation: Violation | None = None
        self.failed = asyncio.Event()

    # ------------------------------------------------------------------ store

    def changed(self, change: Change) -> None:
        """Judge one revision."""
        cause = change.cause
        self.trace.add(f"rev {change.revision} {change.key} {cause.actor} {cause.rule} {'gone' if change.value is None else len(change.value)}")
        _expect(change.revision == self.revision + 1, f"revision {change.revision} follows {self.revision}")
        self.revision = change.revision
        _expect(cause.actor and cause.rule, f"{change.key}@{change.revision} has no cause")
        _expect(cause.revision is None or cause.revision < change.revision, f"{change.key}@{change.revision} reacts to the future: {cause}")
        if change.value is None:
            self.present.pop(change.key, None)
        else:
            self.present[change.key] = (change.revision, change.value)
        resource = change.key.partition("/")[0]
        if resource == "events":
            return
        old = None if change.previous is None else msgspec.json.decode(change.previous)
        new = None if change.value is None else msgspec.json.decode(change.value)
        if resource == "pods" and new is not None:
            self._remember(new)
        for what in _changes(resource, old, new):
            allowed = WRITERS.get(what)
            _expect(
                allowed is None or any(cause.actor.startswith(one) for one in allowed),
                f"{change.key}@{change.revision}: {what} written by {cause.actor} ({cause.rule}); it is the business of {allowed}",
            )
        if resource == "pods":
            self._pod_changed(change, old, new)

    def _remember(self, document: Document) -> None:
        meta = document["metadata"]
        self.pods[meta["uid"]] = Pod(
            meta["name"], (meta.get("labels") or {}).get("app", meta["name"]), (meta.get("annotations") or {}).get(SINGLE) == "true"
        )

    def _pod_changed(self, change: Change, old: Document | None, new: Document | None) -> None:
        """A pod is bound once; and it is removed only when its containers are gone, or by force."""
        if old is None:
            return
        node = old.get("spec", {}).get("nodeName")
        if new is not None and new["metadata"]["uid"] == old["metadata"]["uid"]:
            _expect(node in (None, new["spec"].get("nodeName")), f"{change.key}@{change.revision} moved from {node}")
        if new is None and node and change.cause.rule == "PodGone":
            uid = old["metadata"]["uid"]
            running = [name for name, runtime in self.runtimes.items() if any(uid == one for one, _ in runtime.running())]
            _expect(not running, f"{change.key}@{change.revision} was confirmed as gone and runs on {running}")

    def recovered(self, store: Store, revision: int) -> None:
        """A master came back with this store; `revision` was visible before. Compares everything up to it."""
        _expect(store.revision >= revision, f"the store came back at {store.revision}, {revision} was acknowledged")
        found = {record.key: (record.revision, record.value) for record in store.list("")}
        later = {key for key, (at, _) in found.items() if at > revision}
        for key, standing in self.present.items():
            if key in later:
                continue
            if key not in found and store.revision > revision:
                continue  # deleted by what was under way and reached the disk; the watch will show it
            _expect(found.get(key) == standing, f"{key} was acknowledged at {standing[0]} and is not what came back")
        for key, standing in found.items():
            _expect(key in later or key in self.present, f"{key}@{standing[0]} came back from the dead")

    # --------------------------------------------------------------- runtimes

    def acted(self, host: str, operation: str, uid: str) -> None:
        """A runtime did something: judge what runs now. A violation is kept, not raised: it is not the agent's to catch."""
        self.trace.add(f"run {host} {operation} {uid}")
        try:
            if operation == "start_container":
                self._started(host, uid)
            elif operation == "create_sandbox":
                count = self.runtimes[host].live_sandboxes().count(uid)
                _expect(count <= 1, f"pod {self._name(uid)} has {count} live sandboxes on {host}")
        except Violation as error:
            self.violation = self.violation or error
            self.failed.set()

    def _started(self, host: str, uid: str) -> None:
        own = [container for one, container in self.runtimes[host].running() if one == uid]
        _expect(len(own) == len(set(own)), f"pod {self._name(uid)} runs a container twice on {host}: {own}")
        pod = self.pods.get(uid)
        for other, runtime in self.runtimes.items():
            for one, _ in runtime.running():
                if other != host:
                    _expect(one != uid, f"pod {self._name(uid)} runs on {host} and on {other}")
                known = self.pods.get(one)
                if pod is not None and pod.single and known is not None and known.single and one not in (uid, *self.forgiven):
                    _expect(known.app != pod.app, f"{pod.app} is at most one: {pod.name} starts on {host}, {known.name} runs on {other}")

    def _name(self, uid: str) -> str:
        pod = self.pods.get(uid)
        return f"{pod.name} ({uid})" if pod is not None else uid


DEPLOYMENTS, REPLICASETS = "system:controller:deployment-controller", "system:controller:replicaset-controller"
COLLECTOR, SCHEDULER = "system:controller:generic-garbage-collector", "system:kube-scheduler"
LIFECYCLE, IPAM = "system:controller:node-lifecycle-controller", "system:controller:node-ipam-controller"
DISPATCH, USER = ("system:dispatch", "system:node:", "system:bootstrap:"), "user"

WRITERS: dict[str, tuple[str, ...]] = {
    "deployments.apps created": (USER,),
    "deployments.apps spec": (USER,),
    "deployments.apps status": (DEPLOYMENTS,),
    "replicasets.apps created": (DEPLOYMENTS,),
    "replicasets.apps spec": (DEPLOYMENTS,),
    "replicasets.apps status": (REPLICASETS,),
    "pods created": (REPLICASETS,),
    "pods spec": (SCHEDULER,),
    "pods status": (SCHEDULER, *DISPATCH),
    "nodes created": DISPATCH,
    "nodes taints": (LIFECYCLE, USER),
    "nodes podCIDR": (IPAM,),
    "nodes status": DISPATCH,
}
"""What changed, and whose business that is, by the beginning of the actor's name. What is not named may be anybody's."""


def _changes(resource: str, old: Document | None, new: Document | None) -> Iterable[str]:
    if new is None:
        return
    if old is None or old["metadata"]["uid"] != new["metadata"]["uid"]:
        yield f"{resource} created"
        return
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if resource == "nodes":
        for field in ("taints", "podCIDR"):
            if before.get(field) != after.get(field):
                yield f"nodes {field}"
    elif before != after:
        yield f"{resource} spec"
    if resource == "pods" and before != after:
        return  # binding writes the condition PodScheduled with the node
    if old.get("status") != new.get("status"):
        yield f"{resource} status"
