"""Admission: what the cluster adds to a new object, or refuses."""

from __future__ import annotations

import re

import pytest

from common.errors import Forbidden
from master.api.contract import PatchType, Ref
from master.api.settings import DoorSettings
from tests.master.api.doorway import ADMIN, Doorway, scenario

CLASSES = "priorityclasses.scheduling.k8s.io"


@scenario
async def test_the_class_of_a_pod_gives_its_priority(here: Doorway) -> None:
    ref = await here.pod("vital", spec={"priorityClassName": "system-node-critical"})
    spec = here.door.get(ADMIN, ref).document()["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (2_000_001_000, "PreemptLowerPriority")


@scenario
async def test_a_pod_without_a_class_has_the_one_that_is_for_all_or_none(here: Doorway) -> None:
    before = here.door.get(ADMIN, await here.pod("before")).document()["spec"]
    assert before["priority"] == 0 and "priorityClassName" not in before
    usual = {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True, "preemptionPolicy": "Never"}
    await here.door.create(ADMIN, CLASSES, "", usual)
    after = here.door.get(ADMIN, await here.pod("after")).document()["spec"]
    assert (after["priorityClassName"], after["priority"], after["preemptionPolicy"]) == ("usual", 7, "Never")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"priorityClassName": "nope"}, "no PriorityClass with name nope was found", id="a class that is not there"),
        pytest.param({"priority": 5}, r"the integer value of priority \(5\) must not be provided in pod spec", id="a number of its own"),
        pytest.param({"priorityClassName": "system-node-critical", "preemptionPolicy": "Never"},
                     r"the string value of PreemptionPolicy \(Never\) must not be provided", id="a policy that is not the class's"),
    ],
)  # fmt: skip
def test_a_pod_may_not_choose_its_priority_by_itself(spec: dict, message: str) -> None:
    async def main(here: Doorway) -> None:
        with pytest.raises(Forbidden, match=message):
            await here.pod("web", spec=spec)

    scenario(main)()


TOKENS = DoorSettings(mount_tokens=True)
PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
MODEL = {
    "defaultMode": 420,
    "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ],
}


def test_a_pod_gets_its_accounts_token_where_nothing_else_is_mounted() -> None:
    async def main(here: Doorway) -> None:
        own = {"name": "own", "image": "i", "volumeMounts": [{"name": "mine", "mountPath": PLACE}]}
        containers = [{"name": "main", "image": "i", "volumeMounts": [{"name": "mine", "mountPath": "/data"}]}, own]
        spec = {"containers": containers, "initContainers": [{"name": "first", "image": "i"}], "volumes": [{"name": "mine", "emptyDir": {}}]}
        made = here.door.get(ADMIN, await here.pod("web", spec=spec)).document()["spec"]
        mine, injected = made["volumes"]
        assert mine["name"] == "mine" and injected["projected"] == MODEL
        assert re.fullmatch("kube-api-access-[a-z0-9]{5}", injected["name"])
        mount = {"name": injected["name"], "readOnly": True, "mountPath": PLACE}
        assert made["initContainers"][0]["volumeMounts"] == [mount]
        assert made["containers"][0]["volumeMounts"] == [{"name": "mine", "mountPath": "/data"}, mount]
        assert made["containers"][1]["volumeMounts"] == own["volumeMounts"]

    scenario(main, TOKENS)()


@pytest.mark.parametrize(
    ("account", "spec", "mounted"),
    [
        pytest.param({}, {}, True, id="nobody says anything"),
        pytest.param({"automountServiceAccountToken": False}, {}, False, id="the account says no"),
        pytest.param({}, {"automountServiceAccountToken": False}, False, id="the pod says no"),
        pytest.param({"automountServiceAccountToken": False}, {"automountServiceAccountToken": True}, True, id="the pod's word counts"),
    ],
)
def test_whether_a_token_is_mounted(account: dict, spec: dict, mounted: bool) -> None:
    async def main(here: Doorway) -> None:
        await here.door.create(ADMIN, "serviceaccounts", "default", {"metadata": {"name": "robot"}, **account})
        made = here.door.get(ADMIN, await here.pod("web", spec={"serviceAccountName": "robot", **spec})).document()["spec"]
        assert bool(made.get("volumes")) == mounted == bool(made["containers"][0].get("volumeMounts"))

    scenario(main, TOKENS)()


RUNTIME_CLASSES = "runtimeclasses.node.k8s.io"
CLASS = {
    "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "safe"}, "handler": "runsc",
    "overhead": {"podFixed": {"memory": "120Mi"}},
    "scheduling": {"nodeSelector": {"sandbox": "yes"}, "tolerations": [{"key": "sandbox", "operator": "Exists"}]},
}  # fmt: skip


def test_a_runtime_class_gives_the_pod_its_overhead_and_its_nodes() -> None:
    async def main(here: Doorway) -> None:
        await here.door.create(ADMIN, RUNTIME_CLASSES, "", CLASS)
        ref = await here.pod("web", spec={"runtimeClassName": "safe", "nodeSelector": {"disk": "ssd"}})
        made = here.door.get(ADMIN, ref).document()
        assert made["spec"]["overhead"] == {"memory": "120Mi"}
        assert made["spec"]["nodeSelector"] == {"disk": "ssd", "sandbox": "yes"}
        assert made["spec"]["tolerations"][0] == {"key": "sandbox", "operator": "Exists"}

    scenario(main)()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"runtimeClassName": "nope"}, 'pod rejected: RuntimeClass "nope" not found', id="a class that is not there"),
        pytest.param({"overhead": {"memory": "1Mi"}}, "Pod Overhead set without corresponding RuntimeClass", id="an overhead of its own"),
        pytest.param({"runtimeClassName": "safe", "overhead": {"memory": "1Mi"}}, "Pod's Overhead doesn't match", id="another overhead"),
        pytest.param({"runtimeClassName": "safe", "nodeSelector": {"sandbox": "no"}}, "pod rejected: conflict: runtimeClass.scheduling", id="other nodes"),
    ],
)  # fmt: skip
def test_a_pod_may_not_contradict_its_runtime_class(spec: dict, message: str) -> None:
    async def main(here: Doorway) -> None:
        await here.door.create(ADMIN, RUNTIME_CLASSES, "", CLASS)
        with pytest.raises(Forbidden, match=message):
            await here.pod("web", spec=spec)

    scenario(main)()


STORAGE = DoorSettings(protect_storage=True)
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def test_a_claim_gets_the_default_class_and_is_protected() -> None:
    async def main(here: Doorway) -> None:
        usual = {"storageclass.kubernetes.io/is-default-class": "true"}
        for name, annotations in (("plain", {}), ("usual", usual)):
            document = {"metadata": {"name": name, "annotations": annotations}, "provisioner": "example.com/x"}
            await here.door.create(ADMIN, "storageclasses.storage.k8s.io", "", document)
        for name, given, expected in (("a", {}, "usual"), ("b", {"storageClassName": ""}, ""), ("c", {"storageClassName": "plain"}, "plain")):
            made = await here.door.create(ADMIN, "persistentvolumeclaims", "default", {"metadata": {"name": name}, "spec": {**CLAIM, **given}})
            document = made.document()
            assert document["spec"].get("storageClassName") == expected
            assert document["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]

    scenario(main, STORAGE)()


def test_a_bound_claim_grows_only_where_its_class_lets_it() -> None:
    async def main(here: Doorway) -> None:
        for name, grows in (("fixed", False), ("grows", True)):
            document = {"metadata": {"name": name}, "provisioner": "example.com/x", "allowVolumeExpansion": grows}
            await here.door.create(ADMIN, "storageclasses.storage.k8s.io", "", document)
            spec = {**CLAIM, "storageClassName": name, "volumeName": "v"}
            await here.door.create(ADMIN, "persistentvolumeclaims", "default", {"metadata": {"name": name}, "spec": spec})
        larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        await here.door.patch(ADMIN, Ref("persistentvolumeclaims", "grows", "default"), PatchType.MERGE, larger)
        with pytest.raises(Forbidden, match="the storageclass that provisions the pvc must support resize"):
            await here.door.patch(ADMIN, Ref("persistentvolumeclaims", "fixed", "default"), PatchType.MERGE, larger)

    scenario(main, STORAGE)()
