"""What a ConversionReview's answer must hold, and where a webhook is; pure."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from common.errors import SteersmanError
from common.objects.customresource import ClientConfig, ServiceReference
from master.api import webhooks
from master.api.crd import conversion
from tests.master.api.doorway import ADMIN, Doorway, scenario

SITE = {
    "metadata": {"name": "a", "namespace": "n", "uid": "u", "finalizers": ["example.test/x"], "labels": {"l": "1"}},
    "apiVersion": "example.test/v1", "kind": "Site", "spec": {},
}  # fmt: skip
WANTED = "example.test/v2"


def answer(**changes: Any) -> bytes:
    response = {"uid": "7", "result": {"status": "Success"}, "convertedObjects": [], **changes.pop("response", {})}
    return msgspec.json.encode({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response, **changes})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"no json", "the answer cannot be read: ", id="no JSON"),
        pytest.param(b"[" * 5000 + b"]" * 5000, "nested more than", id="nested too deep"),
        pytest.param(b"[]", "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got , Kind=", id="no object"),
        pytest.param(answer(apiVersion="apiextensions.k8s.io/v1beta1"), "got apiextensions.k8s.io/v1beta1, Kind=Con", id="another version"),
        pytest.param(answer(kind="AdmissionReview"), "got apiextensions.k8s.io/v1, Kind=AdmissionReview", id="another kind"),
        pytest.param(b'{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview"}', "no response provided", id="no response"),
        pytest.param(answer(response={"uid": "8"}), 'expected response.uid="7", got "8"', id="another question's answer"),
        pytest.param(answer(response={"result": {"status": "Failure", "message": "cannot"}}), "cannot", id="a refusal with its reason"),
        pytest.param(answer(response={"result": {"status": "Failure"}}), "was 'Failure', not 'Success'", id="a refusal without a reason"),
        pytest.param(answer(response={"result": None}), "response.result.status was '', not 'Success'", id="no result"),
        pytest.param(answer(response={"convertedObjects": "x"}), "convertedObjects is not a list", id="no list"),
    ],
)
def test_answers_that_are_none(raw: bytes, said: str) -> None:
    with pytest.raises(webhooks.WebhookFault) as fault:
        conversion.answered(raw, uid="7", version="v1")
    assert said in fault.value.message


def test_the_older_review_says_neither_its_kind_nor_the_question() -> None:
    raw = msgspec.json.encode({"response": {"result": {"status": "Success"}, "convertedObjects": [1]}})
    assert conversion.answered(raw, uid="7", version="v1beta1") == [1]


def changed(**changes: Any) -> Any:
    made = copy.deepcopy(SITE)
    made["metadata"] |= changes.pop("metadata", {})
    return {**made, "apiVersion": WANTED, **changes}


@pytest.mark.parametrize(
    ("converted", "said"),
    [
        pytest.param([], "it is not an object", id="no object"),
        pytest.param(changed(apiVersion="example.test/v1"), "invalid groupVersion (expected example.test/v2, received example.test/v1)",
                     id="not converted"),
        pytest.param(changed(kind="Town"), "invalid kind (expected Site, received Town)", id="another kind"),
        pytest.param({"apiVersion": WANTED, "kind": "Site"}, "missing metadata in converted object", id="no metadata"),
        pytest.param(changed(metadata={"name": "b"}), "must have the same name: a != b", id="another name"),
        pytest.param(changed(metadata={"namespace": "m"}), "must have the same namespace: n != m", id="another namespace"),
        pytest.param(changed(metadata={"uid": "v"}), "must have the same UID: u != v", id="another uid"),
        pytest.param(changed(metadata={"labels": ["x"]}), "invalid metadata.labels in converted object", id="labels that are no map"),
        pytest.param(changed(metadata={"annotations": {"x": 1}}), "metadata.annotations[x] must be a string", id="an annotation of a number"),
        pytest.param(changed(metadata={"labels": {"_": "x"}}), "name part must consist of alphanumeric", id="a label that is none"),
    ],
)  # fmt: skip
def test_objects_that_a_webhook_may_not_make(converted: Any, said: str) -> None:
    with pytest.raises(webhooks.WebhookFault) as fault:
        conversion.restore(SITE, converted, WANTED)
    assert said in fault.value.message


def test_of_the_metadata_labels_and_annotations_are_the_webhooks_and_all_else_is_kept() -> None:
    converted = changed(metadata={"labels": {"m": "2"}, "annotations": {"a": "b"}, "finalizers": [], "generation": 9})
    conversion.restore(SITE, converted, WANTED)
    assert converted["metadata"] == {
        "name": "a", "namespace": "n", "uid": "u", "finalizers": ["example.test/x"], "labels": {"m": "2"}, "annotations": {"a": "b"}
    }  # fmt: skip
    without = changed(metadata={"labels": None})
    conversion.restore(SITE, without, WANTED)
    assert "labels" not in without["metadata"]


# Where it is.

SERVICE = {"metadata": {"name": "conv"}, "spec": {"ports": [{"name": "tls", "port": 443, "targetPort": 9443}], "clusterIP": "10.96.0.9"}}


def endpoints(address: str, *, ready: bool | None = True) -> dict[str, Any]:
    condition = {} if ready is None else {"ready": ready}
    return {
        "metadata": {"name": f"conv-{address.replace('.', '-')}", "labels": {"kubernetes.io/service-name": "conv"}}, "addressType": "IPv4",
        "ports": [{"name": "tls", "port": 9443}], "endpoints": [{"addresses": [address], "conditions": condition}],
    }  # fmt: skip


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "conv"}, "spec": {**SERVICE["spec"], **spec}}


@pytest.mark.parametrize(
    ("services", "slices", "asked", "found"),
    [
        pytest.param([SERVICE], [endpoints("10.1.0.5", ready=False), endpoints("10.1.0.6")], {}, ("10.1.0.6", 9443), id="a ready endpoint"),
        pytest.param([SERVICE], [endpoints("10.1.0.5", ready=None)], {}, ("10.1.0.5", 9443), id="an endpoint that does not say"),
        pytest.param([SERVICE], [], {}, ("10.96.0.9", 443), id="the cluster IP without endpoints"),
        pytest.param([service(type="ExternalName", externalName="conv.example.test", clusterIP="")], [], {"port": 8443},
                     ("conv.example.test", 8443), id="another name for it"),
        pytest.param([], [], {}, 'service "conv" not found in namespace "default"', id="no such service"),
        pytest.param([SERVICE], [], {"port": 80}, 'no service port 80 found for service "conv"', id="no such port"),
        pytest.param([service(clusterIP="None")], [endpoints("10.1.0.5", ready=False)], {},
                     'no endpoints available for service "conv" in namespace "default"', id="a headless service without endpoints"),
    ],
)  # fmt: skip
def test_a_service_leads_to(services: list[Any], slices: list[Any], asked: dict[str, Any], found: Any) -> None:
    async def main(here: Doorway) -> None:
        for resource, documents in (("services", services), ("endpointslices.discovery.k8s.io", slices)):
            for document in documents:
                await here.door.create(ADMIN, resource, "default", document)
        config = ClientConfig(service=ServiceReference(namespace="default", name="conv", path="/convert", **asked))
        try:
            target = webhooks.target_of(here.door.views, config)
        except webhooks.WebhookFault as fault:
            assert fault.message == found
        else:
            assert (target.host, target.port) == found
            assert target.url == f"https://conv.default.svc:{asked.get('port', 443)}/convert"

    scenario(main)()


def test_a_url_is_taken_as_it_stands() -> None:
    async def main(here: Doorway) -> None:
        config = ClientConfig(url="https://conv.example.test/x", ca_bundle="WA==")
        assert webhooks.target_of(here.door.views, config) == webhooks.Target("https://conv.example.test/x", ca="X")
        with pytest.raises(SteersmanError, match="caBundle is not PEM in base64"):
            webhooks.target_of(here.door.views, ClientConfig(url="https://x", ca_bundle="ä"))

    scenario(main)()


def test_many_objects_are_asked_for_in_few_questions() -> None:
    documents = [{"n": n, "text": "x" * 100_000} for n in range(200)]
    batches = list(conversion._batches(documents))
    assert [one["n"] for batch in batches for one in batch] == list(range(200))
    assert all(sum(len(msgspec.json.encode(one)) for one in batch) <= conversion.BATCH_BYTES for batch in batches)
    assert len(batches) == 3
    assert [len(batch) for batch in conversion._batches([{}] * 1201)] == [500, 500, 201]
    assert list(conversion._batches([])) == []


