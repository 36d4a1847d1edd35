"""What hosts are told of claims and volumes, and what becomes of a volume whose folder is to go."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from common.wire import messages as m
from master.api.contract import Document, PatchType, Ref
from tests.master.dispatch.world import USER, World, check

CLAIM, VOLUME = Ref("persistentvolumeclaims", "data", "default"), Ref("persistentvolumes", "pvc-1")


async def bound(world: World, **volume: Any) -> None:
    """A claim and its volume, as the binder leaves them."""
    wish = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "pvc-1"}
    about = {"name": "data", "annotations": {"pv.kubernetes.io/bind-completed": "yes"}}
    made = (await world.door.create(USER, CLAIM.resource, "default", {"metadata": about, "spec": wish})).document()
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}
    spec = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "local": {"path": "/data/pvc-1"},
        "persistentVolumeReclaimPolicy": "Delete",
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
        "claimRef": {"namespace": "default", "name": "data", "uid": made["metadata"]["uid"]},
    }  # fmt: skip
    annotations = {"steersman.io/node": "n1", "pv.kubernetes.io/provisioned-by": "steersman.io/local-path"}
    about = {"name": "pvc-1", "annotations": annotations, "finalizers": ["steersman.io/local-path"], **volume}
    await world.door.create(USER, VOLUME.resource, "", {"metadata": about, "spec": spec})


def using() -> Document:
    return {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}


def exists(world: World) -> bool:
    return world.store.get(VOLUME.key) is not None


def test_a_host_is_told_which_volume_its_pods_claim_is_when_it_is_bound() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        await world.pod("web", **using())
        first = await agent.expect(m.Config)
        assert (first.kind, first.name, first.document) == ("PersistentVolumeClaim", "data", None)
        await bound(world)
        then = await agent.expect(m.Config)
        assert then.document is not None
        assert msgspec.json.decode(then.document)["spec"]["local"]["path"] == "/data/pvc-1"

    check(test)


def test_a_volume_that_is_deleted_goes_when_its_host_has_removed_the_folder() -> None:
    async def test(world: World) -> None:
        await world.node("n2")
        await bound(world)
        mine, other = await world.connected(), await world.connected("n2")
        await world.door.delete(USER, VOLUME)
        asked = await mine.expect(m.DropVolume)
        assert (asked.name, asked.path) == ("pvc-1", "/data/pvc-1")
        await other.say(m.VolumeGone(other.epoch, "pvc-1"))
        await mine.say(m.VolumeGone(mine.epoch, "pvc-1", "it is no folder of ours"))
        await mine.say(m.VolumeGone(mine.epoch - 1, "pvc-1"))
        await asyncio.sleep(1)
        assert exists(world), "another host's word, an error and an old session's word count for nothing"
        again = await world.connected()
        assert [each.name for each in again.heard if isinstance(each, m.DropVolume)] == ["pvc-1"], "a new session is told again"
        await again.say(m.VolumeGone(again.epoch, "pvc-1"))
        await world.until(lambda: not exists(world))

    check(test)


def test_a_volume_in_use_is_not_dropped_and_one_of_a_lost_host_is_let_go() -> None:
    async def test(world: World) -> None:
        await bound(world, finalizers=["kubernetes.io/pv-protection", "steersman.io/local-path"])
        agent = await world.connected()
        await world.door.delete(USER, VOLUME)
        assert not [each for each in await agent.quiet(1) if isinstance(each, m.DropVolume)]
        await world.door.patch(USER, VOLUME, PatchType.MERGE, {"metadata": {"finalizers": ["steersman.io/local-path"]}})
        await agent.expect(m.DropVolume)
        await world.door.delete(USER, Ref("nodes", "n1"))
        await world.until(lambda: not exists(world))

    check(test)


def test_a_volume_that_is_retained_goes_and_its_folder_stays() -> None:
    async def test(world: World) -> None:
        await bound(world)
        agent = await world.connected()
        await world.door.patch(USER, VOLUME, PatchType.MERGE, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
        await world.door.delete(USER, VOLUME)
        await world.until(lambda: not exists(world))
        assert not [each for each in [*agent.heard, *await agent.quiet(1)] if isinstance(each, m.DropVolume)]

    check(test)
