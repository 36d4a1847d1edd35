"""Evictions: what a PodDisruptionBudget lets go, and what it holds."""

from __future__ import annotations

from typing import Any

import pytest

from common.errors import SteersmanError, TooManyRequests
from master.api.contract import Actor, DeleteOptions, PatchType, Ref, Role
from tests.master.api.doorway import ADMIN, Doorway, scenario

CONTROLLER = Actor("system:controller:disruption-controller", Role.DISRUPTION)
BUDGET = Ref("poddisruptionbudgets.policy", "web", "default")
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


async def a_pod(here: Doorway, name: str, *, ready: bool = True) -> Ref:
    ref = await here.pod(name, node="n1", metadata={"labels": {"app": "web"}})
    body = {"status": READY if ready else {"phase": "Running"}}
    await here.door.patch(ADMIN, ref, PatchType.MERGE, body, subresource="status")
    return ref


async def a_budget(here: Doorway, *, name: str = "web", allowed: int = 1, healthy: int = 2, **spec: Any) -> None:
    document = {"metadata": {"name": name}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}, **spec}}
    await here.door.create(ADMIN, BUDGET.resource, "default", document)
    status = {"observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": 1, "expectedPods": 2}
    ref = Ref(BUDGET.resource, name, "default")
    await here.door.patch(CONTROLLER, ref, PatchType.MERGE, {"status": status}, subresource="status")


def status(here: Doorway) -> dict[str, Any]:
    return here.door.get(ADMIN, BUDGET).document()["status"]


def going(here: Doorway, ref: Ref) -> bool:
    return "deletionTimestamp" in here.meta(ref)


def test_the_last_one_that_may_go_goes_and_the_next_is_told_to_come_back() -> None:
    async def main(here: Doorway) -> None:
        first, second = await a_pod(here, "a"), await a_pod(here, "b")
        await a_budget(here)
        await here.door.evict(ADMIN, first)
        assert going(here, first) and list(status(here)["disruptedPods"]) == ["a"] and status(here)["disruptionsAllowed"] == 0
        with pytest.raises(TooManyRequests) as caught:
            await here.door.evict(ADMIN, second)
        error = caught.value
        assert (error.code, error.reason, error.retry_after_s) == (429, "TooManyRequests", None)
        assert error.message == "Cannot evict pod as it would violate the pod's disruption budget."
        assert [(c.reason, c.message) for c in error.causes] == [
            ("DisruptionBudget", "The disruption budget web needs 1 healthy pods and has 2 currently")
        ]
        assert not going(here, second)

    scenario(main)()


def test_a_budget_that_is_not_counted_yet_holds_everything() -> None:
    async def main(here: Doorway) -> None:
        ref = await a_pod(here, "a")
        await a_budget(here)
        await here.door.patch(ADMIN, BUDGET, PatchType.MERGE, {"spec": {"minAvailable": 0}})
        with pytest.raises(TooManyRequests) as caught:
            await here.door.evict(ADMIN, ref)
        assert caught.value.causes[0].message == "The disruption budget web is still being processed by the server."
        assert caught.value.retry_after_s == 10

    scenario(main)()


def test_a_dry_run_takes_nothing() -> None:
    async def main(here: Doorway) -> None:
        ref = await a_pod(here, "a")
        await a_budget(here)
        await here.door.evict(ADMIN, ref, DeleteOptions(dry_run=True))
        assert not going(here, ref) and status(here)["disruptionsAllowed"] == 1

    scenario(main)()


@pytest.mark.parametrize(
    ("budget", "goes"),
    [
        pytest.param({"allowed": 0, "healthy": 2}, True, id="there are enough healthy ones beside it"),
        pytest.param({"allowed": 0, "healthy": 0}, False, id="there are too few healthy ones"),
        pytest.param({"allowed": 0, "healthy": 0, "unhealthyPodEvictionPolicy": "AlwaysAllow"}, True, id="the policy always allows it"),
    ],
)
def test_a_pod_that_is_not_ready(budget: dict[str, Any], goes: bool) -> None:
    async def main(here: Doorway) -> None:
        ref = await a_pod(here, "a", ready=False)
        await a_budget(here, **budget)
        if goes:
            await here.door.evict(ADMIN, ref)
        else:
            with pytest.raises(TooManyRequests):
                await here.door.evict(ADMIN, ref)
        assert going(here, ref) is goes

    scenario(main)()


def test_a_pod_that_never_started_asks_nobody() -> None:
    async def main(here: Doorway) -> None:
        ref = await here.pod("a", metadata={"labels": {"app": "web"}})
        await a_budget(here, allowed=0)
        await here.door.evict(ADMIN, ref)
        assert not here.exists(ref)

    scenario(main)()


def test_two_budgets_of_one_pod_are_not_supported() -> None:
    async def main(here: Doorway) -> None:
        ref = await a_pod(here, "a")
        await a_budget(here)
        await a_budget(here, name="second")
        with pytest.raises(SteersmanError, match="more than one PodDisruptionBudget") as caught:
            await here.door.evict(ADMIN, ref)
        assert caught.value.code == 500

    scenario(main)()
