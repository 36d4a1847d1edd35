"""What `kctl describe` says of objects: the head, the sections of some kinds, everything of others, conditions, events, why."""

from __future__ import annotations

from typing import Any

import pytest

from common.clock import parse_rfc3339
from ctl import describing, describing_kinds
from ctl.describing import Around, describe

NOW = parse_rfc3339("2026-01-01T01:00:00Z")


def made(kind: str, version: str = "v1", **parts: Any) -> dict[str, Any]:
    meta = {"name": "web", "namespace": "shop", "uid": "u", "creationTimestamp": "2026-01-01T00:30:00Z", **parts.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **parts}


def said(document: dict[str, Any], **around: Any) -> str:
    group = document["apiVersion"].rpartition("/")[0]
    return describe(document, Around(NOW, **around), describing_kinds.SECTIONS.get((group, document["kind"])))


POD = made(
    "Pod", metadata={"labels": {"app": "web", "tier": "a"}, "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": True}]},
    spec={
        "nodeName": "host-1", "serviceAccountName": "default", "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}, {"operator": "Exists"}],
        "initContainers": [{"name": "setup", "image": "busybox:1.36"}],
        "containers": [{
            "name": "a", "image": "busybox:1.36", "command": ["sh", "-c"], "args": ["sleep 1"], "ports": [{"containerPort": 80}],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
            "livenessProbe": {"httpGet": {"path": "/ok", "port": 80}},
            "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": True}],
        }],
        "volumes": [{"name": "v", "configMap": {"name": "c"}}],
    },
    status={
        "phase": "Running", "podIP": "10.0.0.5", "qosClass": "Burstable",
        "initContainerStatuses": [{
            "name": "setup", "ready": True, "restartCount": 0,
            "state": {"terminated": {"reason": "Completed", "exitCode": 0, "finishedAt": "2026-01-01T00:31:00Z"}},
        }],
        "containerStatuses": [{
            "name": "a", "ready": False, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
            "lastState": {"terminated": {"reason": "Error", "exitCode": 1, "finishedAt": "2026-01-01T00:59:00Z"}},
        }],
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:59:00Z", "reason": "ContainersNotReady"}],
    },
)  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "Name:             web", "Namespace:        shop", "Labels:           app=web", "                  tier=a", "Annotations:      <none>",
        "Controlled By:    ReplicaSet/web-1", "Created:          2026-01-01T00:30:00Z (30m ago)", "Node:             host-1",
        "Status:           Running", "IP:               10.0.0.5", "QoS Class:        Burstable", "Init Containers:", "Containers:",
        "    State:            Terminated (Completed), exit code 0, ended 2026-01-01T00:31:00Z (29m ago)",
        "    State:            Waiting (CrashLoopBackOff): back-off 40s",
        "    Last State:       Terminated (Error), exit code 1, ended 2026-01-01T00:59:00Z (60s ago)",
        "    Restarts:         3", "    Ports:            80/TCP", "    Command:          sh -c", "    Requests:         cpu 100m, memory 64Mi",
        "      A=1", "      B from secret s k", "      /v from v (ro)", "  v      configMap   c",
        "    Liveness Probe:   http-get :80/ok every 10s, 1s each, 3 failures", "Node Selector:    disk=ssd",
        "Tolerations:      k:NoExecute for 300s", "                  all", "  Ready   False    60s     ContainersNotReady",
        "Events:           <none>",
    ],
)  # fmt: skip
def test_a_pod(line: str):
    assert line in said(POD).splitlines()


def test_events_come_in_order_with_their_counts():
    events = [
        {"metadata": {}, "type": "Warning", "reason": "BackOff", "message": "two\nlines", "count": 4, "firstTimestamp": "2026-01-01T00:50:00Z",
         "lastTimestamp": "2026-01-01T00:59:30Z", "source": {"component": "kubelet"}},
        {"metadata": {"creationTimestamp": "2026-01-01T00:30:00Z"}, "type": "Normal", "reason": "Scheduled", "message": "to host-1",
         "reportingComponent": "default-scheduler"},
    ]  # fmt: skip
    lines = said(POD, events=events).splitlines()
    rows = [line.split(maxsplit=1) for line in lines[lines.index("Events:") + 3 :]]
    assert rows == [["Normal", "Scheduled   30m                 default-scheduler   to host-1"], ["Warning", "BackOff     30s (x4 over 10m)   kubelet             two lines"]]


def test_the_last_line_says_why():
    step = {"verb": "updated", "changed": ["spec.nodeName"], "actor": "system:kube-scheduler", "time": NOW, "why": "host-1 has room", "rule": "Bind"}
    assert said(POD, why=step).splitlines()[-1] == (
        "Why:              updated (spec.nodeName) by system:kube-scheduler at 2026-01-01T01:00:00Z: host-1 has room"
    )


def test_what_is_being_deleted_says_what_holds_it():
    text = said(made("ConfigMap", metadata={"deletionTimestamp": "2026-01-01T00:59:30Z", "finalizers": ["a/b"]}))
    assert "Being Deleted:    its time to end has been over for 30s" in text and "Finalizers:       a/b" in text


def test_a_deployment_with_its_sets_and_pods():
    document = made(
        "Deployment", "apps/v1", status={"replicas": 2, "updatedReplicas": 1, "availableReplicas": 2},
        spec={
            "replicas": 2, "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["d", "e"]}]},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "w", "image": "i:1"}]}},
        },
    )  # fmt: skip
    sets = [{"metadata": {"name": "web-1"}, "spec": {"replicas": 2}, "status": {"replicas": 1}}]
    pods = [{"metadata": {"name": "web-1-x", "namespace": "shop"}, "status": {"phase": "Running"}}]
    lines = said(document, related={"ReplicaSets": sets}, pods=pods).splitlines()
    for line in (
        "Selector:         a=b,c In (d,e)", "Replicas:         2 desired, 2 there, 1 updated, 2 available",
        "Strategy:         RollingUpdate (maxSurge 1, maxUnavailable 0)", "      Image:            i:1", "  web-1   1/2", "  shop        web-1-x   Running",
    ):  # fmt: skip
        assert line in lines, line


def test_a_node_with_what_is_asked_of_it():
    document = made(
        "Node", metadata={"namespace": ""}, spec={"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}], "podCIDR": "10.1.0.0/24"},
        status={
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}], "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "allocatable": {"cpu": "3500m", "memory": "7Gi", "pods": "110"},
        },
    )  # fmt: skip
    lines = said(document, pods=[POD, POD]).splitlines()
    for line in ("Taints:           k=v:NoSchedule", "Addresses:        InternalIP 10.0.0.1", "  cpu      4          3500m         200m", "  memory   8Gi        7Gi           128Mi", "  pods     110        110           2"):
        assert line in lines, line


def test_a_service_with_the_addresses_that_are_ready():
    document = made("Service", spec={"type": "NodePort", "clusterIP": "10.96.0.9", "selector": {"a": "b"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30080}]})
    slices = [{"endpoints": [{"addresses": ["10.0.0.5"]}, {"addresses": ["10.0.0.6"], "conditions": {"ready": False}}]}]
    lines = said(document, related={"EndpointSlices": slices}).splitlines()
    for line in ("Type:             NodePort", "  http   80/TCP   8080     30080", "Endpoints:        10.0.0.5"):
        assert line in lines, line


def test_a_secret_shows_sizes_alone():
    text = said(made("Secret", type="Opaque", data={"password": "aHVudGVyMg=="}))
    assert "  password   7 bytes" in text and "hunter2" not in text and "aHVudGVyMg" not in text


def test_a_kind_without_a_section_is_told_field_by_field():
    document = made("Widget", "example.com/v1", spec={"podCIDRs": ["a", "b"], "size": 3, "on": True, "parts": [{"name": "x", "none": {}}]}, status={"phase": "Good"})
    assert said(document).splitlines()[6:] == [
        "Spec:", "  Pod CIDRs:        a, b", "  Size:             3", "  On:               true", "  Parts:", "    - Name:             x",
        "Status:", "  Phase:            Good", "Events:           <none>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (601, "10m"), (3 * 3600, "3h"), (3 * 3600 + 60, "3h1m"), (9 * 3600, "9h"), (49 * 3600, "2d1h"),
     (10 * 86400, "10d"), (800 * 86400, "2y"), (-5, "0s")],
)  # fmt: skip
def test_ages(seconds: float, text: str):
    assert describing.age(seconds) == text
