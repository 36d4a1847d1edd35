"""The hooks of a container's start and end: which is to run now.

A postStart hook runs after the start, and until it is over the container does not count as running. A preStop hook runs before the stop,
within the pod's grace period, once: what is remembered is which containers' stop has begun (`PodLife.ending`). An agent that dies in a
hook runs it again; Kubernetes, too, promises at least once.
"""

from __future__ import annotations

import msgspec

from agent.lifecycle import probing
from agent.lifecycle.life import Hook, PodLife, replace
from agent.lifecycle.scene import Scene, health
from agent.runtime.contract import ObservedContainer
from common.objects import pod as pods


class Begun(msgspec.Struct, frozen=True):
    """fresh: those whose stop begins now; hooks: theirs."""

    life: PodLife
    fresh: tuple[ObservedContainer, ...]
    hooks: tuple[Hook, ...]


def post_start(scene: Scene, container: pods.Container, observed: ObservedContainer) -> Hook | None:
    if health(scene, container, observed).hooked:
        return None
    if container.lifecycle is None or container.lifecycle.post_start is None:
        return None
    return Hook(container.name, container.lifecycle.post_start, probing.place(scene, container, observed.id))


def begin(scene: Scene, stopping: list[ObservedContainer]) -> Begun:
    """The stop of these begins, or goes on."""
    fresh = tuple(each for each in stopping if each.id not in scene.life.ending)
    there = [each.id for each in scene.running]
    ending = tuple(dict.fromkeys([*(i for i in scene.life.ending if i in there), *(each.id for each in fresh)]))
    hooks = []
    for each in fresh:
        spec = pods.container_of(scene.pod.spec, each.name)
        if spec is not None and spec.lifecycle is not None and spec.lifecycle.pre_stop is not None:
            hooks.append(Hook(each.name, spec.lifecycle.pre_stop, probing.place(scene, spec, each.id)))
    return Begun(replace(scene.life, ending=ending), fresh, tuple(hooks))
