"""Devices of a host: each container its own, over restarts, and free when the pod is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agent.devices import Devices, units
from agent.runtime.contract import ContainerSpec, RuntimeFault, SandboxSpec
from agent.runtime.hollow import HollowRuntime
from common.clock import SystemClock

RESOURCES = {"example.com/gpu": "/dev/a:/dev/b", "example.com/seat": 5}


def wanting(count: int, name: str = "app") -> ContainerSpec:
    return ContainerSpec(name=name, attempt=0, image="i", extended={"example.com/gpu": count, "example.com/seat": 3})


def on_a_host(test: Callable) -> None:
    asyncio.run(test(HollowRuntime(SystemClock())))


@pytest.mark.parametrize(
    ("text", "expected"), [("5", (5, ())), (0, (0, ())), ("/dev/a", (1, ("/dev/a",))), ("/dev/a:/dev/b", (2, ("/dev/a", "/dev/b")))]
)
def test_a_number_or_devices(text: str | int, expected: tuple) -> None:
    assert units(text) == expected


@pytest.mark.parametrize("text", ["", "many", "-1", "/dev/a:/dev/a", "/dev/a:b", "/etc/x"])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(ValueError):
        units(text)


def test_each_container_has_devices_of_its_own_until_its_pod_is_gone() -> None:
    async def test(runtime: HollowRuntime) -> None:
        devices = Devices(RESOURCES, runtime)
        first, second = await devices.equip("u1", wanting(1)), await devices.equip("u2", wanting(1))
        assert (first.devices, second.devices) == (("/dev/a",), ("/dev/b",))
        with pytest.raises(RuntimeFault, match="unavailable for example.com/gpu. Requested: 1, Available: 0"):
            await devices.equip("u3", wanting(1))
        assert (await devices.equip("u1", wanting(1))).devices == ("/dev/a",), "made again, it has the same"
        devices.release("u1")
        assert (await devices.equip("u3", wanting(1))).devices == ("/dev/a",)

    on_a_host(test)


def test_a_restarted_agent_reads_who_has_what_from_the_runtime() -> None:
    async def test(runtime: HollowRuntime) -> None:
        spec = SandboxSpec("default", "web", "u1", 0, "web", "/logs")
        sandbox = await runtime.create_sandbox(spec)
        await runtime.create_container(sandbox, await Devices(RESOURCES, runtime).equip("u1", wanting(2)))
        with pytest.raises(RuntimeFault, match="Available: 0"):
            await Devices(RESOURCES, runtime).equip("u2", wanting(1))

    on_a_host(test)
