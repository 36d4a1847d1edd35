"""OpenAPI v2: one document in two forms. The protobuf is read back by protobuf's own library, with the descriptors that kubectl carries."""

from __future__ import annotations

import functools
import json
from typing import Any, cast

import msgspec
import pytest

from common.clock import SystemRng
from common.objects.customresource import CustomResourceDefinition
from master.api.catalog import Catalog
from master.api.crd import serving
from master.api.crd.conversion import Asking, Views
from master.api.openapi import v2
from master.api.registry import RESOURCES
from tests.e2e.conftest import kubectl_path
from tests.master.api.test_openapi_v3 import references

SPEC = {
    "type": "object", "required": ["size", "maybe"],
    "properties": {
        "size": {"type": "integer", "maximum": 10, "multipleOf": 0.5, "default": 3, "anyOf": [{"minimum": 1}]},
        "maybe": {"type": "object", "nullable": True, "description": "or not", "properties": {"a": {"type": "string"}}},
        "either": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"a": {"type": "string"}}},
        "parts": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": {"type": "string", "enum": ["a", "b"], "pattern": "^.$"}}},
        },
        "words": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 5}},
    },
}  # fmt: skip


def widget() -> CustomResourceDefinition:
    version = {
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "description": "A Widget.", "properties": {"spec": SPEC}}},
    }  # fmt: skip
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    return msgspec.convert({"metadata": {"name": "widgets.example.com"}, "spec": spec}, CustomResourceDefinition)


ASKING = Asking(views=cast(Views, None), rng=SystemRng())
"""No conversion is asked for here."""


@functools.cache
def catalog() -> Catalog:
    made = Catalog()
    made.add(serving.resources(widget(), ASKING))
    return made


@functools.cache
def document() -> Any:
    return json.loads(b"".join(v2.as_json(catalog().resources)))


def test_every_reference_leads_somewhere() -> None:
    found = {reference.removeprefix("#/definitions/") for reference in references(document())}
    assert found and found <= set(document()["definitions"])


def test_every_kind_that_is_served_is_defined_by_its_name() -> None:
    named = {
        (gvk["group"], gvk["version"], gvk["kind"])
        for definition in document()["definitions"].values() for gvk in definition.get("x-kubernetes-group-version-kind", ())
    }  # fmt: skip
    missing = {(r.group, r.version, r.kind) for r in catalog().resources} - named
    assert missing == {("authentication.k8s.io", "v1beta1", "SelfSubjectReview")}  # an older version, of which none is published any more


@pytest.mark.parametrize("resource", [r for r in RESOURCES if r.version != "v1beta1"], ids=lambda resource: resource.key)
def test_the_verbs_of_a_resource_are_its_operations(resource: Any) -> None:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    collection = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
    actions = {
        operation["x-kubernetes-action"]
        for place in (collection, collection + "/{name}") for method, operation in document()["paths"][place].items()
        if method != "parameters"
    }  # fmt: skip
    assert actions == {{"create": "post", "update": "put"}.get(verb, verb) for verb in resource.verbs} - {"watch"}


def test_a_patch_says_what_clients_look_for() -> None:
    patch = document()["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" in patch["consumes"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert {"fieldValidation", "dryRun", "fieldManager"} <= {p["name"] for p in patch["parameters"] if p["in"] == "query"}
    custom = document()["paths"]["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}"]["patch"]
    assert "application/merge-patch+json" in custom["consumes"]
    assert "application/strategic-merge-patch+json" not in custom["consumes"]


def test_a_field_s_own_description_stands_beside_its_reference() -> None:
    pod = document()["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"]
    assert pod["affinity"]["$ref"] == "#/definitions/io.k8s.api.core.v1.Affinity" and pod["affinity"]["description"]
    assert (pod["containers"]["x-kubernetes-patch-merge-key"], pod["containers"]["x-kubernetes-patch-strategy"]) == ("name", "merge")


def test_what_version_2_cannot_say_of_a_custom_kind_is_left_out() -> None:
    spec = document()["definitions"]["com.example.v1.Widget"]["properties"]["spec"]
    assert spec["required"] == ["size"]  # and not `maybe`, which may be null
    fields = spec["properties"]
    assert fields["size"] == {"type": "integer", "maximum": 10, "multipleOf": 0.5, "default": 3}
    assert fields["maybe"] == {"description": "or not"}
    assert fields["either"] == {"x-kubernetes-int-or-string": True}
    assert fields["free"] == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    assert fields["parts"]["x-kubernetes-list-map-keys"] == ["name"]
    assert document()["definitions"]["com.example.v1.Widget"]["properties"]["metadata"]["$ref"].endswith(".ObjectMeta")


# The protobuf form.


@functools.cache
def read() -> Any:
    """The document, decoded by protobuf's own library."""
    factory = pytest.importorskip("google.protobuf.message_factory")
    pool = pytest.importorskip("google.protobuf.descriptor_pool").DescriptorPool()
    pool.Add(_any_file())
    pool.Add(_carried(kubectl_path().read_bytes(), b"openapiv2/OpenAPIv2.proto"))
    made = factory.GetMessageClass(pool.FindMessageTypeByName("openapi.v2.Document"))()
    made.ParseFromString(b"".join(v2.as_protobuf(catalog().resources)))
    return made


def _any_file() -> Any:
    from google.protobuf import any_pb2, descriptor_pb2

    found = descriptor_pb2.FileDescriptorProto()
    any_pb2.DESCRIPTOR.CopyToProto(found)
    return found


def _carried(binary: bytes, name: bytes) -> Any:
    """A program in Go carries the descriptors of its messages as they are: a FileDescriptorProto, from its name (1) to its syntax (12)."""
    from google.protobuf import descriptor_pb2

    begin = binary.index(b"\n" + bytes([len(name)]) + name)
    position = begin

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = binary[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    number = 0
    while number != 12:
        number = varint() >> 3
        length = varint()
        position += length
    found = descriptor_pb2.FileDescriptorProto()
    found.ParseFromString(binary[begin:position])
    return found


def extensions(message: Any) -> dict[str, Any]:
    return {item.name: json.loads(item.value.yaml) for item in message.vendor_extension}


def schema_of(message: Any) -> dict[str, Any]:
    """A gnostic Schema as the JSON that it stands for."""
    plain = {
        "_ref": "$ref", "format": "format", "description": "description", "pattern": "pattern", "maximum": "maximum",
        "minimum": "minimum", "multiple_of": "multipleOf", "max_length": "maxLength", "min_length": "minLength",
    }  # fmt: skip
    found = {key: getattr(message, name) for name, key in plain.items() if getattr(message, name)}
    if message.type.value:
        [found["type"]] = message.type.value
    if message.required:
        found["required"] = list(message.required)
    if message.enum:
        found["enum"] = [json.loads(value.yaml) for value in message.enum]
    if message.HasField("default"):
        found["default"] = json.loads(message.default.yaml)
    if message.HasField("items"):
        [item] = message.items.schema
        found["items"] = schema_of(item)
    if message.HasField("properties"):
        found["properties"] = {item.name: schema_of(item.value) for item in message.properties.additional_properties}
    if message.HasField("additional_properties"):
        wrapped = message.additional_properties
        found["additionalProperties"] = schema_of(wrapped.schema) if wrapped.WhichOneof("oneof") == "schema" else wrapped.boolean
    return {**found, **extensions(message)}


def test_protobuf_says_of_every_definition_what_json_says() -> None:
    found = {item.name: schema_of(item.value) for item in read().definitions.additional_properties}
    assert found == document()["definitions"]


def operation_of(message: Any) -> dict[str, Any]:
    parameters = []
    for item in message.parameters:
        given = item.parameter
        if given.WhichOneof("oneof") == "body_parameter":
            body = given.body_parameter
            parameters.append({"name": body.name, "in": getattr(body, "in"), "required": body.required, "schema": schema_of(body.schema)})
        else:
            query = given.non_body_parameter.query_parameter_sub_schema
            named = {"name": query.name, "in": getattr(query, "in"), "type": query.type, "uniqueItems": query.unique_items}
            parameters.append({**named, "description": query.description})
    answers = {}
    for item in message.responses.response_code:
        answers[item.name] = {"description": item.value.response.description, "schema": schema_of(item.value.response.schema.schema)}
    return {
        "tags": list(message.tags), "operationId": message.operation_id, "schemes": list(message.schemes), "consumes": list(message.consumes),
        "produces": list(message.produces), "parameters": parameters, "responses": answers, **extensions(message),
    }  # fmt: skip


def test_protobuf_says_of_every_path_what_json_says() -> None:
    found = {}
    for item in read().paths.path:
        place = found[item.name] = {}
        for method in ("get", "put", "post", "delete", "options", "head", "patch"):
            if item.value.HasField(method):
                place[method] = operation_of(getattr(item.value, method))
        given = [entry.parameter.non_body_parameter.path_parameter_sub_schema for entry in item.value.parameters]
        if given:
            place["parameters"] = [
                {"name": p.name, "in": getattr(p, "in"), "required": p.required, "type": p.type, "uniqueItems": p.unique_items} for p in given
            ]
    assert found == document()["paths"]
    assert (read().swagger, read().info.title) == ("2.0", "Kubernetes")
