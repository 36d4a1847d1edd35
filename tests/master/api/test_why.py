"""The causal chain, and the history of one object."""

from __future__ import annotations

import pytest

from common.errors import Forbidden, NotFound
from master.api import why
from master.api.contract import Actor, DeleteOptions, DeleteObject, PatchObject, PatchType, Ref, Role
from master.store.contract import Cause, Change
from tests.master.api.doorway import ADMIN, DISPATCH, WEB, Doorway, config, scenario

NODE = Ref("nodes", "n1")
LIFECYCLE, EVICTION = Actor(Role.NODE_LIFECYCLE.user, Role.NODE_LIFECYCLE), Actor(Role.TAINT_EVICTION.user, Role.TAINT_EVICTION)


async def evicted(here: Doorway) -> None:
    """A node falls silent; its pod is evicted, and gone once its agent is back and says so."""
    door = here.door
    await door.create(DISPATCH, "nodes", "", {"metadata": {"name": "n1"}})
    await here.pod(node="n1")
    unknown = {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
    silent = await door.perform(DISPATCH, PatchObject(NODE, unknown, Cause("system:dispatch", "NodeSilent", "no heartbeat for 12 s"), "status"))
    taints = {"spec": {"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]}}
    tainted = await door.perform(LIFECYCLE, PatchObject(NODE, taints, Cause("system:lifecycle", "NodeTaints", "Ready is Unknown", silent.revision)))
    await door.perform(EVICTION, DeleteObject(WEB, Cause("system:eviction", "TaintEviction", "not tolerated", tainted.revision)))
    await door.delete(DISPATCH, WEB, DeleteOptions(confirmed=True, cause=Cause("system:node:n1", "Confirmed", "all containers are gone")))


@scenario
async def test_why_a_pod_is_gone(here: Doorway):
    await evicted(here)
    steps = await here.door.why(ADMIN, WEB)
    assert [(step["object"], step["verb"], step["rule"]) for step in steps] == [
        ("pod/web", "deleted", "Confirmed"),
        ("pod/web", "updated", "TaintEviction"),
        ("node/n1", "updated", "NodeTaints"),
        ("node/n1", "updated", "NodeSilent"),
    ]
    assert steps[1]["changed"] == ["metadata.deletionTimestamp"]
    assert steps[2]["changed"] == ["spec.taints[node.kubernetes.io/unreachable]"]
    assert steps[3]["why"] == "no heartbeat for 12 s" and steps[3]["actor"] == "system:dispatch"
    assert steps[0]["time"] == pytest.approx(here.clock.now(), abs=1)
    assert [step["revision"] for step in steps] == sorted((step["revision"] for step in steps), reverse=True)


@scenario
async def test_why_a_pod_runs_where_it_runs(here: Doorway):
    await here.pod(node="n1")
    for n in range(100):
        report = {"status": {"phase": "Running", "message": f"look {n}"}}
        await here.door.perform(DISPATCH, PatchObject(WEB, report, Cause("system:node:n1", "PodStatus", f"look {n}"), "status"))
    steps = await here.door.why(ADMIN, WEB)
    assert [(step["verb"], step["rule"], step["actor"]) for step in steps] == [
        ("updated", "PodStatus", "system:node:n1"), ("updated", "Bind", "system:kube-scheduler"), ("created", "Request", "admin")
    ]  # fmt: skip
    assert steps[0]["why"] == "look 99", "the newest of many reports stands for all"


@scenario
async def test_a_chain_ends_at_a_users_request(here: Doorway):
    ref = Ref("configmaps", "settings", "default")
    await here.door.create(ADMIN, "configmaps", "default", config())
    await here.door.patch(ADMIN, ref, PatchType.MERGE, {"data": {"color": "red"}})
    [step] = await here.door.why(ADMIN, ref)
    assert (step["changed"], step["why"]) == (["data[color]"], "PATCH configmaps by admin")


@scenario
async def test_history_tells_all_lives_of_a_name(here: Doorway):
    ref = Ref("configmaps", "settings", "default")
    for _ in range(2):
        await here.door.create(ADMIN, "configmaps", "default", config())
        await here.door.delete(ADMIN, ref)
    assert [step["verb"] for step in await here.door.history(ADMIN, ref)] == ["created", "deleted"] * 2
    assert [step["verb"] for step in await here.door.history(ADMIN, ref, limit=1)] == ["deleted"]


@scenario
async def test_a_chain_does_not_reach_into_an_earlier_life(here: Doorway):
    await evicted(here)
    await here.pod(node="n2")
    assert [step["rule"] for step in await here.door.why(ADMIN, WEB)] == ["Bind", "Request"]


@scenario
async def test_a_chain_is_cut_where_history_is(here: Doorway):
    await evicted(here)
    steps = await here.door.why(ADMIN, WEB)
    await here.store.compact(steps[2]["revision"])
    assert len(await here.door.why(ADMIN, WEB)) < len(steps)
    assert len(await here.door.why(ADMIN, WEB, limit=1)) == 1


@scenario
async def test_why_of_what_never_was(here: Doorway):
    with pytest.raises(NotFound, match='pods "web" not found'):
        await here.door.why(ADMIN, WEB)
    with pytest.raises(Forbidden):
        await here.door.why(Actor("system:anonymous"), WEB)


def test_a_secret_keeps_its_values_to_itself():
    def value(text: bytes) -> bytes:
        return b'{"metadata":{"name":"s"},"data":{"password":"%s"}}' % text

    change = Change("secrets/default/s", 2, value(b"aHVudGVyMg=="), value(b"b2xk"), Cause("admin", "Request"), 0.0, 1)
    assert why.step(change)["changed"] == ["data[password]"]
    assert "aHVudGVyMg" not in str(why.step(change)) and "b2xk" not in str(why.step(change))
