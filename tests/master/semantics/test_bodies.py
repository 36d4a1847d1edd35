"""What is in a request's body: formats, kinds, names, unknown and duplicate fields, and what cannot be read at all."""

from __future__ import annotations

import json

import pytest

from tests.master.api.test_body import envelope, field
from tests.master.semantics.ground import (
    ABSENT, APPLY, JSON_PATCH, MERGE, STRATEGIC, Case, Ground, answered, config, deployment, ids, invalid, pod, refused, with_meta,
)  # fmt: skip

POST = "POST {n}/configmaps"
YAML, PROTOBUF = {"Content-Type": "application/yaml"}, {"Content-Type": "application/vnd.kubernetes.protobuf"}
UNREADABLE = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
BY_KIND = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
MADE = (POST, config())


def bad(name: str, body: bytes | dict | list, message: str, headers: dict | None = None, ask: str = POST, given: tuple = ()) -> Case:
    return refused(name, ask, body, headers or {}, code=400, reason="BadRequest", message=message, given=given)


UNREAD = [
    bad("nothing", b"", UNREADABLE + "unexpected end of JSON input (<empty>)"),
    bad("half a document", b'{"kind":', UNREADABLE + 'unexpected end of JSON input ({"kind":)'),
    bad("no document", b"hello", UNREADABLE + "invalid character 'h' looking for beginning of value (68656c6c6f)"),
    bad("a list", b"[1]", UNREADABLE + f"json: cannot unmarshal array into Go value of type {BY_KIND} (5b315d)"),
    bad("a long line of nonsense", b'{"a":1,"b":2,"c":3,"d":4,"e":5,,}', UNREADABLE + '…'),
    bad("too deep", b'{"a":' * 200 + b"1" + b"}" * 200, "the object provided is nested more than 100 levels deep"),
    bad("text that is not UTF-8", b'{"kind":"\xff"}', "the object provided is unrecognized…"),
    refused("too large", POST, b"x" * (3 * 1024 * 1024 + 1), code=413, reason="RequestEntityTooLarge",
            message="Request entity too large: limit is 3145728"),
    refused("another format", POST, b"a,b", {"Content-Type": "text/csv"}, code=415, reason="UnsupportedMediaType",
            message="the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, "
                    "application/vnd.kubernetes.protobuf"),
    bad("YAML that is none", b"a: [", "error converting YAML to JSON: yaml: …", YAML),
    bad("two documents", b"a: 1\n---\nb: 2\n", "error converting YAML to JSON: yaml: …", YAML),
    bad("protobuf without its prefix", b"hello", "…", PROTOBUF),
    bad("protobuf that is cut short", b"k8s\0\x0a\x20x", "the protobuf body is cut short", PROTOBUF),
    refused("protobuf of an unknown kind", POST, envelope(b"Gadget", b""), PROTOBUF, code=415, reason="UnsupportedMediaType",
            message="a Gadget in protobuf is not accepted - accepted media types include: application/json, application/yaml"),
]  # fmt: skip

READ = [
    answered("JSON without saying so", POST, b'{"metadata":{"name":"c"}}', {"Content-Type": ""}, code=201, shows={"kind": "ConfigMap", "apiVersion": "v1"}),
    answered("a charset beside it", POST, config(), {"Content-Type": "application/json; charset=utf-8"}, code=201),
    answered("YAML", POST, b"metadata:\n  name: c\ndata: {color: blue}\n", YAML, code=201, shows={"data.color": "blue"}),
    answered("protobuf", POST, envelope(b"ConfigMap", field(1, field(1, b"c")) + field(2, field(1, b"k") + field(2, b"v"))), PROTOBUF, code=201,
             shows={"data.k": "v", "metadata.name": "c"}),
    answered("options of a deletion in protobuf", "DELETE {n}/configmaps/c", envelope(b"DeleteOptions", field(4, b"Orphan")), PROTOBUF, given=[MADE],
             shows={"metadata.finalizers": ["orphan"]}),
    answered("a kind in its group alone", "POST {apps}/deployments", {k: v for k, v in deployment().items() if k not in ("kind", "apiVersion")},
             code=201, shows={"kind": "Deployment", "apiVersion": "apps/v1"}),
]  # fmt: skip

NAMED = [
    bad("another kind", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}},
        'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion'),
    bad("another kind of another group", deployment(),
        'Deployment in version "v1" cannot be handled as a ConfigMap: converting (v1.Deployment) to (core.ConfigMap): unknown conversion'),
    bad("a version that does not exist", config(apiVersion="v7"),
        'ConfigMap in version "v7" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v7" in scheme '
        '"pkg/api/legacyscheme/scheme.go:30"'),
    bad("a kind that does not exist", config(kind="Gadget"),
        'Gadget in version "v1" cannot be handled as a ConfigMap: no kind "Gadget" is registered for version "v1" in scheme '
        '"pkg/api/legacyscheme/scheme.go:30"'),
    bad("another version of the same kind", {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}},
        "the API version in the data (autoscaling/v1) does not match the expected API version (autoscaling/v2)",
        ask="POST /apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers"),
    bad("another namespace", with_meta(config(), namespace="elsewhere"),
        "the namespace of the provided object does not match the namespace sent on the request"),
    bad("another namespace at an update", with_meta(config(), namespace="elsewhere"),
        "the namespace of the object (elsewhere) does not match the namespace on the request ({ns})", ask="PUT {n}/configmaps/c", given=(MADE,)),
    bad("another namespace in a patch", {"metadata": {"namespace": "elsewhere"}},
        "the namespace of the provided object does not match the namespace sent on the request", {"Content-Type": MERGE}, "PATCH {n}/configmaps/c", (MADE,)),
    bad("another name at an update", config("d"), "the name of the object (d) does not match the name on the URL (c)",
        ask="PUT {n}/configmaps/c", given=(MADE,)),
    bad("no name at an update", {"data": {}}, "the name of the object ( based on URL) was undeterminable: name must be provided".replace("( b", "(c b"),
        ask="PUT {n}/configmaps/c", given=(MADE,)),
    bad("another name in a patch", {"metadata": {"name": "d"}}, "the name of the object (d) does not match the name on the URL (c)",
        {"Content-Type": MERGE}, "PATCH {n}/configmaps/c", (MADE,)),
    refused("a create in no namespace", "POST /api/v1/configmaps", config(), code=405, reason="MethodNotAllowed",
            message="the server does not allow this method on the requested resource"),
    answered("a namespace where there is none", "POST /api/v1/nodes", {"metadata": {"name": "n-{ns}", "namespace": "elsewhere"}}, code=201,
             shows={"metadata.namespace": ABSENT}),
]  # fmt: skip

WRONG_TYPES = [
    bad("a number for a text", config(data={"a": 1}),
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string'),
    bad("a text for a number", deployment(replicas="2"),
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field '
        "DeploymentSpec.spec.replicas of type int32", ask="POST {apps}/deployments"),
    bad("an object for a list", pod(containers={}),
        'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container',
        ask="POST {n}/pods"),
    bad("a bad quantity", pod(containers=[{"name": "a", "image": "b", "resources": {"limits": {"cpu": "lots"}}}]),
        'Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression '
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'", ask="POST {n}/pods"),
    bad("bad base64", {"metadata": {"name": "s"}, "data": {"a": "!"}}, 'the object provided is unrecognized (must be of type Secret): illegal base64 data at input byte 0', ask="POST {n}/secrets"),
]  # fmt: skip

TWICE = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"color":"red","color":"blue"},"dataa":{}}'
TWICE_YAML = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  color: red\n  color: blue\n"
ALREADY = 'line 7: key "color" already set in map'
SENTENCE = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
STRICT, WARN, IGNORE = (f"?fieldValidation={mode}" for mode in ("Strict", "Warn", "Ignore"))
MANAGED = "&fieldManager=me"
MERGE_TWICE = b'{"data":{"size":"1","size":"2"},"dataa":{}}'
OPERATIONS = b'[{"op":"add","path":"/dataa","value":{},"path":"/dataa"}]'
PATCHED = [("FieldValueInvalid", "patch", 'Invalid value: strict decoding error: duplicate field "data.size", unknown field "dataa"')]
UNKNOWN = ['duplicate field "data.color"', 'unknown field "dataa"']

FIELDS = [
    bad("strictly", TWICE, SENTENCE + ", ".join(UNKNOWN), ask=POST + STRICT),
    answered("with warnings", POST + WARN, TWICE, code=201, warnings=tuple(UNKNOWN), shows={"data.color": "blue", "dataa": ABSENT}),
    answered("with warnings, unasked", POST, TWICE, code=201, warnings=tuple(UNKNOWN)),
    answered("in silence", POST + IGNORE, TWICE, code=201, warnings=(), shows={"data.color": "blue", "dataa": ABSENT}),
    bad("strictly in YAML", TWICE_YAML, SENTENCE + f"yaml: unmarshal errors:\n  {ALREADY}", YAML, POST + STRICT),
    answered("with warnings in YAML", POST + WARN, TWICE_YAML, YAML, code=201, warnings=(ALREADY,)),
    bad("strictly at an update", TWICE, SENTENCE + ", ".join(UNKNOWN), ask="PUT {n}/configmaps/c" + STRICT, given=(MADE,)),
    invalid("strictly in a merge patch", "PATCH {n}/configmaps/c" + STRICT, MERGE_TWICE, {"Content-Type": MERGE}, given=[MADE], of=' ""', causes=PATCHED),
    invalid("strictly in a strategic patch", "PATCH {n}/configmaps/c" + STRICT, MERGE_TWICE, {"Content-Type": STRATEGIC}, given=[MADE], of=' ""',
            causes=PATCHED),
    answered("with warnings in a patch", "PATCH {n}/configmaps/c", MERGE_TWICE, {"Content-Type": MERGE}, given=[MADE],
             warnings=('duplicate field "data.size"', 'unknown field "dataa"'), shows={"data.size": "2"}),
    invalid("strictly in a JSON patch", "PATCH {n}/configmaps/c" + STRICT, OPERATIONS, {"Content-Type": JSON_PATCH}, given=[MADE], of=' ""', causes=[
        ("FieldValueInvalid", "patch", 'Invalid value: strict decoding error: json patch duplicate field "[0].path", unknown field "dataa"'),
    ]),
    bad("strictly in what is applied", TWICE_YAML, f"error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  {ALREADY}",
        {"Content-Type": APPLY}, "PATCH {n}/configmaps/c" + STRICT + MANAGED),
    bad("strictly in what is applied as JSON", TWICE.replace(b',"dataa":{}', b""),
        'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 1: key "color" already set in map',
        {"Content-Type": APPLY}, "PATCH {n}/configmaps/c" + STRICT + MANAGED),
    answered("with warnings in what is applied", "PATCH {n}/configmaps/c" + WARN + MANAGED, TWICE_YAML, {"Content-Type": APPLY}, code=201,
             warnings=(ALREADY,), shows={"data.color": "blue"}),
    answered("in silence in what is applied", "PATCH {n}/configmaps/c" + IGNORE + MANAGED, TWICE_YAML, {"Content-Type": APPLY}, code=201, warnings=()),
    bad("an unknown field is never applied", {**config(), "dataa": {}},
        "failed to create typed patch object (/c; /v1, Kind=ConfigMap): .dataa: field not declared in schema",
        {"Content-Type": APPLY}, "PATCH {n}/configmaps/c" + IGNORE + MANAGED),
    answered("strictly in the case of a field's name", POST + WARN, {"metadata": {"name": "c"}, "Data": {"a": "b"}}, code=201,
             warnings=('unknown field "Data"',), shows={"data": ABSENT}),
]  # fmt: skip

OPTIONS = [
    invalid("an unknown mode", POST + "?fieldValidation=Maybe", config(), of='CreateOptions.meta.k8s.io ""', causes=[
        ("FieldValueNotSupported", "fieldValidation", 'Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"'),
    ]),
    invalid("an unknown dry run, and a manager that is too long", f"PUT {{n}}/configmaps/c?dryRun=x&fieldManager={'m' * 129}", config(),
            of='UpdateOptions.meta.k8s.io ""', causes=[
        ("FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes"),
        ("FieldValueNotSupported", "dryRun", 'Unsupported value: []string{"x"}: supported values: "All"'),
    ]),
    invalid("a manager that cannot be printed", POST + "?fieldManager=a%0Ab", config(), of='CreateOptions.meta.k8s.io ""', causes=[
        ("FieldValueInvalid", "fieldManager", 'Invalid value: "a\\nb": invalid character U+000A (at position 1)'),
    ]),
    invalid("force without an apply", "PATCH {n}/configmaps/c?force=true", {}, {"Content-Type": MERGE}, of='PatchOptions.meta.k8s.io ""',
            causes=[("FieldValueForbidden", "force", "Forbidden: may not be specified for non-apply patch")]),
    invalid("an apply by nobody", "PATCH {n}/configmaps/c", config(), {"Content-Type": APPLY}, of='PatchOptions.meta.k8s.io ""',
            causes=[("FieldValueRequired", "fieldManager", "Required value: is required for apply patch")]),
]  # fmt: skip


@pytest.mark.parametrize("case", [*UNREAD, *READ, *NAMED, *WRONG_TYPES, *FIELDS, *OPTIONS], ids=ids)
def test_bodies(ground: Ground, case: Case) -> None:
    ground.play(case)


def test_what_is_refused_is_not_there(ground: Ground) -> None:
    namespace = ground.namespace()
    code, _, _ = ground.ask(f"POST /api/v1/namespaces/{namespace}/configmaps?fieldValidation=Strict", TWICE)
    assert code == 400 and ground.get(f"/api/v1/namespaces/{namespace}/configmaps")["items"] == []


def test_a_body_as_large_as_it_may_be_is_read(ground: Ground) -> None:
    body = json.dumps({"metadata": {"name": "c"}, "unknown": "x" * (2 * 1024 * 1024)}).encode()
    code, answer, _ = ground.ask(f"POST /api/v1/namespaces/{ground.namespace()}/configmaps", body)
    assert code == 201, answer
