"""Defaults, validation and columns of each kind, as tables."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from master.api import registry, tables
from master.api.contract import Stored
from master.api.kinds import columns, configs, deployment, pod, service
from master.api.kinds import namespace as namespace_kind
from master.api.kinds import node as node_kind


def a_pod(**spec: Any) -> dict[str, Any]:
    document = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox:1.36"}], **spec}}
    pod.prepare(document, None)
    pod.default(document)
    return document


def with_container(**fields: Any) -> dict[str, Any]:
    return a_pod(containers=[{"name": "c", "image": "busybox:1.36", **fields}])


def a_deployment(**spec: Any) -> dict[str, Any]:
    document = {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}},
            **spec,
        },
    }
    deployment.prepare(document, None)
    deployment.default(document)
    return document


def test_a_pod_gets_the_defaults_of_kubernetes() -> None:
    spec = with_container(ports=[{"containerPort": 80}], readinessProbe={"httpGet": {"port": 80}}, resources={"limits": {"cpu": "1"}})["spec"]
    container = spec["containers"][0]
    assert spec["restartPolicy"] == "Always" and spec["dnsPolicy"] == "ClusterFirst" and spec["securityContext"] == {}
    assert spec["terminationGracePeriodSeconds"] == 30 and spec["schedulerName"] == "default-scheduler"
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert container["resources"]["requests"] == {"cpu": "1"}
    assert container["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("image", "policy"),
    [("nginx", "Always"), ("nginx:latest", "Always"), ("nginx:1", "IfNotPresent"), ("r:5000/nginx", "Always"), ("r:5000/n:1", "IfNotPresent"),
     ("n@sha256:0", "IfNotPresent")],
)  # fmt: skip
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert a_pod(containers=[{"name": "c", "image": image}])["spec"]["containers"][0]["imagePullPolicy"] == policy


@pytest.mark.parametrize(
    ("resources", "qos"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}}, "Guaranteed"),
    ],
)
def test_the_class_of_service_follows_the_resources(resources: dict[str, Any], qos: str) -> None:
    assert with_container(resources=resources)["status"]["qosClass"] == qos


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        pytest.param(a_pod(containers=[]), "spec.containers", "Required value", id="a pod without containers"),
        pytest.param(a_pod(containers=[{"name": "A_b", "image": "i"}]), "spec.containers[0].name",
                     'Invalid value: "A_b": a lowercase RFC 1123 label must consist of', id="a container with a bad name"),
        pytest.param(a_pod(containers=[{"name": "c", "image": "i"}, {"name": "c", "image": "i"}]), "spec.containers[1].name",
                     'Duplicate value: "c"', id="two containers of one name"),
        pytest.param(a_pod(containers=[{"name": "c"}]), "spec.containers[0].image", "Required value", id="a container without an image"),
        pytest.param(a_pod(restartPolicy="Sometimes"), "spec.restartPolicy",
                     'Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"', id="an unknown restart policy"),
        pytest.param(with_container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}), "spec.containers[0].resources.requests",
                     'Invalid value: "2": must be less than or equal to cpu limit of 1', id="a request above its limit"),
        pytest.param(with_container(volumeMounts=[{"name": "v", "mountPath": "/v"}]), "spec.containers[0].volumeMounts[0].name",
                     'Not found: "v"', id="a mount of a volume that is not there"),
        pytest.param(with_container(ports=[{"containerPort": 70000}]), "spec.containers[0].ports[0].containerPort",
                     "Invalid value: 70000: must be between 1 and 65535, inclusive", id="a port out of range"),
        pytest.param(with_container(env=[{"name": "1A"}]), "spec.containers[0].env[0].name", 'Invalid value: "1A"', id="a bad variable name"),
        pytest.param(a_pod(terminationGracePeriodSeconds=-1), "spec.terminationGracePeriodSeconds",
                     "Invalid value: -1: must be greater than or equal to 0", id="a negative grace period"),
        pytest.param(a_pod(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]), "spec.tolerations[0].operator",
                     "Invalid value: \"Exists\": value must be empty when `operator` is 'Exists'", id="a toleration of existence with a value"),
        pytest.param({**a_pod(), "metadata": {"name": "p", "labels": {"a b": "c"}}}, "metadata.labels",
                     'Invalid value: "a b": name part must consist of', id="a bad label key"),
    ],
)  # fmt: skip
def test_a_pod_is_refused(document: dict[str, Any], field: str, message: str) -> None:
    found = pod.validate(document, None)
    assert [(cause.field, cause.message.startswith(message)) for cause in found] == [(field, True)], found


def test_a_sound_pod_passes() -> None:
    assert pod.validate(with_container(env=[{"name": "A", "value": "b"}], resources={"limits": {"memory": "64Mi"}}), None) == []


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        (lambda spec: spec["containers"][0].update(image="other:2"), True),
        (lambda spec: spec.update(tolerations=[{"key": "a", "operator": "Exists"}]), True),
        (lambda spec: spec.update(activeDeadlineSeconds=5), True),
        (lambda spec: spec.update(nodeName="n1"), True),
        (lambda spec: spec["containers"][0].update(command=["x"]), False),
        (lambda spec: spec.update(restartPolicy="Never"), False),
        (lambda spec: spec["containers"].append({"name": "d", "image": "i"}), False),
    ],
    ids=["image", "added toleration", "shorter deadline", "first node", "command", "restart policy", "another container"],
)
def test_of_a_running_pod_only_little_may_change(change: Any, allowed: bool) -> None:
    old = a_pod()
    new = copy.deepcopy(old)
    change(new["spec"])
    found = pod.validate(new, old)
    assert (found == []) is allowed
    assert allowed or (found[0].field, found[0].reason) == ("spec", "FieldValueForbidden")


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        pytest.param(a_deployment(replicas=-1), "spec.replicas", "Invalid value: -1: must be greater than or equal to 0", id="fewer than none"),
        pytest.param(a_deployment(selector={"matchLabels": {"app": "other"}}), "spec.template.metadata.labels",
                     'Invalid value: map[string]string{"app":"web"}: `selector` does not match template `labels`', id="a selector for others"),
        pytest.param(a_deployment(selector={}), "spec.selector", "Invalid value: {}: empty selector is invalid for deployment", id="no selector"),
        pytest.param(a_deployment(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
                     "spec.strategy.rollingUpdate.maxUnavailable", "Invalid value: 0: may not be 0 when `maxSurge` is 0", id="no room to move"),
        pytest.param(a_deployment(strategy={"type": "Recreate", "rollingUpdate": {}}), "spec.strategy.rollingUpdate",
                     "Forbidden: may not be specified when strategy `type` is 'Recreate'", id="recreate with a rolling update"),
        pytest.param(a_deployment(progressDeadlineSeconds=5, minReadySeconds=5), "spec.progressDeadlineSeconds",
                     "Invalid value: 5: must be greater than minReadySeconds", id="a deadline that cannot be met"),
    ],
)  # fmt: skip
def test_a_deployment_is_refused(document: dict[str, Any], field: str, message: str) -> None:
    found = deployment.validate(document, None)
    assert [(cause.field, cause.message.startswith(message)) for cause in found] == [(field, True)], found


def test_a_deployment_gets_the_defaults_of_kubernetes_and_keeps_its_selector() -> None:
    old = a_deployment()
    assert old["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (old["spec"]["replicas"], old["spec"]["revisionHistoryLimit"], old["spec"]["progressDeadlineSeconds"]) == (1, 10, 600)
    new = copy.deepcopy(old)
    new["spec"]["selector"] = {"matchLabels": {"app": "web", "b": "c"}}
    new["spec"]["template"]["metadata"]["labels"]["b"] = "c"
    assert [(c.field, c.message.endswith("field is immutable")) for c in deployment.validate(new, old)] == [("spec.selector", True)]


def test_string_data_is_written_and_never_read_back() -> None:
    secret = {"metadata": {"name": "s"}, "stringData": {"password": "hunter"}, "data": {"user": "YWRtaW4="}}
    configs.prepare_secret(secret, None)
    configs.default_secret(secret)
    assert secret["data"] == {"user": "YWRtaW4=", "password": "aHVudGVy"} and "stringData" not in secret and secret["type"] == "Opaque"
    assert configs.validate_secret(secret, None) == []
    assert configs.validate_secret({**secret, "data": {"a": "%%%"}}, None)[0].message == 'Invalid value: "": must be base64 encoded'


def test_an_immutable_config_map_stays() -> None:
    old = {"metadata": {"name": "c"}, "immutable": True, "data": {"a": "1"}}
    assert configs.validate_config_map({**old, "data": {"a": "2"}}, old)[0].field == "data"
    assert configs.validate_config_map({**old, "immutable": False}, old)[0].field == "immutable"
    assert configs.validate_config_map(old, old) == []


def test_a_namespace_carries_its_finalizer_and_its_name() -> None:
    document: dict[str, Any] = {"metadata": {"name": "n"}}
    namespace_kind.prepare(document, None)
    namespace_kind.default(document)
    assert document["spec"]["finalizers"] == ["kubernetes"] and document["status"]["phase"] == "Active"
    assert document["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    changed: dict[str, Any] = {"metadata": {"name": "n"}, "spec": {"finalizers": []}}
    namespace_kind.prepare(changed, document)
    assert changed["spec"]["finalizers"] == ["kubernetes"]


def test_a_service_gets_its_target_ports() -> None:
    document = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    service.prepare(document, None)
    service.default(document)
    assert document["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert document["spec"]["type"] == "ClusterIP" and service.validate(document, None) == []


def test_taints_are_unique_and_sound() -> None:
    taints = [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "Never"}]
    found = node_kind.validate({"metadata": {"name": "n"}, "spec": {"taints": taints}}, None)
    assert [cause.field for cause in found] == ["spec.taints[1]", "spec.taints[2].effect"]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"phase": "Pending"}, "Pending"),
        ({"phase": "Running", "containerStatuses": [{"ready": True, "state": {"running": {}}}]}, "Running"),
        ({"phase": "Running", "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}, "CrashLoopBackOff"),
        ({"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]}, "ErrImagePull"),
        ({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}, "ExitCode:3"),
        ({"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}]}, "Completed"),
        ({"phase": "Pending", "initContainerStatuses": [{"state": {"running": {}}}]}, "Init:0/0"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
    ],
)
def test_the_status_column_of_a_pod(status: dict[str, Any], text: str) -> None:
    assert pod.status_text({"metadata": {"name": "p"}, "spec": {}, "status": status}) == text


def test_a_pod_on_its_way_out_is_terminating() -> None:
    document = {"metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}, "status": {"phase": "Running"}}
    assert pod.status_text(document) == "Terminating"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (185, "3m5s"), (660, "11m"), (7200, "120m"), (4 * 3600 + 60, "4h1m"), (100_000, "27h"),
     (3 * 86400 + 7200, "3d2h"), (30 * 86400, "30d"), (3 * 365 * 86400, "3y")],
)  # fmt: skip
def test_ages_are_written_as_kubectl_users_know_them(seconds: int, text: str) -> None:
    assert columns.human_duration(seconds) == text


@pytest.mark.parametrize("resource", registry.RESOURCES, ids=lambda r: r.key)
def test_every_kind_has_a_table_even_for_a_bare_object(resource: registry.Resource) -> None:
    bare = Stored(msgspec.json.encode({"metadata": {"name": "x"}, "kind": resource.kind, "apiVersion": resource.api_version}), 7)
    table = msgspec.json.decode(tables.render(resource, [bare], now=0, include="Object", revision=9))
    assert len(table["rows"][0]["cells"]) == len(table["columnDefinitions"]) == len(resource.columns)
    assert table["rows"][0]["object"]["metadata"] == {"resourceVersion": "7", "name": "x"}
    assert table["metadata"] == {"resourceVersion": "9"}
