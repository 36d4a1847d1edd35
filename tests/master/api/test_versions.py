"""One object in several versions: autoscaling/v1 and v2, core events and events.k8s.io."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import BadRequest, Conflict, Invalid, NotFound
from master.api import registry, tables
from master.api.contract import EventType, PatchType, Ref, Selection
from master.api.kinds import event
from master.api.kinds import horizontalpodautoscaler_v1 as hpa
from tests.master.api.doorway import ADMIN, Doorway, scenario

V1, V2 = "horizontalpodautoscalers.v1.autoscaling", "horizontalpodautoscalers.autoscaling"
TARGET = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
PODS = {"type": "Pods", "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "10"}}}


SELECTOR = {"matchLabels": {"a": "b"}}
METRICS = [
    PODS,
    {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
    {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target": {"type": "Utilization", "averageUtilization": 7}}},
    {"type": "Object", "object": {"describedObject": TARGET, "metric": {"name": "hits", "selector": SELECTOR}, "target": {"type": "Value", "value": "10"}}},
    {"type": "Object", "object": {"describedObject": TARGET, "metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "3"}}},
    {"type": "External", "external": {"metric": {"name": "queue", "selector": SELECTOR}, "target": {"type": "AverageValue", "averageValue": "30"}}},
]
IN_V1 = [
    {"type": "Pods", "pods": {"metricName": "hits", "targetAverageValue": "10"}},
    {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}},
    {"type": "ContainerResource", "containerResource": {"name": "cpu", "targetAverageUtilization": 7, "container": "c"}},
    {"type": "Object", "object": {"target": TARGET, "metricName": "hits", "targetValue": "10", "selector": SELECTOR}},
    {"type": "Object", "object": {"target": TARGET, "metricName": "hits", "targetValue": "0", "averageValue": "3"}},
    {"type": "External", "external": {"metricName": "queue", "metricSelector": SELECTOR, "targetAverageValue": "30"}},
]
BEHAVIOR = {"scaleUp": {"selectPolicy": "Min", "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}}
CURRENT = [{"type": "Pods", "pods": {"metric": {"name": "hits"}, "current": {"averageValue": "8"}}}]


def annotated(document: dict[str, Any], name: str) -> Any:
    return json.loads(document["metadata"]["annotations"][f"autoscaling.alpha.kubernetes.io/{name}"])


def test_what_v1_has_no_field_for_is_in_annotations_of_its_own_form() -> None:
    """As Kubernetes writes them: its clients of v1 read these."""
    spec = {"maxReplicas": 3, "scaleTargetRef": TARGET, "metrics": [hpa.cpu(60), *METRICS], "behavior": BEHAVIOR}
    conditions = [{"type": "AbleToScale", "status": "True"}]
    document = {"metadata": {"name": "x"}, "apiVersion": "autoscaling/v2", "spec": spec, "status": {"currentMetrics": CURRENT, "conditions": conditions}}
    older = hpa.to_v1(document)
    assert older["spec"] == {"maxReplicas": 3, "scaleTargetRef": TARGET, "targetCPUUtilizationPercentage": 60}
    assert annotated(older, "metrics") == IN_V1
    assert annotated(older, "current-metrics") == [{"type": "Pods", "pods": {"metricName": "hits", "currentAverageValue": "8"}}]
    assert annotated(older, "conditions") == conditions
    up = {"StabilizationWindowSeconds": None, "SelectPolicy": "Min", "Tolerance": None, "Policies": [{"Type": "Pods", "Value": 4, "PeriodSeconds": 15}]}
    assert annotated(older, "behavior") == {"ScaleUp": up, "ScaleDown": None}
    assert hpa.to_v2(older)["status"]["currentMetrics"] == CURRENT


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "{}", '[{"type": "Pods"}]', '[{"type": "Pods", "pods": 3}]', '{"ScaleUp": 3}'])
@pytest.mark.parametrize("name", ["metrics", "current-metrics", "conditions", "behavior"])
def test_an_annotation_that_cannot_be_read_breaks_nothing(name: str, text: str) -> None:
    document = {"metadata": {"name": "x", "annotations": {f"autoscaling.alpha.kubernetes.io/{name}": text}}, "spec": {}, "apiVersion": "autoscaling/v1"}
    assert hpa.to_v2(document)["metadata"]["annotations"] == {}


def v1(**spec: Any) -> dict[str, Any]:
    return {
        "kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v1", "metadata": {"name": "web"},
        "spec": {"maxReplicas": 5, "scaleTargetRef": TARGET, **spec},
    }  # fmt: skip


def at(resource: str, name: str = "web") -> Ref:
    return Ref(resource, name, "default")


def test_what_one_version_writes_the_other_reads() -> None:
    async def main(here: Doorway) -> None:
        made = (await here.door.create(ADMIN, V1, "default", v1(targetCPUUtilizationPercentage=60))).document()
        assert made["apiVersion"] == "autoscaling/v1" and made["spec"]["targetCPUUtilizationPercentage"] == 60
        newer = here.door.get(ADMIN, at(V2)).document()
        assert newer["apiVersion"] == "autoscaling/v2"
        assert newer["spec"]["metrics"][0]["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
        assert newer["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        with pytest.raises(BadRequest, match="strict decoding error|does not match"):
            await here.door.create(ADMIN, V2, "default", {**v1(), "metadata": {"name": "other"}})

    scenario(main)()


def test_a_client_of_the_older_version_loses_nothing_it_does_not_know() -> None:
    async def main(here: Doorway) -> None:
        cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
        document = {**v1(metrics=[cpu, PODS], behavior={"scaleDown": {"stabilizationWindowSeconds": 7}}), "apiVersion": "autoscaling/v2"}
        before = (await here.door.create(ADMIN, V2, "default", document)).document()
        older = here.door.get(ADMIN, at(V1)).document()
        assert "autoscaling.alpha.kubernetes.io/metrics" in older["metadata"]["annotations"]
        older["spec"]["maxReplicas"] = 9
        await here.door.update(ADMIN, at(V1), older)
        after = here.door.get(ADMIN, at(V2)).document()
        assert after["spec"] == {**before["spec"], "maxReplicas": 9} and "annotations" not in after["metadata"]
        patch = {"spec": {"targetCPUUtilizationPercentage": 70}}
        await here.door.patch(ADMIN, at(V1), PatchType.STRATEGIC, patch)
        metrics = here.door.get(ADMIN, at(V2)).document()["spec"]["metrics"]
        assert [m["type"] for m in metrics] == ["Resource", "Pods"] and metrics[0]["resource"]["target"]["averageUtilization"] == 70

    scenario(main)()


def test_lists_watches_tables_and_deletions_speak_the_version_that_was_asked() -> None:
    async def main(here: Doorway) -> None:
        await here.door.create(ADMIN, V1, "default", v1())
        page = await here.door.list(ADMIN, V1, "default")
        assert [stored.document()["apiVersion"] for stored in page.items] == ["autoscaling/v1"]
        events = here.door.watch(ADMIN, V1, "default")
        first = (await anext(aiter(events)))[0]
        assert first.type is EventType.ADDED and first.stored is not None
        assert first.stored.document()["spec"]["targetCPUUtilizationPercentage"] == 80
        await events.aclose()  # type: ignore[attr-defined]
        rows = []
        for key in (V1, V2):
            table = tables.render(registry.BY_KEY[key], (await here.door.list(ADMIN, key)).items, now=0.0)
            rows.append(msgspec.json.decode(table)["rows"][0]["cells"][:6])
        assert rows[0] == rows[1] == ["web", "Deployment/web", "cpu: <unknown>/80%", 1, 5, 0]
        with pytest.raises(Conflict):
            await here.door.update(ADMIN, at(V1), {**v1(), "metadata": {"name": "web", "resourceVersion": "1"}})
        with pytest.raises(Invalid) as caught:
            await here.door.update(ADMIN, at(V1), v1(maxReplicas=0))
        assert caught.value.causes[0].field == "spec.maxReplicas"
        gone, done = await here.door.delete(ADMIN, at(V1))
        assert done and gone.document()["apiVersion"] == "autoscaling/v1"
        for key in (V1, V2):
            with pytest.raises(NotFound, match='^horizontalpodautoscalers.autoscaling "web" not found$'):
                here.door.get(ADMIN, at(key))

    scenario(main)()


def test_core_events_and_those_of_the_events_group_are_the_same_objects() -> None:
    async def main(here: Doorway) -> None:
        document = {
            "kind": "Event", "apiVersion": "events.k8s.io/v1", "metadata": {"name": "e"}, "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingController": "example.com/c", "reportingInstance": "c-1", "action": "Looking", "reason": "Looked", "type": "Normal",
            "note": "somebody looked", "regarding": {"kind": "Pod", "namespace": "default", "name": "web"},
        }  # fmt: skip
        made = (await here.door.create(ADMIN, "events.events.k8s.io", "default", document)).document()
        assert (made["note"], made["apiVersion"]) == ("somebody looked", "events.k8s.io/v1")
        core = here.door.get(ADMIN, at("events", "e")).document()
        assert (core["message"], core["involvedObject"]["name"], core["apiVersion"]) == ("somebody looked", "web", "v1")
        assert "note" not in core
        with pytest.raises(Invalid) as caught:
            bare = {"metadata": {"name": "f"}, "regarding": {"namespace": "elsewhere"}, "type": "Normal"}
            await here.door.create(ADMIN, "events.events.k8s.io", "default", bare)
        missing = ["eventTime", "reportingController", "reportingInstance", "action", "reason"]
        assert [cause.field for cause in caught.value.causes] == ["involvedObject.namespace", *missing]
        for key, fields in (("events", "involvedObject.name=web,reason=Looked"), ("events.events.k8s.io", "regarding.name=web")):
            assert len((await here.door.list(ADMIN, key, "default", selection=Selection(fields=fields))).items) == 1
        with pytest.raises(BadRequest):
            await here.door.list(ADMIN, "events.events.k8s.io", "default", selection=Selection(fields="involvedObject.name=web"))

    scenario(main)()


PERCENTS = st.one_of(st.none(), st.integers(1, 500))


@given(PERCENTS, st.booleans(), st.booleans(), st.dictionaries(st.sampled_from(["a", "b/c"]), st.text(max_size=3), max_size=2))
def test_there_and_back_again(percent: int | None, more: bool, behavior: bool, annotations: dict[str, str]) -> None:
    """v2 → v1 → v2 is the identity, but for the order of metrics."""
    spec: dict[str, Any] = {"maxReplicas": 3, "scaleTargetRef": TARGET}
    metrics = ([hpa.cpu(percent)] if percent else []) + (METRICS if more else [])
    if metrics:
        spec["metrics"] = metrics
    if behavior:
        spec["behavior"] = BEHAVIOR
    document = {"kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2", "metadata": {"name": "x"}, "spec": spec}
    if annotations:
        document["metadata"]["annotations"] = annotations
    back = hpa.to_v2(hpa.to_v1(document))
    if back["metadata"].get("annotations") == {}:
        del back["metadata"]["annotations"]  # never stored when empty
    assert back == document


@given(st.dictionaries(st.sampled_from(sorted([*event.RENAMED, "reason", "type", "series", "eventTime", "related"])), st.text(max_size=3)))
def test_events_there_and_back_again(content: dict[str, str]) -> None:
    document = {"kind": "Event", "apiVersion": "v1", "metadata": {"name": "x"}, **content}
    assert event.to_core(event.to_events_v1(document)) == document
