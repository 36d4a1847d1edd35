"""Strict decoding: what a user is told about a document that does not fit its kind."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest

from common.errors import BadRequest, Invalid
from master.api import schema, strict

POD = schema.for_kind("v1", "Pod")
DEPLOYMENT = schema.for_kind("apps/v1", "Deployment")


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def with_container(**fields: Any) -> dict[str, Any]:
    return deployment(template={"spec": {"containers": [{"name": "c", **fields}]}})


PREFIX = 'Deployment in version "v1" cannot be handled as a Deployment: '
QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        pytest.param(deployment(replica=1), 'strict decoding error: unknown field "spec.replica"', id="an unknown field"),
        pytest.param(deployment(a=1, b={"c": 1}), 'strict decoding error: unknown field "spec.a", unknown field "spec.b"', id="two unknown fields, each once"),
        pytest.param(with_container(imag="x"), 'strict decoding error: unknown field "spec.template.spec.containers[0].imag"', id="an unknown field in a list names its index"),
        pytest.param(deployment(replicas="3"), "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32", id="a string where a number belongs"),
        pytest.param(deployment(replicas=1.5), "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32", id="a fraction where an integer belongs"),
        pytest.param(deployment(replicas=2**31), "json: cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32", id="a number beyond int32"),
        pytest.param(deployment(replicas=True), "json: cannot unmarshal bool into Go struct field DeploymentSpec.spec.replicas of type int32", id="true is no number"),
        pytest.param(deployment(paused="yes"), "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool", id="a string where a boolean belongs"),
        pytest.param(with_container(env=[{"name": "A", "value": 1}]), "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string", id="an env value must be quoted"),
        pytest.param(with_container(ports={}), "json: cannot unmarshal object into Go struct field Container.spec.template.spec.containers.ports of type []v1.ContainerPort", id="an object where a list belongs"),
        pytest.param(with_container(command="sh"), "json: cannot unmarshal string into Go struct field Container.spec.template.spec.containers.command of type []string", id="a string where a list of strings belongs"),
        pytest.param(deployment(template=[]), "json: cannot unmarshal array into Go struct field DeploymentSpec.spec.template of type v1.PodTemplateSpec", id="a list where an object belongs"),
        pytest.param({**deployment(), "metadata": {"labels": {"a": 1}}}, "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string", id="a label must be a string"),
        pytest.param(with_container(resources={"limits": {"cpu": "lots"}}), QUANTITY, id="a bad quantity"),
        pytest.param(with_container(resources={"limits": {"cpu": True}}), QUANTITY, id="true is no quantity"),
        pytest.param(with_container(livenessProbe={"httpGet": {"port": {}}}), "json: cannot unmarshal object into Go value of type int32", id="a port is a number or a name"),
    ],
)  # fmt: skip
def test_what_is_refused(document: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        strict.check(document, DEPLOYMENT, mode="Strict")
    assert caught.value.message == PREFIX + said


def test_bad_base64_is_refused() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "data": {"a": "not base64!"}}
    with pytest.raises(BadRequest, match="illegal base64 data at input byte 3"):
        strict.check(secret, schema.for_kind("v1", "Secret"))


@pytest.mark.parametrize("text", ["yesterday", "2025-13-01T00:00:00Z", "2025-01-01 00:00:00", "2025-01-01T00:00:00"])
def test_a_bad_time_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="parsing time"):
        strict.check({"kind": "Pod", "apiVersion": "v1", "metadata": {"creationTimestamp": text}}, POD)


@pytest.mark.parametrize("document", [[], "pod", 3, None])
def test_a_document_must_be_an_object(document: Any) -> None:
    with pytest.raises(BadRequest, match=r"\(must be of type Pod\).*Go value of type v1\.Pod"):
        strict.check(document, POD)


def test_warn_names_what_it_drops_and_ignore_drops_in_silence() -> None:
    document = with_container(imag="x")
    cleaned, warnings = strict.check(document, DEPLOYMENT, mode="Warn", duplicates=['duplicate field "spec.template"'])
    assert warnings == ['duplicate field "spec.template"', 'unknown field "spec.template.spec.containers[0].imag"']
    assert cleaned == with_container()
    assert strict.check(document, DEPLOYMENT, mode="Ignore", duplicates=['duplicate field "spec.template"']) == (with_container(), [])


def test_duplicate_fields_are_refused_when_strict() -> None:
    with pytest.raises(BadRequest, match='strict decoding error: duplicate field "spec.replicas"$'):
        strict.check(deployment(replicas=1), DEPLOYMENT, mode="Strict", duplicates=['duplicate field "spec.replicas"'])


def test_a_patched_document_that_does_not_fit_is_invalid_at_patch() -> None:
    with pytest.raises(Invalid) as caught:
        strict.check(deployment(replica=1), DEPLOYMENT, mode="Strict", patched=True)
    assert caught.value.causes[0].field == "patch"
    assert 'unknown field "spec.replica"' in caught.value.causes[0].message


def test_nulls_are_absent_fields_and_zero_items() -> None:
    document = {
        "metadata": {"creationTimestamp": None, "labels": {"a": None}},
        "spec": {"containers": [None, {"name": "c", "args": [None, "x"]}], "volumes": None},
    }
    assert strict.check(document, POD)[0] == {
        "metadata": {"labels": {"a": ""}},
        "spec": {"containers": [{}, {"name": "c", "args": ["", "x"]}]},
    }


def test_the_document_given_is_not_changed() -> None:
    document = with_container(imag="x", resources={"limits": {"cpu": 0.5}}, env=None)
    before = copy.deepcopy(document)
    strict.check(document, DEPLOYMENT)
    assert document == before


def test_free_form_fields_pass_as_they_are() -> None:
    managed = [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:anything": None}}}]
    assert strict.check({"metadata": {"managedFields": managed}}, POD, mode="Strict")[0]["metadata"]["managedFields"] == managed


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (0.5, "500m"), (1, "1"), ("1000m", "1"), ("1500m", "1500m"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("100Mi", "100Mi"),
        ("1000", "1k"), ("128974848", "128974848"), ("129e6", "129e6"), ("1e3", "1e3"), ("0", "0"), ("0.1Ki", "102400m"), ("-1", "-1"), ("1E", "1E"),
    ],
)  # fmt: skip
def test_quantities_become_canonical(given: Any, stored: str) -> None:
    cleaned, _ = strict.check({"spec": {"overhead": {"cpu": given}}}, POD)
    assert cleaned["spec"]["overhead"]["cpu"] == stored


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        pytest.param(deployment(), ["spec.template"], id="a deployment without template, whose selector its own rules ask for"),
        pytest.param(deployment(selector={}, template={"spec": {"containers": []}}), [], id="an empty list of containers, which the rules of pods tell"),
        pytest.param(deployment(selector={}, template={"spec": {"containers": [{"name": "x", "env": [{}]}]}}), ["spec.template.spec.containers[0].env[0].name"], id="a variable without a name"),
        pytest.param(deployment(selector={}, template={"spec": {"containers": [{"name": "c", "ports": [{}]}]}}), ["spec.template.spec.containers[0].ports[0].containerPort"], id="a port without a number"),
        pytest.param({"status": {"conditions": [{}]}}, [], id="status is filled by the system"),
    ],
)  # fmt: skip
def test_required_fields_that_are_missing(document: dict[str, Any], fields: list[str]) -> None:
    causes = strict.missing_required(document, DEPLOYMENT)
    assert [cause.field for cause in causes] == fields
    assert {(cause.reason, cause.message) for cause in causes} <= {("FieldValueRequired", "Required value")}


def test_a_thousand_unknown_fields_are_not_a_thousand_words() -> None:
    with pytest.raises(BadRequest) as caught:
        strict.check({f"f{n}": 1 for n in range(1000)}, POD, mode="Strict")
    assert caught.value.message.count("unknown field") == strict.MAX_REPORTED


def test_a_pod_of_four_kilobytes_takes_well_under_a_millisecond() -> None:
    container = {
        "name": "c", "image": "nginx", "env": [{"name": f"A{n}", "value": "x" * 20} for n in range(16)],
        "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    }  # fmt: skip
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container] * 4}}
    taken_s = []
    for _ in range(20):
        start = time.perf_counter()
        strict.check(document, POD, mode="Strict")
        taken_s.append(time.perf_counter() - start)
    assert min(taken_s) < 0.0005
