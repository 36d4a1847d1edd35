"""Admission: what the cluster adds to a new object, or refuses."""

from __future__ import annotations

import pytest

from common.errors import Forbidden
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
