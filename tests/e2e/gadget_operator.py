"""The operator of `test_operator.py`, as a user of kopf would write one: a Gadget is a Deployment of its size, and says how far that is.

Run by `kopf run`, with a kubeconfig of its own; it imports nothing of the project.
"""

from __future__ import annotations

from typing import Any

import kopf
from kubernetes import client, config

GROUP, VERSION, PLURAL = "example.test", "v1", "opgadgets"


@kopf.on.startup()
def begin(settings: kopf.OperatorSettings, **_: Any) -> None:
    config.load_kube_config()
    settings.persistence.finalizer = "example.test/gadget-operator"


def deployment(name: str, size: int) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"]}
    template = {"metadata": {"labels": {"gadget": name}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"made-by": "gadget-operator", "gadget": name}},
        "spec": {"replicas": size, "selector": {"matchLabels": {"gadget": name}}, "template": template},
    }  # fmt: skip


@kopf.on.create(GROUP, VERSION, PLURAL)
def created(body: kopf.Body, spec: kopf.Spec, name: str, namespace: str, **_: Any) -> dict[str, Any]:
    child = deployment(name, spec["size"])
    kopf.adopt(child)
    made = client.AppsV1Api().create_namespaced_deployment(namespace, child)
    kopf.info(body, reason="Made", message=f"a Deployment of {spec['size']}")
    return {"uid": made.metadata.uid}


@kopf.on.update(GROUP, VERSION, PLURAL, field="spec.size")
def resized(name: str, namespace: str, old: int, new: int, patch: kopf.Patch, **_: Any) -> None:
    client.AppsV1Api().patch_namespaced_deployment(name, namespace, {"spec": {"replicas": new}})
    patch.status["resized"] = f"{old} to {new}"


@kopf.on.delete(GROUP, VERSION, PLURAL)
def deleted(name: str, namespace: str, **_: Any) -> None:
    note = {"metadata": {"name": f"{name}-farewell"}, "data": {"gadget": name}}
    client.CoreV1Api().create_namespaced_config_map(namespace, note)


@kopf.on.event("apps", "v1", "deployments", labels={"made-by": "gadget-operator"})
def progressed(event: kopf.RawEvent, status: kopf.Status, name: str, namespace: str, **_: Any) -> None:
    if event["type"] == "DELETED":
        return
    said = {"status": {"ready": status.get("readyReplicas", 0)}}
    try:
        client.CustomObjectsApi().patch_namespaced_custom_object_status(
            GROUP, VERSION, namespace, PLURAL, name, said, _content_type="application/merge-patch+json"
        )
    except client.ApiException as error:
        if error.status != 404:
            raise
