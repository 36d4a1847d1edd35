"""Deletions: what is answered, what waits and for what, preconditions, collections, and namespaces that end."""

from __future__ import annotations

import pytest

from tests.master.semantics.ground import ABSENT, MERGE, Case, Ground, answered, config, deployment, ids, invalid, pod, refused, with_meta

DELETE, MADE = "DELETE {n}/configmaps/c", ("POST {n}/configmaps", config())
HELD, HELD_OPEN = ("POST {n}/configmaps", with_meta(config(), finalizers=["a.com/hold"])), ("DELETE {n}/configmaps/c",)
GONE, STAYS = (("{n}/configmaps/c", {"code": 404}),), (("{n}/configmaps/c", {"code": 200}),)
BOUND = ("POST {n}/pods", pod(nodeName="n1"))
WHAT = 'DeleteOptions.meta.k8s.io ""'

ANSWERS = [
    answered("what is gone is told by a Status", DELETE, given=[MADE], shows={"kind": "Status", "status": "Success", "details.name": "c", "details.kind": "configmaps"},
             after=GONE),
    answered("with its group", "DELETE {apps}/deployments/d", given=[("POST {apps}/deployments", deployment())], shows={"details.group": "apps"}),
    answered("a pod is told by itself", "DELETE {n}/pods/p", given=[("POST {n}/pods", pod())], shows={"kind": "Pod", "metadata.name": "p"}, after=(("{n}/pods/p", {"code": 404}),)),
    answered("what waits is told by itself", DELETE, given=[HELD], shows={"kind": "ConfigMap", "metadata.deletionGracePeriodSeconds": 0}, after=STAYS),
    answered("asked again it still waits", DELETE, given=[HELD, HELD_OPEN], shows={"kind": "ConfigMap"}, after=STAYS),
    answered("it goes with its last finalizer", "PATCH {n}/configmaps/c", {"metadata": {"finalizers": None}}, {"Content-Type": MERGE}, given=[HELD, HELD_OPEN], after=GONE),
    invalid("it takes no further finalizers", "PATCH {n}/configmaps/c", {"metadata": {"finalizers": ["a.com/hold", "b.com/hold"]}}, {"Content-Type": MERGE},
            given=[HELD, HELD_OPEN], of='ConfigMap "c"', causes=[
        ("FieldValueForbidden", "metadata.finalizers",
         'Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"b.com/hold"}'),
    ]),
    refused("what is not there", DELETE, code=404, reason="NotFound", message='configmaps "c" not found'),
    refused("what may not go", "DELETE /api/v1/namespaces/default", code=403, reason="Forbidden",
            message='namespaces "default" is forbidden: this namespace may not be deleted', details={"name": "default", "kind": "namespaces"}),
]  # fmt: skip

OPTIONS = [
    invalid("an unknown policy", DELETE + "?propagationPolicy=Sideways", given=[MADE], of=WHAT, causes=[
        ("FieldValueNotSupported", "propagationPolicy", 'Unsupported value: "Sideways": supported values: "Foreground", "Background", "Orphan", "nil"'),
    ]),
    invalid("two ways of saying it", DELETE, {"propagationPolicy": "Foreground", "orphanDependents": True}, given=[MADE], of=WHAT, causes=[
        ("FieldValueInvalid", "propagationPolicy", 'Invalid value: "Foreground": orphanDependents and deletionPropagation cannot be both set'),
    ]),
    invalid("an unknown dry run", DELETE, {"dryRun": ["Some"]}, given=[MADE], of=WHAT, causes=[
        ("FieldValueNotSupported", "dryRun", 'Unsupported value: []string{"Some"}: supported values: "All"'),
    ]),
    refused("a grace that is no number", DELETE + "?gracePeriodSeconds=x", given=[MADE], code=400, reason="BadRequest",
            message='strconv.ParseInt: parsing "x": invalid syntax'),
    answered("dependents first", DELETE + "?propagationPolicy=Foreground", given=[MADE], shows={"metadata.finalizers": ["foregroundDeletion"]}, after=STAYS),
    answered("dependents left alone", DELETE, {"propagationPolicy": "Orphan"}, given=[MADE], shows={"metadata.finalizers": ["orphan"]}, after=STAYS),
    answered("dependents left alone, the old way", DELETE + "?orphanDependents=true", given=[MADE], shows={"metadata.finalizers": ["orphan"]}),
    answered("dependents deleted, the old way", DELETE, {"orphanDependents": False}, given=[MADE], shows={"status": "Success"}, after=GONE),
    answered("and what waits then is accepted", DELETE, {"orphanDependents": False}, given=[HELD], code=202, shows={"kind": "ConfigMap"}, after=STAYS),
    answered("beside a body the query says nothing", DELETE + "?dryRun=All&propagationPolicy=Sideways", {}, given=[MADE], shows={"status": "Success"}, after=GONE),
    answered("dependents afterwards", DELETE + "?propagationPolicy=Background", given=[MADE], shows={"status": "Success"}, after=GONE),
    answered("one policy after another", DELETE + "?propagationPolicy=Background", given=[MADE, (DELETE + "?propagationPolicy=Orphan",)], after=GONE),
    refused("another uid", DELETE, {"preconditions": {"uid": "mine"}}, given=[MADE], code=409, reason="Conflict",
            message='Operation cannot be fulfilled on ConfigMap "c": the UID in the precondition (mine) does not match the UID in record (…',
            details={"name": "c", "kind": "ConfigMap"}),
    refused("another revision", "DELETE {apps}/deployments/d", {"preconditions": {"resourceVersion": "1"}}, given=[("POST {apps}/deployments", deployment())],
            code=409, reason="Conflict", details={"group": "apps", "kind": "Deployment"},
            message='Operation cannot be fulfilled on Deployment.apps "d": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (…'),
    refused("a body of another kind", DELETE, {"kind": "ConfigMap"}, given=[MADE], code=400, reason="BadRequest",
            message="the body of a deletion must be a DeleteOptions, not a ConfigMap"),
]  # fmt: skip

GRACE = [
    answered("a bound pod waits as long as it says", "DELETE {n}/pods/p", given=[BOUND], shows={"metadata.deletionGracePeriodSeconds": 30}),
    answered("or as long as it is told to", "DELETE {n}/pods/p?gracePeriodSeconds=5", given=[BOUND], shows={"metadata.deletionGracePeriodSeconds": 5}),
    answered("less than nothing is a second", "DELETE {n}/pods/p", {"gracePeriodSeconds": -7}, given=[BOUND], shows={"metadata.deletionGracePeriodSeconds": 1}),
    answered("it can be shortened", "DELETE {n}/pods/p?gracePeriodSeconds=5", given=[BOUND, ("DELETE {n}/pods/p",)], shows={"metadata.deletionGracePeriodSeconds": 5}),
    answered("and not be lengthened", "DELETE {n}/pods/p?gracePeriodSeconds=50", given=[BOUND, ("DELETE {n}/pods/p",)], shows={"metadata.deletionGracePeriodSeconds": 30}),
    answered("by force it goes at once", "DELETE {n}/pods/p?gracePeriodSeconds=0", given=[BOUND], after=(("{n}/pods/p", {"code": 404}),)),
    answered("one that has ended does not wait", "DELETE {n}/pods/p", given=[BOUND, ("PATCH {n}/pods/p/status", {"status": {"phase": "Succeeded"}}, {"Content-Type": MERGE})],
             after=(("{n}/pods/p", {"code": 404}),)),
]  # fmt: skip

LABELLED = ("POST {n}/configmaps", with_meta(config("d"), labels={"a": "b"}))
COLLECTIONS = [
    answered("all of them", "DELETE {n}/configmaps", given=[MADE, LABELLED], shows={"kind": "ConfigMapList", "items.1.metadata.name": "d"}, after=(("{n}/configmaps", {"items": []}),)),
    answered("those with a label", "DELETE {n}/configmaps?labelSelector=a%3Db", given=[MADE, LABELLED], shows={"items.0.metadata.name": "d", "items.1": ABSENT}, after=STAYS),
    answered("one by its name", "DELETE {n}/configmaps?fieldSelector=metadata.name%3Dc", given=[MADE, LABELLED], shows={"items.0.metadata.name": "c", "items.1": ABSENT}, after=GONE),
    refused("by a selector that is none", "DELETE {n}/configmaps?labelSelector=%3D", given=[MADE], code=400, reason="BadRequest",
            message="found '=', expected: !, identifier, or 'end of string'", after=STAYS),
    invalid("by options that lists do not take", "DELETE {n}/configmaps?resourceVersionMatch=Exact", given=[MADE], of='ListOptions.meta.k8s.io ""', causes=[
        ("FieldValueForbidden", "resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"),
    ], after=STAYS),
    refused("by fields that have none", "DELETE {n}/configmaps?fieldSelector=data.a%3Db", given=[MADE], code=400, reason="BadRequest",
            message='"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"', after=STAYS),
    refused("of kinds that have no such verb", "DELETE /api/v1/namespaces", code=405, reason="MethodNotAllowed",
            message="the server does not allow this method on the requested resource"),
]  # fmt: skip

ENDING = ("DELETE /api/v1/namespaces/{ns}",)
NAMESPACES = [
    answered("it ends when it is empty", *ENDING, shows={"kind": "Namespace", "status.phase": "Terminating", "spec.finalizers": ["kubernetes"]},
             after=(("/api/v1/namespaces/{ns}", {"status.phase": "Terminating"}),)),
    refused("nothing new is made in it", "POST {n}/configmaps", config(), given=[ENDING], code=403, reason="Forbidden",
            message='configmaps "c" is forbidden: unable to create new content in namespace {ns} because it is being terminated',
            causes=[("NamespaceTerminating", "metadata.namespace", "namespace {ns} is being terminated")], details={"name": "c", "kind": "configmaps"}),
    answered("what is there may change", "PATCH {n}/configmaps/c", {"data": {"a": "b"}}, {"Content-Type": MERGE}, given=[MADE, ENDING], shows={"data.a": "b"}),
    answered("it is gone when its finalizer is", "PUT /api/v1/namespaces/{ns}/finalize", {"metadata": {"name": "{ns}"}, "spec": {"finalizers": []}}, given=[ENDING],
             after=(("/api/v1/namespaces/{ns}", {"code": 404}),)),
    refused("nothing is made where there is none", "POST /api/v1/namespaces/nowhere/configmaps", config(), code=404, reason="NotFound",
            message='namespaces "nowhere" not found', details={"name": "nowhere", "kind": "namespaces"}),
    answered("a list of what is nowhere is empty", "GET /api/v1/namespaces/nowhere/configmaps", shows={"items": []}),
]  # fmt: skip


@pytest.mark.parametrize("case", [*ANSWERS, *OPTIONS, *GRACE, *COLLECTIONS, *NAMESPACES], ids=ids)
def test_deleting(ground: Ground, case: Case) -> None:
    ground.play(case)


def test_preconditions_that_hold_let_it_go(ground: Ground) -> None:
    path = f"/api/v1/namespaces/{ground.namespace()}/configmaps"
    meta = ground.made(f"POST {path}", config())["metadata"]
    ground.made(f"DELETE {path}/c", {"preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}})
    assert ground.ask(f"GET {path}/c")[0] == 404
