"""`pod.status` as the Kubernetes API shows it: phase, conditions, addresses, container statuses.

Owns the words and rules of that document (after the kubelet's `getPhase` and its condition generators); `PodScheduled` is
the scheduler's and not part of it. The time of a condition's last change is kept in `PodLife.conditions`, which starts
from the status that came with the pod, so that a restarted agent changes nothing by looking.
"""

from __future__ import annotations

from datetime import UTC, datetime

from agent.lifecycle import probing, specs
from agent.lifecycle.life import Condition, ContainerLife, Health, PodLife, Waiting, replace
from agent.lifecycle.scene import (
    Scene,
    failed_initialization,
    health,
    initialized,
    is_sidecar,
    restarts,
    wanted,
)
from agent.runtime.contract import ObservedContainer, State
from common.objects import pod as pods

Document = dict
EVICTED = "Evicted"


def when(seconds: float) -> str:
    """`metav1.Time`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> float:
    """Wall-clock seconds of a `metav1.Time`."""
    return datetime.fromisoformat(text).timestamp()


def recalled(pod: pods.Pod, memory: PodLife) -> PodLife:
    """What an earlier status of the pod, by this or a former agent, tells a worker that begins."""
    conditions = tuple(
        Condition(c.type, c.status, c.reason, c.message, c.last_transition_time or "")
        for c in pod.status.conditions
        if c.type != "PodScheduled"
    )
    counts = {
        status.name: status.restart_count
        for status in pod.status.init_container_statuses + pod.status.container_statuses
        if status.container_id or status.restart_count
    }
    containers = {name: ContainerLife(health=health) for name, health in probing.recalled(pod).items()}
    memory = replace(memory, containers=containers)
    return replace(memory, conditions=conditions, restarts=counts, start_time=pod.status.start_time or "", ip=pod.status.pod_ip)


def final_phase(scene: Scene) -> str:
    """Succeeded or Failed when nothing of the pod will run again, else ""."""
    if failed_initialization(scene):
        return "Failed"
    codes = []
    for container in scene.pod.spec.containers:
        latest = scene.latest(container.name)
        if latest is None or latest.container.state is not State.EXITED:
            return ""
        if restarts(scene.pod, container, latest.container.exit_code, init=False):
            return ""
        codes.append(latest.container.exit_code)
    return "" if not codes else "Failed" if any(codes) else "Succeeded"


def build(scene: Scene) -> tuple[PodLife, Document | None]:
    """The document, and the memory with the conditions' times in it; None when there is nothing to tell that the API does
    not know better (the containers of a pod that ended are gone, or are being removed)."""
    memory, pod = scene.life, scene.pod
    if memory.removing or memory.forgotten or (scene.phase_given and not scene.observed):
        return memory, None
    sandbox = scene.sandbox
    if sandbox is not None:
        address = next(iter(scene.host.addresses), "") if pod.spec.host_network else sandbox.ip
        memory = replace(memory, ip=address or memory.ip)
    inits = [_container(scene, container, init=True) for container in pod.spec.init_containers]
    apps = [_container(scene, container, init=False) for container in pod.spec.containers]
    phase = _phase(scene, apps)
    memory = replace(memory, conditions=_conditions(scene, phase, inits=inits, apps=apps))
    document: Document = {
        "phase": phase,
        "conditions": [_condition_document(condition) for condition in memory.conditions],
        "qosClass": specs.qos(pod),
        "startTime": memory.start_time,
        "containerStatuses": apps,
    }
    if inits:
        document["initContainerStatuses"] = inits
    if pod.spec.ephemeral_containers:
        document["ephemeralContainerStatuses"] = [_ephemeral(scene, container) for container in pod.spec.ephemeral_containers]
    reason, message = (pod.status.reason, pod.status.message) if scene.phase_given else ("", "")
    if memory.ended_for is not None:
        reason, message = memory.ended_for.reason, memory.ended_for.message
    document.update({k: v for k, v in (("reason", reason), ("message", message)) if v})
    if scene.host.addresses:
        document["hostIP"] = scene.host.addresses[0]
        document["hostIPs"] = [{"ip": address} for address in scene.host.addresses]
    if memory.ip:
        document["podIP"] = memory.ip
        document["podIPs"] = [{"ip": memory.ip}]
    return memory, document


def ending(scene: Scene) -> bool:
    return scene.pod.metadata.deletion_timestamp is not None or bool(scene.phase_given or scene.life.finished)


def _phase(scene: Scene, apps: list[Document]) -> str:
    if scene.phase_given or scene.life.finished:
        return scene.phase_given or scene.life.finished
    final = final_phase(scene)
    if final:
        return final
    states = [(status["state"], status["lastState"]) for status in apps]
    if ending(scene) and states and all("terminated" in state for state, _ in states):
        return "Failed" if any(state["terminated"]["exitCode"] for state, _ in states) else "Succeeded"
    if not initialized(scene):
        return "Pending"
    if any("waiting" in state and "terminated" not in last for state, last in states):
        return "Pending"
    return "Running"


def _container(scene: Scene, container: pods.Container, *, init: bool) -> Document:
    tries = scene.tries(container.name)
    latest = tries[-1].container if tries else None
    before = tries[-2].container if len(tries) > 1 else None
    state, last = _states(scene, container, latest, before=before, init=init)
    running = "running" in state
    now = health(scene, container, latest) if running and latest is not None else Health()
    completed = init and not is_sidecar(container) and state.get("terminated", {}).get("exitCode") == 0
    document: Document = {
        "name": container.name,
        "state": state,
        "lastState": last,
        "ready": now.ready and (not init or is_sidecar(container)) or completed,
        "restartCount": latest.attempt if latest else scene.life.restarts.get(container.name, 0),
        "image": (latest.image if latest else "") or container.image,
        "imageID": latest.image_id if latest else "",
        "started": now.started,
    }
    if latest is not None:
        document["containerID"] = f"{scene.host.runtime}://{latest.id}"
    return document


def _ephemeral(scene: Scene, container: pods.Container) -> Document:
    """It is never ready, started or restarted: those are for what a pod is made of."""
    return {key: value for key, value in {**_container(scene, container, init=False), "ready": False}.items() if key != "started"}


def _states(
    scene: Scene, container: pods.Container, latest: ObservedContainer | None, *, before: ObservedContainer | None, init: bool
) -> tuple[Document, Document]:
    """`state` and `lastState`."""
    waiting = scene.life.of(container.name).waiting
    last = terminated(scene, before) if before is not None and before.state is State.EXITED else {}
    if latest is None:
        default = "PodInitializing" if scene.pod.spec.init_containers else "ContainerCreating"
        return _waiting(waiting or Waiting(default)), last
    if latest.state is State.RUNNING:
        if not health(scene, container, latest).hooked and not ending(scene):
            return _waiting(waiting or Waiting("PodInitializing" if scene.pod.spec.init_containers else "ContainerCreating")), last
        return {"running": {"startedAt": when(latest.started_at or scene.now.wall)}}, last
    if latest.state is State.CREATED:
        return _waiting(waiting or Waiting("ContainerCreating")), last
    if waiting is not None and not ending(scene) and wanted(scene, container, init=init):
        return _waiting(waiting), terminated(scene, latest)
    return terminated(scene, latest), last


def _waiting(waiting: Waiting) -> Document:
    document = {"reason": waiting.reason}
    if waiting.message:
        document["message"] = waiting.message
    return {"waiting": document}


def terminated(scene: Scene, ended: ObservedContainer) -> Document:
    """`state.terminated`. A try that never started has the time of its creation."""
    reason = ended.reason or ("Error" if ended.exit_code else "Completed")
    document: Document = {"exitCode": ended.exit_code, "reason": reason}
    if ended.message:
        document["message"] = ended.message
    started = ended.started_at or ended.created_at
    document["startedAt"] = when(started) if started else None
    document["finishedAt"] = when(ended.finished_at) if ended.finished_at else None
    document["containerID"] = f"{scene.host.runtime}://{ended.id}"
    return {"terminated": document}


def _conditions(scene: Scene, phase: str, *, inits: list[Document], apps: list[Document]) -> tuple[Condition, ...]:
    sandbox = scene.sandbox
    has_network = sandbox is not None and bool(sandbox.ip or scene.pod.spec.host_network)
    incomplete = [s["name"] for s in inits if not s["ready"]] if not initialized(scene) else []
    sidecars = {container.name for container in scene.pod.spec.init_containers if is_sidecar(container)}
    unready = [s["name"] for s in inits if s["name"] in sidecars and not s["ready"]]
    unready += [s["name"] for s in apps if not s["ready"]]
    found = [
        Condition("PodReadyToStartContainers", "True" if has_network else "False"),
        _initialized(phase, incomplete),
        _ready(scene.pod, phase, unready),
        _all_ready("ContainersReady", phase, unready),
    ]
    ended_for = scene.life.ended_for
    if ended_for is not None and ended_for.reason == EVICTED:
        found.append(Condition("DisruptionTarget", "True", "TerminationByKubelet", ended_for.message))
    former = {condition.type: condition for condition in scene.life.conditions}
    now = when(scene.now.wall)
    return tuple(
        replace(condition, since=old.since)
        if (old := former.get(condition.type)) is not None and old.status == condition.status and old.since
        else replace(condition, since=now)
        for condition in found
    )


def _initialized(phase: str, incomplete: list[str]) -> Condition:
    if phase == "Succeeded":
        return Condition("Initialized", "True", "PodCompleted")
    if not incomplete:
        return Condition("Initialized", "True")
    message = f"containers with incomplete status: [{' '.join(incomplete)}]"
    return Condition("Initialized", "False", "ContainersNotInitialized", message)


def _all_ready(kind: str, phase: str, unready: list[str]) -> Condition:
    if phase == "Succeeded":
        return Condition(kind, "False", "PodCompleted")
    if phase == "Failed":
        return Condition(kind, "False", "PodFailed")
    if not unready:
        return Condition(kind, "True")
    return Condition(kind, "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")


def _ready(pod: pods.Pod, phase: str, unready: list[str]) -> Condition:
    """As its containers are, once all its readiness gates are open."""
    condition = _all_ready("Ready", phase, unready)
    if condition.status != "True":
        return condition
    lacking = []
    for gate in pod.gates:
        given = pod.condition(gate)
        if given is None:
            lacking.append(f'corresponding condition of pod readiness gate "{gate}" does not exist.')
        elif given.status != "True":
            lacking.append(f'the status of pod readiness gate "{gate}" is not "True", but {given.status}')
    return Condition("Ready", "False", "ReadinessGatesNotReady", ", ".join(lacking)) if lacking else condition


def _condition_document(condition: Condition) -> Document:
    document = {"type": condition.type, "status": condition.status, "lastProbeTime": None, "lastTransitionTime": condition.since}
    if condition.reason:
        document["reason"] = condition.reason
    if condition.message:
        document["message"] = condition.message
    return document
