"""Subresources with a body of their own: scale, binding, eviction, debugging containers, resize, approval, tokens, proxy."""

from __future__ import annotations


import pytest

from tests.certificate_requests import asked
from tests.master.semantics.ground import ABSENT, MERGE, STRATEGIC, Case, Ground, answered, deployment, ids, invalid, pod, refused, with_meta

POD, DEPLOYED = ("POST {n}/pods", pod()), ("POST {apps}/deployments", deployment())
SCALE = "{apps}/deployments/d/scale"
NOT_ALLOWED = "the server does not allow this method on the requested resource"
SCALES = [
    answered("it is read", f"GET {SCALE}", given=[DEPLOYED], shows={"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata.name": "d", "spec.replicas": 1,
             "status": {"replicas": 0, "selector": "app=d"}}),
    answered("it is changed", f"PATCH {SCALE}", {"spec": {"replicas": 3}}, {"Content-Type": STRATEGIC}, given=[DEPLOYED], shows={"spec.replicas": 3},
             after=(("{apps}/deployments/d", {"spec.replicas": 3, "metadata.generation": 2}),)),
    answered("to nothing", f"PUT {SCALE}", {"metadata": {"name": "d"}, "spec": {}}, given=[DEPLOYED], shows={"spec.replicas": 0}),
    invalid("to less than nothing", f"PUT {SCALE}", {"metadata": {"name": "d"}, "spec": {"replicas": -1}}, given=[DEPLOYED], of='Scale.autoscaling "d"', causes=[
        ("FieldValueInvalid", "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
    ]),
    refused("at an old revision", f"PUT {SCALE}", {"metadata": {"name": "d", "resourceVersion": "1"}, "spec": {"replicas": 3}}, given=[DEPLOYED], code=409, reason="Conflict",
            message='Operation cannot be fulfilled on deployments.apps "d": the object has been modified; please apply your changes to the latest version and try again'),
    refused("by another name", f"PUT {SCALE}", {"metadata": {"name": "e"}, "spec": {"replicas": 3}}, given=[DEPLOYED], code=400, reason="BadRequest",
            message="the name of the object (e) does not match the name on the URL (d)"),
    refused("of what is not there", f"GET {SCALE}", code=404, reason="NotFound", message='deployments.apps "d" not found'),
    refused("it cannot be deleted", f"DELETE {SCALE}", given=[DEPLOYED], code=405, reason="MethodNotAllowed", message=NOT_ALLOWED),
]  # fmt: skip

BIND, BINDINGS = "POST {n}/pods/p/binding", "POST {n}/bindings"
BINDING = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
BINDS = [
    answered("of a pod", BIND, BINDING, given=[POD], code=201, shows={"kind": "Status", "status": "Success"}, after=(("{n}/pods/p", {
        "spec.nodeName": "n1", "status.conditions.0.type": "PodScheduled", "metadata.generation": 1,
    }),)),
    answered("of the pod that it names", BINDINGS, BINDING, given=[POD], code=201, shows={"kind": "Status", "status": "Success", "code": 201},
             after=(("{n}/pods/p", {"spec.nodeName": "n1"}),)),
    answered("with annotations", BIND, with_meta(BINDING, annotations={"a": "b"}), given=[POD], code=201, after=(("{n}/pods/p", {"metadata.annotations": {"a": "b"}}),)),
    refused("twice", BINDINGS, BINDING, given=[POD, (BIND, BINDING)], code=409, reason="Conflict", details={"name": "p"},
            message='Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'),
    refused("of another pod of that name", BIND, with_meta(BINDING, uid="mine"), given=[POD], code=409, reason="Conflict",
            message='Operation cannot be fulfilled on pods/binding "p": Precondition failed: UID in precondition: mine, UID in object meta:…'),
    invalid("to nothing", BIND, {"metadata": {"name": "p"}, "target": {}}, given=[POD], of='Binding "p"', causes=[("FieldValueRequired", "target.name", "Required value")]),
    invalid("to what is no node", BINDINGS, {**BINDING, "target": {"kind": "Pod", "name": "x"}}, given=[POD], of='Binding "p"', causes=[
        ("FieldValueNotSupported", "target.kind", 'Unsupported value: "Pod": supported values: "Node", "<empty>"'),
    ]),
    refused("by another name", BIND, with_meta(BINDING, name="q"), given=[POD], code=400, reason="BadRequest", message="name in URL does not match name in Binding object"),
    refused("of what is not there", BINDINGS, BINDING, code=404, reason="NotFound", message='pods "p" not found'),
    refused("with an unknown field", f"{BIND}?fieldValidation=Strict", {**BINDING, "tarmac": 1}, given=[POD], code=400, reason="BadRequest",
            message='Binding in version "v1" cannot be handled as a Binding: strict decoding error: unknown field "tarmac"'),
    refused("none can be listed", "GET {n}/bindings", code=405, reason="MethodNotAllowed", message=NOT_ALLOWED),
]  # fmt: skip

EVICT, BUDGET = "POST {n}/pods/p/eviction", {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}
READY = ("PATCH {n}/pods/p/status", {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}, {"Content-Type": MERGE})
BUDGETED = [("POST {n}/pods", with_meta(pod(), labels={"a": "b"})), READY, ("POST /apis/policy/v1/namespaces/{ns}/poddisruptionbudgets", BUDGET),
            ("PATCH /apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/b/status",
             {"status": {"observedGeneration": 1, "disruptionsAllowed": 0, "desiredHealthy": 1, "currentHealthy": 1}}, {"Content-Type": MERGE})]  # fmt: skip
EVICTS = [
    answered("a pod goes", EVICT, {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}, given=[POD], code=201, shows={"status": "Success"},
             after=(("{n}/pods/p", {"code": 404}),)),
    answered("as older clients ask", EVICT, {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": "p"}}, given=[POD], code=201),
    refused("its budget holds it", EVICT, {"metadata": {"name": "p"}}, given=BUDGETED, code=429, reason="TooManyRequests", headers={"Retry-After": ABSENT},
            message="Cannot evict pod as it would violate the pod's disruption budget.",
            causes=[("DisruptionBudget", "", "The disruption budget b needs 1 healthy pods and has 1 currently")]),
    refused("by another name", EVICT, {"metadata": {"name": "q"}}, given=[POD], code=400, reason="BadRequest", message="name in URL does not match name in Eviction object"),
    refused("of what is not there", EVICT, {"metadata": {"name": "p"}}, code=404, reason="NotFound", message='pods "p" not found'),
    refused("of another uid", EVICT, {"metadata": {"name": "p"}, "deleteOptions": {"preconditions": {"uid": "mine"}}}, given=[POD], code=409, reason="Conflict",
            message='Operation cannot be fulfilled on Pod "p": the UID in the precondition (mine) does not match the UID in record (…'),
]  # fmt: skip

DEBUG, STRATEGICALLY = "PATCH {n}/pods/p/ephemeralcontainers", {"Content-Type": STRATEGIC}
DEBUGGER = {"name": "debug", "image": "tools:1"}
DEBUGS = [
    answered("one is added", DEBUG, {"spec": {"ephemeralContainers": [DEBUGGER]}}, STRATEGICALLY, given=[POD],
             shows={"spec.ephemeralContainers.0.name": "debug", "spec.ephemeralContainers.0.imagePullPolicy": "IfNotPresent"}),
    invalid("none is removed", DEBUG, {"spec": {"ephemeralContainers": [{"name": "debug", "$patch": "delete"}]}}, STRATEGICALLY,
            given=[POD, (DEBUG, {"spec": {"ephemeralContainers": [DEBUGGER]}}, STRATEGICALLY)], of='Pod "p"', causes=[
        ("FieldValueForbidden", "spec.ephemeralContainers", "Forbidden: existing ephemeral containers may not be removed or changed"),
    ]),
    answered("nothing else changes there", DEBUG, {"spec": {"nodeName": "n9"}, "metadata": {"labels": {"a": "b"}}}, STRATEGICALLY, given=[POD],
             shows={"spec.nodeName": ABSENT, "metadata.labels": ABSENT}),
    answered("nor here", "PATCH {n}/pods/p", {"spec": {"ephemeralContainers": [DEBUGGER]}}, STRATEGICALLY, given=[POD], shows={"spec.ephemeralContainers": ABSENT}),
]  # fmt: skip


def sized(**resources: dict) -> dict:
    return {"spec": {"containers": [{"name": "main", "resources": resources}]}}


RESIZE = "PATCH {n}/pods/p/resize"
SIZED = ("POST {n}/pods", pod(containers=[{"name": "main", "image": "web:1", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "2Gi"}}}]))
RUNNING = ("PATCH {n}/pods/p/status", {"status": {"containerStatuses": [{"name": "main", "image": "", "imageID": "", "ready": True, "restartCount": 0, "state": {"running": {}}}]}},
           {"Content-Type": MERGE})  # fmt: skip
RESIZES = [
    answered("what it may use", RESIZE, sized(limits={"cpu": "3"}), STRATEGICALLY, given=[SIZED], shows={"spec.containers.0.resources.limits": {"cpu": "3", "memory": "2Gi"}}),
    answered("and nothing else", RESIZE, {"spec": {"nodeName": "n9", "containers": [{"name": "main", "image": "web:9"}]}, "metadata": {"labels": {"a": "b"}}},
             STRATEGICALLY, given=[SIZED], shows={"spec.nodeName": ABSENT, "spec.containers.0.image": "web:1", "metadata.labels": ABSENT}),
    invalid("not into another class", RESIZE, sized(requests={"cpu": "2", "memory": "2Gi"}), STRATEGICALLY, given=[SIZED], of='Pod "p"', causes=[
        ("FieldValueInvalid", "spec", 'Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing'),
    ]),
    invalid("not by taking a limit away", RESIZE, sized(limits={"cpu": None}), STRATEGICALLY, given=[SIZED], of='Pod "p"', causes=[
        ("FieldValueForbidden", "spec.containers[0].resources.limits", "Forbidden: resource limits cannot be removed"),
    ]),
    invalid("memory only grows", RESIZE, sized(limits={"memory": "1Gi"}, requests={"memory": "1Gi"}), STRATEGICALLY, given=[SIZED], of='Pod "p"', causes=[
        ("FieldValueForbidden", "spec.containers[0].resources.limits[memory]", "Forbidden: memory limits cannot be decreased unless resizePolicy is RestartContainer"),
    ]),
    invalid("nothing but CPU and memory", RESIZE, sized(limits={"ephemeral-storage": "1Gi"}), STRATEGICALLY, given=[SIZED], of='Pod "p"', causes=[
        ("FieldValueForbidden", "spec", "Forbidden: only cpu and memory resources are mutable"),
    ]),
    invalid("not where the node would not do it", RESIZE, sized(limits={"cpu": "3"}), STRATEGICALLY, given=[SIZED, RUNNING], of='Pod "p"', causes=[
        ("FieldValueForbidden", "spec", "Forbidden: Pod running on node without support for resize"),
    ]),
    answered("it is read as the pod", "GET {n}/pods/p/resize", given=[SIZED], shows={"kind": "Pod", "metadata.name": "p"}),
]  # fmt: skip

REQUEST = asked("jane")
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
ASKED = (f"POST {CSRS}", {"metadata": {"name": "r-{ns}"}, "spec": {"request": REQUEST, "signerName": "example.com/x", "usages": ["client auth"], "username": "somebody"}})
APPROVED = {"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Known"}], "certificate": "YQ=="}}
APPROVALS = [
    answered("a certificate is approved", f"PATCH {CSRS}/r-{{ns}}/approval", APPROVED, {"Content-Type": MERGE}, given=[ASKED],
             shows={"status.conditions.0.type": "Approved", "status.certificate": ABSENT, "spec.username": "kubernetes-admin"}),
]  # fmt: skip

ACCOUNT, TOKEN = ("POST {n}/serviceaccounts", {"metadata": {"name": "robot"}}), "POST {n}/serviceaccounts/robot/token"
TOKENS = [
    answered("a token", TOKEN, {"spec": {"audiences": ["a"], "expirationSeconds": 600}}, given=[ACCOUNT], code=201,
             shows={"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec.expirationSeconds": 600}),
    invalid("for too short a time", TOKEN, {"spec": {"audiences": [], "expirationSeconds": 5}}, given=[ACCOUNT], of='TokenRequest.authentication.k8s.io ""', causes=[
        ("FieldValueInvalid", "spec.expirationSeconds", "Invalid value: 5: may not specify a duration less than 10 minutes"),
    ]),
    refused("of nobody", TOKEN, {"spec": {"audiences": []}}, code=404, reason="NotFound", message='serviceaccounts "robot" not found'),
]  # fmt: skip

NODE, SERVICE = ("POST /api/v1/nodes", {"metadata": {"name": "n-{ns}"}}), ("POST {n}/services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
NO_PROXY = "{}/proxy is not available: nodes do not carry it yet; use `kubectl port-forward` to reach a pod"
PROXIES = [
    *(refused(f"{what}, {method}", f"{method} {path}", given=[POD, NODE, SERVICE], code=503, reason="ServiceUnavailable", message=NO_PROXY.format(what))
      for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
      for what, path in (("pods", "{n}/pods/p:80/proxy/a/b/"), ("services", "{n}/services/https:s:80/proxy/"), ("nodes", "/api/v1/nodes/n-{ns}/proxy/logs"))),
    refused("to what is not there", "GET {n}/pods/p/proxy/", code=404, reason="NotFound", message='pods "p" not found'),
    refused("paths below anything else", "GET {n}/pods/p/log/more", given=[POD], code=404, reason="NotFound", message="the server could not find the requested resource"),
]  # fmt: skip


@pytest.mark.parametrize("case", [*SCALES, *BINDS, *EVICTS, *DEBUGS, *RESIZES, *APPROVALS, *TOKENS, *PROXIES], ids=ids)
def test_subresources(ground: Ground, case: Case) -> None:
    ground.play(case)
