"""A cluster of plain documents, for tests of reconciles: what they read, and what their changes make of it.

`Cluster` answers as the door's `views` do (typed, ordered by key, resourceVersion set) and applies changes as the door
would, as far as reconciles can tell: merge patches, generateName, generation, revisions, guards. Pods are deleted at once
or, with `graceful`, wait to be confirmed. It has no admission, defaults or validation; those have tests of their own.
"""

from __future__ import annotations

import copy
from typing import Any

import msgspec

from common.clock import rfc3339
from common.errors import AlreadyExists, Conflict, NotFound
from master.api import registry
from master.api.catalog import Catalog
from master.api.contract import CreateObject, DeleteObject, EmitEvent, ObjectChange, PatchObject, Ref
from master.controllers.view import ReadView

Document = dict[str, Any]


class Cluster:
    def __init__(self, *documents: Document, now: float = 1_700_000_000.0, graceful: bool = False) -> None:
        self.now = now
        self.graceful = graceful
        self.revision = 0
        self.documents: dict[Ref, Document] = {}
        self.events: list[EmitEvent] = []
        self.view = ReadView(self, Catalog())
        for document in documents:
            self.add(document)

    # what the read view asks

    def get(self, view: type, ref: Ref) -> Any:
        document = self.documents.get(ref)
        return None if document is None else msgspec.convert(document, view)

    def list(self, view: type, resource: str, namespace: str = "") -> list[Any]:
        refs = sorted((r for r in self.documents if r.resource == resource and namespace in ("", r.namespace)), key=lambda r: r.key)
        return [self.get(view, ref) for ref in refs]

    # what tests do

    def add(self, document: Document) -> Ref:
        document = copy.deepcopy(document)
        resource = registry.BY_KIND[document["apiVersion"], document["kind"]]
        metadata = document["metadata"]
        self.revision += 1
        if "name" not in metadata:
            metadata["name"] = f"{metadata.pop('generateName')}{self.revision:05d}"
        if resource.namespaced:
            metadata.setdefault("namespace", "default")
        metadata.setdefault("uid", f"uid-{self.revision}")
        metadata.setdefault("creationTimestamp", rfc3339(self.now))
        metadata.setdefault("generation", 1)
        metadata["resourceVersion"] = str(self.revision)
        ref = Ref(resource.key, metadata["name"], metadata.get("namespace", ""))
        if ref in self.documents:
            raise AlreadyExists(f"{ref.key} already exists")
        self.documents[ref] = document
        self.view.note(ref)
        return ref

    def patch(self, ref: Ref, patch: Document) -> None:
        document = self.documents[ref]
        before = copy.deepcopy(document.get("spec"))
        merge(document, patch)
        if document.get("spec") != before:
            document["metadata"]["generation"] += 1
        self.revision += 1
        document["metadata"]["resourceVersion"] = str(self.revision)
        self.view.note(ref)

    def remove(self, ref: Ref) -> None:
        self.revision += 1
        del self.documents[ref]
        self.view.note(ref)

    def apply(self, change: ObjectChange) -> None:
        if isinstance(change, EmitEvent):
            self.events.append(change)
        elif isinstance(change, CreateObject):
            self.add(change.document)
        elif isinstance(change, PatchObject):
            self._guard(change)
            self.patch(change.ref, change.patch)
        else:
            self._guard(change)
            self._delete(change)

    def _delete(self, change: DeleteObject) -> None:
        document = self.documents[change.ref]
        if self.graceful and change.ref.resource == "pods" and change.grace_s != 0 and document["spec"].get("nodeName"):
            if "deletionTimestamp" not in document["metadata"]:
                self.patch(change.ref, {"metadata": {"deletionTimestamp": rfc3339(self.now)}})
            return
        self.remove(change.ref)

    def _guard(self, change: PatchObject | DeleteObject) -> None:
        document = self.documents.get(change.ref)
        if document is None:
            raise NotFound(f"{change.ref.key} not found")
        metadata = document["metadata"]
        if change.uid and change.uid != metadata["uid"]:
            raise Conflict(f"{change.ref.key} is another object now")
        if change.expected and str(change.expected) != metadata["resourceVersion"]:
            raise Conflict(f"{change.ref.key} was changed meanwhile")

    def run(self, controller: Any, key: Ref) -> list[ObjectChange]:
        """One pass of a controller; its changes, which have been applied."""
        changes = list(controller.reconcile(self.view, key, self.now).changes)
        for change in changes:
            self.apply(change)
        return changes


def merge(document: Document, patch: Document) -> None:
    for key, value in patch.items():
        if value is None:
            document.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(document.get(key), dict):
                document[key] = {}
            merge(document[key], value)
        else:
            document[key] = copy.deepcopy(value)


# documents


def pod(name: str, **options: Any) -> Document:
    """options: node, phase, ready, ready_at, labels, annotations, owner (a document), deleted, created, restarts, uid,
    tolerations."""
    metadata: Document = {"name": name, "labels": options.get("labels", {"app": "web"})}
    for option, field in (("uid", "uid"), ("annotations", "annotations"), ("deleted", "deletionTimestamp"), ("created", "creationTimestamp"),
                          ("finalizers", "finalizers"), ("grace", "deletionGracePeriodSeconds")):  # fmt: skip
        if options.get(option) is not None:
            metadata[field] = options[option]
    if options.get("owner") is not None:
        metadata["ownerReferences"] = [reference(options["owner"])]
    spec: Document = {"containers": [{"name": "main", "image": "web"}]}
    if options.get("node"):
        spec["nodeName"] = options["node"]
    if options.get("tolerations"):
        spec["tolerations"] = options["tolerations"]
    status: Document = {"phase": options.get("phase", "Running" if options.get("ready") else "Pending")}
    if options.get("ready"):
        status["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": options.get("ready_at", "2023-01-01T00:00:00Z")}]
    if options.get("restarts"):
        status["containerStatuses"] = [{"name": "main", "restartCount": options["restarts"]}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def reference(owner: Document, *, controller: bool = True, block: bool = True) -> Document:
    found = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    if controller:
        found["controller"] = True
    if block:
        found["blockOwnerDeletion"] = True
    return found


def template(**annotations: str) -> Document:
    metadata: Document = {"labels": {"app": "web"}}
    if annotations:
        metadata["annotations"] = {key.replace("__", "/").replace("_", "."): value for key, value in annotations.items()}
    return {"metadata": metadata, "spec": {"containers": [{"name": "main", "image": "web:1"}]}}


SINGLE = {"metadata": {"labels": {"app": "web"}, "annotations": {"steersman.io/at-most-one": "true"}},
          "spec": {"containers": [{"name": "main", "image": "web:1"}]}}  # fmt: skip


def replica_set(name: str = "web", replicas: int = 3, **spec: Any) -> Document:
    return {
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "uid": f"{name}-uid"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(), **spec}, "status": {"replicas": 0},
    }  # fmt: skip


def deployment(name: str = "web", replicas: int = 3, **spec: Any) -> Document:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "uid": f"{name}-uid", "generation": 1},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(),
            "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}, **spec,
        },
        "status": {},
    }  # fmt: skip


def node(name: str, ready: str = "True", **options: Any) -> Document:
    """options: taints, since (lastTransitionTime of Ready), unschedulable, cidr, disk_pressure."""
    spec: Document = {key: options[option] for option, key in (("taints", "taints"), ("unschedulable", "unschedulable"), ("cidr", "podCIDR")) if option in options}
    conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": options.get("since", "2023-01-01T00:00:00Z")}] if ready else []
    conditions += [{"type": "DiskPressure", "status": "True"}] if options.get("disk_pressure") else []
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec, "status": {"conditions": conditions}}
