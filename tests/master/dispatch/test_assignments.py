"""What a node is sent: everything it should hold, nothing twice, nothing of others."""

from __future__ import annotations

import msgspec
import pytest

from common.objects.pod import Pod
from common.wire import messages as m
from master.api.contract import Stored
from master.dispatch import assignments
from master.dispatch.assignments import ConfigRef, Held, HeldConfig, HeldPod, Sent


def pod(uid: str = "u1", *, revision: int = 5, **changes: object) -> HeldPod:
    document = {
        "metadata": {"name": "web", "namespace": "d", "uid": uid, **changes.pop("metadata", {})},  # type: ignore[dict-item]
        "spec": {"nodeName": "n1", "containers": [{"name": "c"}], **changes.pop("spec", {})},  # type: ignore[dict-item]
        **changes,
    }
    value = msgspec.json.encode(document)
    return assignments.held_pod(msgspec.json.decode(value, type=Pod), Stored(value, revision))


def held(*pods: HeldPod, configs: dict[ConfigRef, HeldConfig] | None = None, peers: tuple[m.Peer, ...] = ()) -> Held:
    return Held({p.uid: p for p in pods}, configs or {}, peers)


def sent(now: Held) -> Sent:
    return assignments.plan(1, now, Sent())[1]


SECRET = ConfigRef("Secret", "d", "s")
PEER = m.Peer("n1", "10.0.0.1", "10.244.0.0/24")


def test_a_new_session_is_told_everything_with_sync_first() -> None:
    now = held(pod("u1"), pod("u2"), configs={SECRET: HeldConfig(3, b"{}")}, peers=(PEER,))
    out, after = assignments.plan(7, now, Sent())
    assert [type(message).__name__ for message in out] == ["Sync", "Assign", "Assign", "Config", "Peers"]
    assert out[0] == m.Sync(7, ("u1", "u2"))
    assert assignments.plan(7, now, after) == ([], after)


def test_a_node_without_pods_is_still_synced() -> None:
    assert assignments.plan(1, held(), Sent())[0] == [m.Sync(1, ())]


GATED = {"readinessGates": [{"conditionType": "example.com/ok"}]}
GATE = {"conditions": [{"type": "example.com/ok", "status": "True"}]}
CHANGES = {
    "its status changed: nothing": (pod(), pod(revision=6, status={"phase": "Running"}), []),
    "who owns its fields changed: nothing": (pod(), pod(revision=6, metadata={"managedFields": [{"manager": "dispatch"}]}), []),
    "a condition that none of its gates names: nothing": (pod(), pod(revision=6, status=GATE), []),
    "a readiness gate opened: Assign": (pod(spec=GATED), pod(revision=6, spec=GATED, status=GATE), ["Assign"]),
    "its revision alone changed: nothing": (pod(), pod(revision=9), []),
    "it is being deleted: Assign": (pod(), pod(revision=6, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), ["Assign"]),
    "its labels changed: Assign": (pod(), pod(revision=6, metadata={"labels": {"a": "b"}}), ["Assign"]),
    "its image changed: Assign": (pod(), pod(revision=6, spec={"containers": [{"name": "c", "image": "i"}]}), ["Assign"]),
    "it is gone: Forget": (pod(), None, ["Forget"]),
    "a namesake took its place: Forget, Assign": (pod("u1"), pod("u2"), ["Forget", "Assign"]),
}


@pytest.mark.parametrize(("before", "after", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_a_pod_changed(before: HeldPod, after: HeldPod | None, expected: list[str]) -> None:
    out, _ = assignments.plan(1, held(after) if after else held(), sent(held(before)))
    assert [type(message).__name__ for message in out] == expected


def test_an_assign_carries_the_pod_as_it_is_now_and_its_revision_as_generation() -> None:
    changed = pod(revision=6, metadata={"labels": {"a": "b"}})
    (assign,), after = assignments.plan(1, held(changed), sent(held(pod())))
    assert isinstance(assign, m.Assign)
    assert assign.generation == 6 == after.pods["u1"].generation
    assert msgspec.json.decode(assign.pod)["metadata"]["resourceVersion"] == "6"


def test_an_assign_says_nothing_of_who_owns_which_fields() -> None:
    owners = [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {}}}]
    owned = pod(metadata={"managedFields": owners, "annotations": {"a": "é"}})
    (_, assign), _ = assignments.plan(1, held(owned), Sent())
    document = owned.stored.document()
    assert document["metadata"].pop("managedFields") == owners
    assert isinstance(assign, m.Assign) and msgspec.json.decode(assign.pod) == document


CONFIGS = {
    "unchanged: nothing": (HeldConfig(3, b"a"), HeldConfig(3, b"a"), []),
    "changed": (HeldConfig(3, b"a"), HeldConfig(4, b"b"), [m.Config(1, "Secret", "d", "s", 4, b"b")]),
    "deleted": (HeldConfig(3, b"a"), HeldConfig(), [m.Config(1, "Secret", "d", "s", 0, None)]),
    "created after the pod that names it": (HeldConfig(), HeldConfig(9, b"a"), [m.Config(1, "Secret", "d", "s", 9, b"a")]),
}


@pytest.mark.parametrize(("before", "after", "expected"), CONFIGS.values(), ids=CONFIGS.keys())
def test_a_config_that_a_pod_names(before: HeldConfig, after: HeldConfig, expected: list[m.Message]) -> None:
    assert assignments.plan(1, held(pod(), configs={SECRET: after}), sent(held(pod(), configs={SECRET: before})))[0] == expected


def test_a_config_that_does_not_exist_is_said_to_be_missing_once() -> None:
    out, after = assignments.plan(1, held(configs={SECRET: HeldConfig()}), Sent(synced=True))
    assert out == [m.Config(1, "Secret", "d", "s", 0, None)]
    assert assignments.plan(1, held(configs={SECRET: HeldConfig()}), after)[0] == []


def test_a_config_that_is_named_again_later_is_sent_again() -> None:
    with_secret, without = held(pod(), configs={SECRET: HeldConfig(3, b"a")}), held(pod())
    after = assignments.plan(1, without, sent(with_secret))[1]
    assert [type(message).__name__ for message in assignments.plan(1, with_secret, after)[0]] == ["Config"]


NAMES = {
    "env of a ConfigMap": ({"containers": [{"name": "c", "env": [{"name": "E", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "k"}}}]}]}, "ConfigMap"),
    "env of a Secret": ({"containers": [{"name": "c", "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}]}]}, "Secret"),
    "envFrom a ConfigMap": ({"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "x"}}]}]}, "ConfigMap"),
    "envFrom a Secret": ({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "x"}}]}]}, "Secret"),
    "an init container": ({"initContainers": [{"name": "c", "envFrom": [{"secretRef": {"name": "x"}}]}]}, "Secret"),
    "a volume of a ConfigMap": ({"volumes": [{"name": "v", "configMap": {"name": "x"}}]}, "ConfigMap"),
    "a volume of a Secret": ({"volumes": [{"name": "v", "secret": {"secretName": "x"}}]}, "Secret"),
    "a projected volume": ({"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "x"}}]}}]}, "Secret"),
    "an image pull secret": ({"imagePullSecrets": [{"name": "x"}]}, "Secret"),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "kind"), NAMES.values(), ids=NAMES.keys())
def test_whatever_names_a_config_is_found(spec: dict, kind: str) -> None:
    assert pod(spec=spec).configs == (ConfigRef(kind, "d", "x"),)


def test_other_volumes_name_nothing() -> None:
    assert pod(spec={"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "hostPath": {"path": "/x"}}]}).configs == ()
