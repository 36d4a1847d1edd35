"""Patches of every type, their refusals, and server-side apply."""

from __future__ import annotations

from typing import Any

import pytest

from tests.master.semantics.ground import (
    ABSENT, APPLY, JSON_PATCH, MERGE, STRATEGIC, Case, Ground, answered, config, deployment, ids, invalid, pod, refused, with_meta,
)  # fmt: skip

MADE, POD = ("POST {n}/configmaps", config()), ("POST {n}/pods", pod())
REJECTED = "the server rejected our request due to an error in our request"


def patch(name: str, kind: str, body: Any, *, what: str = "configmaps/c", given: Any = (MADE,), **more: Any) -> Case:
    return answered(name, f"PATCH {{n}}/{what}", body, {"Content-Type": kind}, given=given, **more)


def bad(name: str, kind: str, body: Any, message: str, *, what: str = "configmaps/c", given: Any = (MADE,)) -> Case:
    return refused(name, f"PATCH {{n}}/{what}", body, {"Content-Type": kind}, code=400, reason="BadRequest", message=message, given=given)


def rejected(name: str, body: list[Any], path: str, why: str) -> Case:
    return refused(name, "PATCH {n}/configmaps/c", body, {"Content-Type": JSON_PATCH}, code=422, reason="Invalid", message=REJECTED, given=[MADE],
                   causes=[("UnexpectedServerResponse", path, why)])  # fmt: skip


TYPES = [
    patch("a merge", MERGE, {"data": {"color": None, "size": "1"}}, shows={"data": {"size": "1"}}),
    patch("a merge with a charset", MERGE + "; charset=utf-8", {"data": {"size": "1"}}, shows={"data": {"size": "1", "color": "blue"}}),
    patch("a strategic merge", STRATEGIC, {"metadata": {"finalizers": ["a/b"]}}, given=[("POST {n}/configmaps", with_meta(config(), finalizers=["c/d"]))],
          shows={"metadata.finalizers": ["a/b", "c/d"]}),
    patch("operations", JSON_PATCH, [{"op": "test", "path": "/data/color", "value": "blue"}, {"op": "replace", "path": "/data/color", "value": "red"}],
          shows={"data.color": "red"}),
    patch("a move", JSON_PATCH, [{"op": "move", "from": "/data/color", "path": "/data/colour"}], shows={"data": {"colour": "blue"}}),
    patch("nothing to do", MERGE, {}, shows={"data.color": "blue"}),
    refused("another type", "PATCH {n}/configmaps/c", {}, {"Content-Type": "application/json"}, given=[MADE], code=415, reason="UnsupportedMediaType",
            message="the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
                    "application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"),
    refused("of what is not there", "PATCH {n}/configmaps/c", {}, {"Content-Type": MERGE}, code=404, reason="NotFound", message='configmaps "c" not found'),
    refused("of a collection", "PATCH {n}/configmaps", {}, {"Content-Type": MERGE}, code=405, reason="MethodNotAllowed",
            message="the server does not allow this method on the requested resource"),
]  # fmt: skip

MALFORMED = [
    bad("half a merge", MERGE, b"{", "error decoding patch: unexpected end of JSON input"),
    bad("a merge that is no object", MERGE, [1], "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
    bad("half a list of operations", JSON_PATCH, b"[", "error decoding patch: unexpected end of JSON input"),
    bad("operations that are no list", JSON_PATCH, {}, "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
    bad("half a strategic merge", STRATEGIC, b"{", "unexpected end of JSON input"),
    bad("a strategic merge that is no object", STRATEGIC, [1], "json: cannot unmarshal array into Go value of type map[string]interface {}"),
    bad("an unknown directive", STRATEGIC, {"$patch": "mangle"}, "unknown patch type: mangle in map: map[$patch:mangle]"),
    bad("an item without its key", STRATEGIC, {"spec": {"containers": [{"image": "x"}]}}, "map: map[image:x] does not contain declared merge key: name",
        what="pods/p", given=[POD]),
    bad("an order that does not fit", STRATEGIC, {"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}},
        "The order in patch list doesn't match $setElementOrder list: name in it all that the patch adds or changes", what="pods/p", given=[POD]),
    rejected("a test that fails", [{"op": "test", "path": "/data/color", "value": "red"}], "/data/color", "test failed: the value found is not the one expected"),
    rejected("a removal of nothing", [{"op": "remove", "path": "/data/size"}], "/data/size", "missing value: nothing stands at 'size'"),
    rejected("an unknown operation", [{"op": "mangle", "path": "/data"}], "/data",
             "unexpected operation 'mangle': it must be add, remove, replace, move, copy or test"),
    refused("too many operations", "PATCH {n}/configmaps/c", [{"op": "test", "path": "", "value": 1}] * 10_001, {"Content-Type": JSON_PATCH}, given=[MADE],
            code=413, reason="RequestEntityTooLarge", message="Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"),
    invalid("a result of the wrong type", "PATCH {n}/configmaps/c", {"data": {"a": 1}}, {"Content-Type": MERGE}, given=[MADE], of=' ""', causes=[
        ("FieldValueInvalid", "patch", "Invalid value: json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
    ]),
]  # fmt: skip

MINE, YOURS = "PATCH {n}/configmaps/c?fieldManager=me", "PATCH {n}/configmaps/c?fieldManager=you"
AS = {"Content-Type": APPLY}
APPLIED = (MINE, config(), AS)
RED = config(data={"color": "red"})
TWO = (MINE, config(data={"color": "blue", "size": "1"}), AS)
APPLIES = [
    answered("the first makes it", MINE, config(), AS, code=201, shows={"data.color": "blue", "metadata.managedFields.0.manager": "me",
             "metadata.managedFields.0.operation": "Apply", "metadata.managedFields.0.fieldsV1": {"f:data": {"f:color": {}}}}),
    answered("the next changes it", MINE, RED, AS, given=[APPLIED], shows={"data.color": "red"}),
    answered("what is named no more goes", MINE, config(data={"color": "blue"}), AS, given=[TWO], shows={"data": {"color": "blue"}}),
    answered("unless somebody else names it", MINE, config(data={"color": "blue"}), AS, given=[TWO, (YOURS, config(data={"size": "1"}), AS)],
             shows={"data": {"color": "blue", "size": "1"}}),
    refused("a field of somebody else", YOURS, RED, AS, given=[APPLIED], code=409, reason="Conflict",
            message='Apply failed with 1 conflict: conflict with "me": .data.color',
            causes=[("FieldManagerConflict", ".data.color", 'conflict with "me"')]),
    refused("fields of somebody else", YOURS, config(data={"color": "red", "size": "2"}), AS, given=[TWO], code=409, reason="Conflict",
            message='Apply failed with 2 conflicts: conflicts with "me":\n- .data.color\n- .data.size',
            causes=[("FieldManagerConflict", ".data.color", 'conflict with "me"'), ("FieldManagerConflict", ".data.size", 'conflict with "me"')]),
    answered("the same value is no conflict", YOURS, config(), AS, given=[APPLIED], shows={"data.color": "blue", "metadata.managedFields.1.manager": "you"}),
    answered("by force", YOURS + "&force=true", RED, AS, given=[APPLIED], shows={"data.color": "red", "metadata.managedFields.0.manager": "you",
             "metadata.managedFields.1": ABSENT}),
    answered("a field that an update set, by force", YOURS + "&force=true", RED, AS, given=[("POST {n}/configmaps?fieldManager=old", config())],
             shows={"data.color": "red"}),
    refused("without a version", MINE, {"kind": "ConfigMap", "metadata": {"name": "c"}}, AS, code=400, reason="BadRequest",
            message="Incorrect version specified in apply patch. Specified patch version: , expected: v1"),
    refused("of another version", MINE, config(apiVersion="v7"), AS, code=400, reason="BadRequest",
            message="Incorrect version specified in apply patch. Specified patch version: v7, expected: v1"),
    refused("with owners of fields", MINE, with_meta(config(), managedFields=[]), AS, code=400, reason="BadRequest", message="metadata.managedFields must be nil"),
    refused("of another name", MINE, config("d"), AS, code=400, reason="BadRequest", message="the name of the object (d) does not match the name on the URL (c)"),
    refused("of a uid that is nowhere", MINE, with_meta(config(), uid="mine"), AS, code=409, reason="Conflict",
            message='Operation cannot be fulfilled on configmaps "c": uid mismatch: the provided object specified uid mine, and no existing object was found'),
    refused("of an old revision", MINE, with_meta(config(), resourceVersion="1"), AS, given=[APPLIED], code=409, reason="Conflict",
            message='Operation cannot be fulfilled on configmaps "c": the object has been modified; please apply your changes to the latest version and try again'),
    refused("that is no YAML", MINE, b"a: [", AS, code=400, reason="BadRequest", message="error decoding YAML: error converting YAML to JSON: yaml: …"),
    refused("of the wrong type", MINE, config(data={"color": 1}), AS, code=400, reason="BadRequest",
            message="failed to create typed patch object (/c; /v1, Kind=ConfigMap): …"),
    refused("with one item twice", "PATCH {n}/pods/p?fieldManager=me", pod(containers=[{"name": "a", "image": "x"}] * 2), AS, code=400, reason="BadRequest",
            message='failed to create typed patch object (/p; /v1, Kind=Pod): .spec.containers: duplicate entries for key [name="a"]'),
    invalid("that breaks a rule", "PATCH {apps}/deployments/d?fieldManager=me", deployment(replicas=-1), AS, of='Deployment.apps "d"', causes=[
        ("FieldValueInvalid", "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
    ]),
    refused("of a part of what is not there", "PATCH {apps}/deployments/d/status?fieldManager=me", deployment(), AS, code=404, reason="NotFound",
            message='deployments.apps "d" not found'),
    answered("of a scale", "PATCH {apps}/deployments/d/scale?fieldManager=me&force=true",
             {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 4}}, AS,
             given=[("POST {apps}/deployments", deployment())], shows={"spec.replicas": 4}, after=(("{apps}/deployments/d", {"spec.replicas": 4}),)),
]  # fmt: skip


@pytest.mark.parametrize("case", [*TYPES, *MALFORMED, *APPLIES], ids=ids)
def test_patching(ground: Ground, case: Case) -> None:
    ground.play(case)
