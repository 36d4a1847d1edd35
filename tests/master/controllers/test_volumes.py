"""Claims and volumes: which belong together, what becomes of them, and what of it is told, as tables of reconciles."""

from __future__ import annotations

from typing import Any

import pytest

from master.api.contract import Ref
from master.controllers import ephemeral_volume, volume_binder, volume_protection
from master.controllers.controller import Seen
from tests.master.controllers.cluster import Cluster, node, pod

DATA = Ref("persistentvolumeclaims", "data", "default")
GONE = "2023-01-01T00:00:00Z"


def volume(name: str, size: str = "1Gi", *, phase: str = "Available", meta: dict | None = None, **spec: Any) -> dict:
    document = {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name, "uid": f"{name}-uid", **(meta or {})},
        "spec": {
            "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain",
            "volumeMode": "Filesystem", "hostPath": {"path": "/x"}, **spec,
        },
        "status": {"phase": phase},
    }  # fmt: skip
    return document


def claim(name: str = "data", size: str = "1Gi", *, meta: dict | None = None, **spec: Any) -> dict:
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "uid": f"{name}-uid", **(meta or {})},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, "volumeMode": "Filesystem",
            "storageClassName": "", **spec,
        },
        "status": {"phase": "Pending"},
    }  # fmt: skip


def storage_class(name: str = "local-path", provisioner: str = "steersman.io/local-path", mode: str = "WaitForFirstConsumer") -> dict:
    return {
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}, "provisioner": provisioner,
        "reclaimPolicy": "Delete", "volumeBindingMode": mode,
    }  # fmt: skip


def to(name: str, uid: str | None = None) -> dict:
    return {"kind": "PersistentVolumeClaim", "namespace": "default", "name": name, "uid": f"{name}-uid" if uid is None else uid}


def run(cluster: Cluster, ref: Ref = DATA) -> list:
    return cluster.run(volume_binder.CONTROLLER, ref)


def settle(cluster: Cluster) -> None:
    """Until nothing changes any more."""
    for _ in range(6):
        for ref in [ref for ref in cluster.documents if ref.resource in ("persistentvolumes", "persistentvolumeclaims")]:
            if ref in cluster.documents:
                run(cluster, ref)


BOTH = {"accessModes": ["ReadWriteOnce", "ReadWriteMany"]}


@pytest.mark.parametrize(
    ("volumes", "wish", "chosen"),
    [
        pytest.param([volume("big", "9Gi"), volume("fits", "2Gi")], claim(), "fits", id="the smallest that is large enough"),
        pytest.param([volume("small", "500Mi")], claim(), "", id="too small"),
        pytest.param([volume("other", storageClassName="fast")], claim(), "", id="of another class"),
        pytest.param([volume("of", storageClassName="fast")], claim(storageClassName="fast"), "of", id="of its class"),
        pytest.param([volume("once")], claim(**BOTH), "", id="not all the ways to mount it"),
        pytest.param([volume("more", **BOTH)], claim(), "more", id="more ways than asked for"),
        pytest.param([volume("block", volumeMode="Block")], claim(), "", id="a block device is no file system"),
        pytest.param([volume("a"), volume("b", meta={"labels": {"disk": "ssd"}})], claim(selector={"matchLabels": {"disk": "ssd"}}), "b",
                     id="that the selector matches"),
        pytest.param([volume("taken", claimRef=to("else"))], claim(), "", id="another claim's"),
        pytest.param([volume("small", "1Gi"), volume("mine", "5Gi", claimRef=to("data", ""))], claim(), "mine",
                     id="reserved for it, though another fits better"),
        pytest.param([volume("new", phase="Pending")], claim(), "", id="not looked at yet"),
        pytest.param([volume("going", meta={"deletionTimestamp": GONE})], claim(), "", id="on its way out"),
        pytest.param([volume("a"), volume("named", "9Gi")], claim(volumeName="named"), "named", id="asked for by name"),
        pytest.param([volume("named", "500Mi")], claim(volumeName="named"), "", id="asked for by name, too small"),
    ],
)  # fmt: skip
def test_which_volume_a_claim_gets(volumes: list, wish: dict, chosen: str) -> None:
    cluster = Cluster(*volumes, wish)
    run(cluster)
    settle_claim = cluster.documents[DATA]
    assert settle_claim["status"]["phase"] == ("Bound" if chosen else "Pending")
    if chosen:
        bound = cluster.documents[Ref("persistentvolumes", chosen)]
        assert settle_claim["spec"]["volumeName"] == chosen and bound["spec"]["claimRef"]["uid"] == "data-uid"
        assert bound["status"]["phase"] == "Bound" and settle_claim["status"]["capacity"] == bound["spec"]["capacity"]
        assert settle_claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] == "yes"
        assert run(cluster) == [] == run(cluster, Ref("persistentvolumes", chosen)), "what is bound stays as it is"


@pytest.mark.parametrize(
    ("present", "wish", "reason", "words"),
    [
        pytest.param([], claim(), "FailedBinding", "no persistent volumes available for this claim and no storage class is set", id="no class"),
        pytest.param([], claim(storageClassName="x"), "ProvisioningFailed", 'storageclass.storage.k8s.io "x" not found', id="a class that is not there"),
        pytest.param([storage_class()], claim(storageClassName="local-path"), "WaitForFirstConsumer",
                     "waiting for first consumer to be created before binding", id="its class waits for a pod"),
        pytest.param([storage_class("csi", "csi.example.com", "Immediate")], claim(storageClassName="csi"), "ExternalProvisioning",
                     "Waiting for a volume to be created either by the external provisioner 'csi.example.com'", id="somebody else makes it"),
        pytest.param([storage_class(mode="Immediate")], claim(storageClassName="local-path"), "ProvisioningFailed",
                     "configuration error, no node was specified", id="ours needs a node"),
        pytest.param([volume("small", "500Mi")], claim(volumeName="small"), "VolumeMismatch",
                     'Cannot bind to requested volume "small": requested PV is too small', id="the wrong size"),
    ],
)  # fmt: skip
def test_why_a_claim_waits(present: list, wish: dict, reason: str, words: str) -> None:
    cluster = Cluster(*present, wish)
    run(cluster)
    [told] = cluster.events
    assert told.reason == reason and words in told.message
    assert cluster.documents[DATA]["status"]["phase"] == "Pending"


def test_a_folder_is_provisioned_on_the_selected_node_and_goes_with_its_claim() -> None:
    annotations = {"volume.kubernetes.io/selected-node": "n1"}
    cluster = Cluster(storage_class(), node("n1"), claim(storageClassName="local-path", meta={"annotations": annotations}))
    settle(cluster)
    made = cluster.documents[Ref("persistentvolumes", "pvc-data-uid")]
    assert made["spec"]["local"] == {"path": "/var/lib/steersman/local-path/pvc-data-uid"}
    [term] = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}]
    assert made["spec"]["persistentVolumeReclaimPolicy"] == "Delete" and made["metadata"]["finalizers"] == ["steersman.io/local-path"]
    assert cluster.documents[DATA]["status"]["phase"] == "Bound" and made["status"]["phase"] == "Bound"
    assert "ProvisioningSucceeded" in [told.reason for told in cluster.events]
    before = cluster.view.current(DATA)
    cluster.remove(DATA)
    assert volume_binder.of_claim(cluster.view, Seen(DATA, before, None)) == [DATA, Ref("persistentvolumes", "pvc-data-uid")]
    run(cluster, Ref("persistentvolumes", "pvc-data-uid"))
    assert Ref("persistentvolumes", "pvc-data-uid") not in cluster.documents


@pytest.mark.parametrize(
    ("of_class", "of_claim", "words"),
    [
        pytest.param({}, BOTH, "only ReadWriteOnce and ReadWriteOncePod access modes are supported, not ReadWriteMany", id="shared by hosts"),
        pytest.param({}, {"volumeMode": "Block"}, "volumeMode Block is not supported", id="a block device"),
        pytest.param({"parameters": {"size": "fixed"}}, {}, "unknown parameters of the class: size", id="a parameter that nobody knows"),
        pytest.param({"parameters": {"path": "data"}}, {}, "must be an absolute path", id="a path that begins nowhere"),
    ],
)
def test_what_is_not_provisioned_says_why(of_class: dict, of_claim: dict, words: str) -> None:
    annotations = {"volume.kubernetes.io/selected-node": "n1"}
    wish = claim(storageClassName="local-path", meta={"annotations": annotations}, **of_claim)
    cluster = Cluster({**storage_class(), **of_class}, node("n1"), wish)
    run(cluster)
    assert (cluster.events[-1].reason, words in cluster.events[-1].message) == ("ProvisioningFailed", True)
    assert Ref("persistentvolumes", "pvc-data-uid") not in cluster.documents


def test_a_node_that_is_gone_is_selected_anew() -> None:
    annotations = {"volume.kubernetes.io/selected-node": "n9"}
    cluster = Cluster(storage_class(), claim(storageClassName="local-path", meta={"annotations": annotations}))
    settle(cluster)
    assert "volume.kubernetes.io/selected-node" not in cluster.documents[DATA]["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("spec", "phase", "gone"),
    [
        pytest.param({"persistentVolumeReclaimPolicy": "Retain"}, "Released", False, id="kept with its data, and nobody else's"),
        pytest.param({"persistentVolumeReclaimPolicy": "Delete"}, "Failed", False, id="nobody knows how to delete it"),
    ],
)
def test_a_volume_whose_claim_went(spec: dict, phase: str, gone: bool) -> None:
    cluster = Cluster(volume("v", claimRef=to("data"), phase="Bound", **spec))
    ref = Ref("persistentvolumes", "v")
    for _ in range(3):
        run(cluster, ref)
    assert cluster.documents[ref]["status"]["phase"] == phase and cluster.documents[ref]["spec"]["claimRef"]["name"] == "data"
    assert len(cluster.events) == (phase == "Failed")
    cluster.add(claim(meta={"uid": "another"}))
    run(cluster)
    assert cluster.documents[DATA]["status"]["phase"] == "Pending", "a namesake of the claim does not get its data"


def test_a_claim_that_lost_its_volume_says_so() -> None:
    cluster = Cluster(volume("v"), claim())
    run(cluster)
    cluster.remove(Ref("persistentvolumes", "v"))
    run(cluster)
    assert cluster.documents[DATA]["status"]["phase"] == "Lost"
    assert cluster.events[-1].message == "Bound claim has lost its PersistentVolume. Data on the volume is lost!"


def test_two_claims_do_not_share_a_volume() -> None:
    cluster = Cluster(volume("v"), claim("data"), claim("more"))
    settle(cluster)
    phases = [cluster.documents[Ref("persistentvolumeclaims", name, "default")]["status"]["phase"] for name in ("data", "more")]
    assert sorted(phases) == ["Bound", "Pending"]


# What is in use stays.


def using(name: str, **options: Any) -> dict:
    document = pod(name, **options)
    document["spec"]["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    return document


PROTECTED = {"finalizers": ["kubernetes.io/pvc-protection"], "deletionTimestamp": GONE}


@pytest.mark.parametrize(
    ("present", "stays"),
    [
        pytest.param([using("p", node="n1")], True, id="a pod on a node uses it"),
        pytest.param([using("p", node="n1", phase="Succeeded")], True, id="also one that has ended"),
        pytest.param([using("p")], False, id="a pod that has no node yet does not"),
        pytest.param([], False, id="nobody uses it"),
    ],
)
def test_a_claim_is_not_removed_under_its_pods(present: list, stays: bool) -> None:
    cluster = Cluster(claim(meta=PROTECTED), *present)
    cluster.run(volume_protection.CONTROLLERS[0], DATA)
    assert bool(cluster.documents[DATA]["metadata"].get("finalizers")) is stays


def test_a_bound_volume_is_not_removed_under_its_claim() -> None:
    ref = Ref("persistentvolumes", "v")
    about = {"finalizers": ["kubernetes.io/pv-protection", "steersman.io/local-path"], "deletionTimestamp": GONE}
    cluster = Cluster(volume("v", phase="Bound", meta=about))
    assert cluster.run(volume_protection.CONTROLLERS[1], ref) == []
    cluster.patch(ref, {"status": {"phase": "Released"}})
    cluster.run(volume_protection.CONTROLLERS[1], ref)
    assert cluster.documents[ref]["metadata"]["finalizers"] == ["steersman.io/local-path"]


def test_a_claim_from_before_there_was_protection_gets_it() -> None:
    cluster = Cluster(claim(meta={"finalizers": ["mine"]}))
    cluster.run(volume_protection.CONTROLLERS[0], DATA)
    assert cluster.documents[DATA]["metadata"]["finalizers"] == ["mine", "kubernetes.io/pvc-protection"]
    assert cluster.run(volume_protection.CONTROLLERS[0], DATA) == []


def test_the_end_of_a_pod_wakes_its_claims() -> None:
    cluster = Cluster(using("p", node="n1"))
    ref = Ref("pods", "p", "default")
    assert volume_protection.of_pod(cluster.view, Seen(ref, cluster.view.current(ref), None)) == [DATA]


# Ephemeral volumes.


def test_an_ephemeral_volume_has_a_claim_that_is_its_pods() -> None:
    document = pod("p", uid="p-uid")
    document["spec"]["volumes"] = [{"name": "v", "ephemeral": {"volumeClaimTemplate": {
        "metadata": {"labels": {"a": "b"}}, "spec": claim()["spec"],
    }}}]  # fmt: skip
    cluster = Cluster(document)
    ref, made = Ref("pods", "p", "default"), Ref("persistentvolumeclaims", "p-v", "default")
    cluster.run(ephemeral_volume.CONTROLLER, ref)
    assert cluster.run(ephemeral_volume.CONTROLLER, ref) == []
    about = cluster.documents[made]["metadata"]
    assert about["labels"] == {"a": "b"} and about["ownerReferences"][0]["uid"] == "p-uid" and about["ownerReferences"][0]["controller"]
    cluster.remove(made)
    cluster.add(claim("p-v"))
    cluster.run(ephemeral_volume.CONTROLLER, ref)
    assert cluster.events[-1].message == "PVC default/p-v was not created for pod default/p (pod is not owner)"
