"""Pod documents for tests of the agent."""

from __future__ import annotations

import msgspec

from agent import assignment
from common.objects import pod as pods


def document(name: str = "web", **changes: object) -> dict:
    """A pod with one container `app`; keywords replace fields of its spec; `meta`, `status` add to those parts."""
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": {"app": name}}
    meta.update(changes.pop("meta", {}))
    status = changes.pop("status", {})
    spec = {
        "nodeName": "host-1",
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "containers": [container("app")],
    }
    spec.update(changes)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def container(name: str, *command: str, **changes: object) -> dict:
    made = {"name": name, "image": "example/app:1", "imagePullPolicy": "IfNotPresent"}
    if command:
        made["command"] = list(command)
    made.update(changes)
    return made


def view(made: dict) -> pods.Pod:
    return msgspec.convert(made, pods.Pod)


def encoded(made: dict) -> bytes:
    return msgspec.json.encode(made)


def assigned(made: dict, generation: int = 1, *, live: bool = True) -> assignment.Assignment:
    return assignment.decode(made["metadata"]["uid"], generation, encoded(made), live=live)


def deleted(made: dict, grace_s: int = 30) -> dict:
    return {
        **made,
        "metadata": {**made["metadata"], "deletionTimestamp": "2027-01-15T08:00:00Z", "deletionGracePeriodSeconds": grace_s},
    }
