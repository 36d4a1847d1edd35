"""One step of a pod's life: what is remembered and what runs, against the one operation that follows."""

from __future__ import annotations

import base64

import msgspec
import pytest

from agent.lifecycle import environment, learn, life, specs, unsupported
from agent.lifecycle.life import ContainerLife, Host, Moment, Outcome, PodLife, Step, Wait, Waiting, replace
from agent.lifecycle.scene import Scene
from agent.lifecycle.status import build
from agent.lifecycle.step import step
from agent.runtime.contract import ObservedContainer, ObservedSandbox, State
from tests.agent import pods

NOW = Moment(wall=1_800_000_100.0, mono=1000.0)
HOST = Host(node="host-1", addresses=("192.0.2.1",), log_root="/logs", cgroup_root="/pods", cpu_milli=2000, memory_bytes=4 << 30)


def ran(name: str = "app", attempt: int = 0, state: State = State.RUNNING, code: int = 0, **changes: object) -> ObservedContainer:
    values: dict = {"id": f"{name}-{attempt}", "name": name, "attempt": attempt, "state": state, "exit_code": code}
    if state is not State.CREATED:
        values["started_at"] = NOW.wall - 20
    if state is State.EXITED:
        values["finished_at"] = NOW.wall - 1
    return ObservedContainer(**{**values, **changes})


def sandbox(*containers: ObservedContainer, ready: bool = True, attempt: int = 0) -> ObservedSandbox:
    return ObservedSandbox(
        id=f"s{attempt}", uid="uid-web", namespace="default", name="web", attempt=attempt, ready=ready,
        ip="10.0.0.5" if ready else "", containers=containers,
    )  # fmt: skip


def after(document: dict, observed: list[ObservedSandbox], memory: PodLife = PodLife(live=True)) -> life.Step:  # noqa: B008
    return step(pods.view(document), memory, observed, now=NOW, host=HOST)


def having(**container: object) -> PodLife:
    return PodLife(live=True, containers={"app": ContainerLife(**container)})


EXITED, CREATED, RUNNING = State.EXITED, State.CREATED, State.RUNNING
PLAIN = pods.document()
NEVER = pods.document(restartPolicy="Never")
ON_FAILURE = pods.document(restartPolicy="OnFailure")
TWO = pods.document(containers=[pods.container("app"), pods.container("side")])
INIT = pods.document(initContainers=[pods.container("init")])
SIDECAR = pods.document(initContainers=[pods.container("proxy", restartPolicy="Always")])
DEBUGGED = pods.document(ephemeralContainers=[pods.container("look")])
TARGETED = pods.document(ephemeralContainers=[pods.container("look", targetContainerName="app")])
LOOKED = PodLife(live=True, containers={"look": ContainerLife(image_id="sha256:y")})
AT_MOST_ONE = pods.document(meta={"annotations": {"steersman.io/at-most-one": "true"}})
IMAGE_KNOWN = having(image_id="sha256:x")


@pytest.mark.parametrize(
    ("document", "observed", "memory", "expected"),
    [
        pytest.param(PLAIN, [], PodLife(live=True), life.CreateSandbox, id="nothing yet: a sandbox"),
        pytest.param(PLAIN, [sandbox()], PodLife(live=True), life.EnsureImage, id="a sandbox: the image"),
        pytest.param(PLAIN, [sandbox()], IMAGE_KNOWN, life.CreateContainer, id="the image is here: a container"),
        pytest.param(PLAIN, [sandbox(ran(state=CREATED))], PodLife(live=True), life.StartContainer, id="created: start it"),
        pytest.param(PLAIN, [sandbox(ran())], PodLife(live=True), None, id="it runs: nothing"),
        pytest.param(PLAIN, [sandbox(ran(state=EXITED))], PodLife(live=True), life.EnsureImage, id="first end: again at once"),
        pytest.param(PLAIN, [sandbox(ran(state=EXITED))], having(crash_backoff_s=20.0), life.Wait, id="another end: back-off"),
        pytest.param(PLAIN, [sandbox(ran(state=EXITED, started_at=NOW.wall - 700))], having(crash_backoff_s=300.0), life.EnsureImage,
                     id="an end after ten minutes: again at once"),
        pytest.param(PLAIN, [sandbox(ran(), ready=False)], PodLife(live=True), life.StopSandbox, id="sandbox lost: clear its network"),
        pytest.param(PLAIN, [sandbox(ran(state=EXITED), ready=False)], PodLife(live=True, stopped=("s0",)), life.CreateSandbox,
                     id="cleared: the next sandbox"),
        pytest.param(NEVER, [sandbox(ran(state=EXITED))], PodLife(live=True), life.StopSandbox, id="never restarted, ended: the sandbox goes"),
        pytest.param(NEVER, [sandbox(ran(state=EXITED), ready=False)], PodLife(live=True), None, id="never restarted, all gone: nothing"),
        pytest.param(ON_FAILURE, [sandbox(ran(state=EXITED, code=1))], PodLife(live=True), life.EnsureImage, id="on failure, failed: again"),
        pytest.param(ON_FAILURE, [sandbox(ran(state=EXITED))], PodLife(live=True), life.StopSandbox, id="on failure, succeeded: done"),
        pytest.param(TWO, [sandbox(ran())], PodLife(live=True), life.EnsureImage, id="one of two runs: the other"),
        pytest.param(INIT, [sandbox(ran("init"))], PodLife(live=True), None, id="init runs: the others wait"),
        pytest.param(INIT, [sandbox(ran("init", state=EXITED))], PodLife(live=True), life.EnsureImage, id="init done: the others"),
        pytest.param(SIDECAR, [sandbox(ran("proxy"))], PodLife(live=True), life.EnsureImage, id="sidecar runs: the others"),
        pytest.param(SIDECAR, [sandbox()], PodLife(live=True), life.EnsureImage, id="sidecar first"),
        pytest.param(DEBUGGED, [sandbox(ran())], PodLife(live=True), life.EnsureImage, id="an ephemeral container was added: its image"),
        pytest.param(DEBUGGED, [sandbox(ran(), ran("look", state=CREATED))], PodLife(live=True), life.StartContainer, id="and it is started"),
        pytest.param(DEBUGGED, [sandbox(ran(), ran("look", state=EXITED, code=1))], PodLife(live=True), None, id="it ended: not again"),
        pytest.param(DEBUGGED, [sandbox(ran("look", state=EXITED), ready=False), sandbox(ran(), attempt=1)], PodLife(live=True, stopped=("s0",)),
                     None, id="it was in another sandbox: not again"),
        pytest.param(pods.document(restartPolicy="Never", ephemeralContainers=[pods.container("look")]),
                     [sandbox(ran(state=EXITED), ran("look"))], PodLife(live=True), life.StopContainers, id="the pod ended: so does it"),
        pytest.param(TARGETED, [sandbox(ran())], LOOKED, life.CreateContainer, id="its target runs: it is made"),
        pytest.param(AT_MOST_ONE, [], PodLife(), None, id="at most one, from the journal: not started"),
        pytest.param(AT_MOST_ONE, [], PodLife(live=True), life.CreateSandbox, id="at most one, confirmed: started"),
        pytest.param(AT_MOST_ONE, [sandbox(ran())], PodLife(), None, id="at most one, running: left alone"),
        pytest.param(PLAIN, [], PodLife(live=True, blocked=True), None, id="asks for what it cannot have: not started"),
        pytest.param(pods.deleted(PLAIN), [sandbox(ran())], PodLife(live=True), life.StopContainers, id="deleted: stop"),
        pytest.param(pods.deleted(PLAIN), [sandbox(ran(state=EXITED))], PodLife(live=True), life.StopSandbox, id="stopped: the sandbox"),
        pytest.param(pods.deleted(PLAIN), [sandbox(ready=False)], PodLife(live=True, stopped=("s0",)), life.RemoveSandbox,
                     id="sandbox stopped: remove it"),
        pytest.param(pods.deleted(PLAIN), [sandbox(ran(state=CREATED))], PodLife(live=True), life.StopSandbox,
                     id="deleted while creating: nothing is started any more"),
        pytest.param(PLAIN, [sandbox(ran())], PodLife(forgotten=True), life.StopContainers, id="object gone: stop"),
        pytest.param(pods.document(status={"phase": "Failed"}), [sandbox(ran())], PodLife(live=True), life.StopContainers, id="evicted: stop"),
        pytest.param(pods.document(status={"phase": "Succeeded"}), [], PodLife(live=True), None, id="finished before: not started again"),
        pytest.param(PLAIN, [sandbox(*(ran(attempt=n, state=EXITED) for n in range(3)), ran(attempt=3))], PodLife(live=True),
                     life.RemoveContainer, id="old tries: removed"),
        pytest.param(PLAIN, [sandbox(ready=False), sandbox(ran(), attempt=1)], PodLife(live=True), life.RemoveSandbox,
                     id="an empty old sandbox: removed"),
    ],
)  # fmt: skip
def test_a_step(document: dict, observed: list[ObservedSandbox], memory: PodLife, expected: type | None) -> None:
    action = after(document, observed, memory).action
    assert type(action) is (expected or type(None)), action


def test_nothing_left_of_a_deleted_pod_is_gone() -> None:
    assert after(pods.deleted(PLAIN), []).gone


def test_the_next_try_counts_on_even_if_the_runtime_has_forgotten() -> None:
    memory = msgspec.structs.replace(IMAGE_KNOWN, restarts={"app": 4})
    action = after(PLAIN, [sandbox()], memory).action
    assert isinstance(action, life.CreateContainer) and action.spec.attempt == 5 and action.spec.log_path == "app/5.log"


def test_all_containers_share_one_grace_period() -> None:
    action = after(pods.deleted(TWO, 17), [sandbox(ran(), ran("side"))]).action
    assert isinstance(action, life.StopContainers)
    assert action.container_ids == ("app-0", "side-0") and action.grace_s == 17


def test_what_is_left_of_the_grace_period_counts_after_a_failure() -> None:
    memory = PodLife(live=True, kill_until=NOW.mono + 4, ending=("app-0",))
    action = after(pods.deleted(PLAIN, 30), [sandbox(ran())], memory).action
    assert isinstance(action, life.StopContainers) and action.grace_s == 4


def test_an_ephemeral_container_sees_its_targets_processes_once_that_runs() -> None:
    action = after(TARGETED, [sandbox(ran())], LOOKED).action
    assert isinstance(action, life.CreateContainer) and action.spec.pid_of == "app-0"
    status = shown(TARGETED, [sandbox(ran(state=CREATED))], msgspec.structs.replace(LOOKED, containers={
        "look": ContainerLife(image_id="sha256:y"), "app": ContainerLife(start_failed="app-0", retry_at=2 * NOW.mono)}))  # fmt: skip
    waiting = status["ephemeralContainerStatuses"][0]["state"]["waiting"]
    assert (waiting["reason"], waiting["message"]) == ("CreateContainerError", 'target container "app" does not run')


def test_an_ephemeral_container_is_shown_and_counts_for_nothing() -> None:
    status = shown(DEBUGGED, [sandbox(ran(), ran("look", state=EXITED, code=3))])
    (ephemeral,) = status["ephemeralContainerStatuses"]
    assert (ephemeral["name"], ephemeral["state"]["terminated"]["exitCode"], ephemeral["ready"]) == ("look", 3, False)
    assert status["phase"] == "Running" and [c["name"] for c in status["containerStatuses"]] == ["app"]
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"


def test_the_sandbox_gets_the_pods_names_and_folders() -> None:
    action = after(PLAIN, []).action
    assert isinstance(action, life.CreateSandbox)
    spec = action.spec
    assert (spec.log_directory, spec.cgroup_parent, spec.hostname) == ("/logs/default_web_uid-web", "/pods/poduid-web", "web")


CLASSES = {
    "it is known": ({("RuntimeClass", "", "safe"): {"handler": "runsc"}}, "runsc", ""),
    "it has not arrived": ({}, None, ""),
    "there is none": (
        {("RuntimeClass", "", "safe"): None}, None,
        'Failed to create pod sandbox: failed to get sandbox runtime: runtimeclass.node.k8s.io "safe" not found',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("configs", "handler", "words"), CLASSES.values(), ids=CLASSES.keys())
def test_a_runtime_class_names_the_handler(configs: dict, handler: str | None, words: str) -> None:
    pod = pods.view(pods.document(runtimeClassName="safe"))
    forward = step(pod, PodLife(live=True), [], now=NOW, host=msgspec.structs.replace(HOST, configs=configs))
    assert (forward.action.spec.handler if isinstance(forward.action, life.CreateSandbox) else None) == handler
    assert [note.message for note in forward.notes] == ([words] if words else [])
    if words:
        again = step(pod, forward.life, [], now=NOW, host=msgspec.structs.replace(HOST, configs=configs))
        assert again.notes == ()


# Status.


def shown(document: dict, observed: list[ObservedSandbox], memory: PodLife = PodLife(live=True)) -> dict:  # noqa: B008
    forward = after(document, observed, memory)
    status = build(Scene(pods.view(document), forward.life, observed, NOW, HOST))[1]
    assert status is not None
    return status


@pytest.mark.parametrize(
    ("document", "observed", "phase", "ready"),
    [
        pytest.param(PLAIN, [], "Pending", False, id="nothing yet"),
        pytest.param(PLAIN, [sandbox(ran())], "Running", True, id="running"),
        pytest.param(TWO, [sandbox(ran())], "Pending", False, id="one of two not started"),
        pytest.param(TWO, [sandbox(ran(), ran("side", state=EXITED, code=1))], "Running", False, id="one of two crashed"),
        pytest.param(INIT, [sandbox(ran("init"))], "Pending", False, id="initialising"),
        pytest.param(NEVER, [sandbox(ran(state=EXITED))], "Succeeded", False, id="succeeded"),
        pytest.param(NEVER, [sandbox(ran(state=EXITED, code=2))], "Failed", False, id="failed"),
        pytest.param(pods.deleted(PLAIN), [sandbox(ran(state=EXITED, code=143))], "Failed", False, id="deleted, ended by the signal"),
    ],
)
def test_phase_and_readiness(document: dict, observed: list[ObservedSandbox], phase: str, ready: bool) -> None:
    status = shown(document, observed)
    assert status["phase"] == phase
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == ("True" if ready else "False")


@pytest.mark.parametrize(
    ("observed", "memory", "state", "last"),
    [
        pytest.param([sandbox()], PodLife(), {"waiting": {"reason": "ContainerCreating"}}, {}, id="creating"),
        pytest.param([sandbox()], having(waiting=Waiting("ErrImagePull", "no such host")),
                     {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}, {}, id="image pull failed"),
        pytest.param([sandbox(ran(state=EXITED, code=137, reason="OOMKilled"))],
                     having(waiting=Waiting("CrashLoopBackOff", "back-off"), judged_exit="app-0", crash_until=2000.0),
                     {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}, "OOMKilled", id="crash loop shows the last end"),
    ],
)  # fmt: skip
def test_container_states(observed: list[ObservedSandbox], memory: PodLife, state: dict, last: object) -> None:
    (status,) = shown(PLAIN, observed, memory)["containerStatuses"]
    assert status["state"] == state
    assert status["lastState"] == last if isinstance(last, dict) else status["lastState"]["terminated"]["reason"] == last


def test_a_conditions_time_changes_only_with_its_status() -> None:
    early = "2026-01-01T00:00:00Z"
    memory = PodLife(conditions=(life.Condition("Ready", "False", "ContainersNotReady", "old", early),))
    conditions = {c["type"]: c for c in shown(PLAIN, [sandbox()], memory)["conditions"]}
    assert conditions["Ready"]["lastTransitionTime"] == early
    assert conditions["Ready"]["message"] == "containers with unready status: [app]"
    assert conditions["Initialized"]["lastTransitionTime"] != early


# Outcomes.


def learned(action: life.Action, outcome: Outcome, memory: PodLife = PodLife()) -> tuple[PodLife, list[str]]:  # noqa: B008
    after_it, notes = learn.learn(pods.view(PLAIN), memory, action, outcome=outcome, now=NOW)
    return after_it, [f"{note.type} {note.reason}: {note.message}" for note in notes]


PULL = life.EnsureImage("app", "example/app:1", "IfNotPresent")


def test_failed_pulls_back_off_from_ten_seconds_to_five_minutes() -> None:
    memory, waits = PodLife(), []
    for _ in range(7):
        memory, _ = learned(PULL, Outcome(error="not found", kind="ErrImagePull"), memory)
        waits.append(memory.of("app").pull_until - NOW.mono)
    assert waits == [10, 20, 40, 80, 160, 300, 300]


def test_a_failed_pull_is_told_in_the_runtimes_words() -> None:
    memory, notes = learned(PULL, Outcome(error="not found", kind="ErrImagePull"))
    assert memory.of("app").waiting == Waiting("ErrImagePull", "not found")
    assert notes == ['Warning Failed: Failed to pull image "example/app:1": not found', "Warning Failed: Error: ErrImagePull"]


@pytest.mark.parametrize(
    ("took_s", "words"), [(0.0003, "0s"), (0.4567, "456ms"), (2.0, "2s"), (1.2345, "1.234s"), (75.5, "1m15.5s"), (3600.0, "1h0m0s")]
)
def test_a_pulled_image_is_told_with_time_and_size(took_s: float, words: str) -> None:
    _, notes = learned(PULL, Outcome(value="id", pull_s=took_s, took_s=3.0, size_bytes=4096))
    text = f'Successfully pulled image "example/app:1" in {words} (3s including waiting). Image size: 4096 bytes.'
    assert notes == [f"Normal Pulled: {text}"]


@pytest.mark.parametrize(("kind", "event"), [("InvalidImageName", "InspectFailed"), ("ErrImageNeverPull", "ErrImageNeverPull")])
def test_what_is_not_pulled_at_all_has_no_back_off_and_is_told_once(kind: str, event: str) -> None:
    memory, notes = learned(PULL, Outcome(error="words", kind=kind))
    assert notes == [f"Warning {event}: words", f"Warning Failed: Error: {kind}"]
    again, notes = learned(PULL, Outcome(error="words", kind=kind), memory)
    assert notes == [] and again.of("app").waiting == Waiting(kind, "words")
    forward = step(pods.view(PLAIN), replace(again, live=True), [sandbox()], now=NOW, host=HOST)
    assert isinstance(forward.action, Wait) and forward.life.of("app").waiting == Waiting(kind, "words")


# The Secrets for pulling.

REGCRED = {
    "metadata": {"name": "regcred"}, "type": "kubernetes.io/dockerconfigjson",
    "data": {".dockerconfigjson": base64.b64encode(b'{"auths": {"docker.io": {"username": "u", "password": "s3cret"}}}').decode()},
}  # fmt: skip
PRIVATE = pods.document(imagePullSecrets=[{"name": "regcred"}, {}])


def pulls(configs: dict, *, live: bool = True) -> Step:
    known = {("Secret", "default", name): document for name, document in configs.items()}
    return step(pods.view(PRIVATE), PodLife(live=live), [sandbox()], now=NOW, host=replace(HOST, configs=known))


def test_an_image_is_pulled_with_the_pods_secrets_and_they_are_not_shown() -> None:
    action = pulls({"regcred": REGCRED}).action
    assert isinstance(action, life.EnsureImage) and [one.password for one in action.credentials] == ["s3cret"]
    assert "s3cret" not in repr(action)


def test_a_secret_on_its_way_is_waited_for_and_without_a_master_it_is_not() -> None:
    forward = pulls({})
    assert forward.action is None and forward.life.of("app").waiting.reason == "ContainerCreating"
    assert isinstance(pulls({}, live=False).action, life.EnsureImage)


def test_a_missing_secret_is_told_and_the_pull_is_tried() -> None:
    forward = pulls({"regcred": None})
    assert isinstance(forward.action, life.EnsureImage) and forward.action.credentials == ()
    assert [(note.reason, note.message) for note in forward.notes] == [(
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
    )]  # fmt: skip


def test_a_secret_that_cannot_be_read_goes_with_the_action() -> None:
    action = pulls({"regcred": {**REGCRED, "data": {".dockerconfigjson": "e30="[1:]}}}).action
    assert isinstance(action, life.EnsureImage) and 'image pull secret "regcred" cannot be used' in action.unreadable


def test_a_runtime_that_is_away_says_nothing_about_the_pod() -> None:
    memory, notes = learned(PULL, Outcome(error="containerd does not answer", retryable=True))
    assert memory.of("app").waiting is None and notes == [] and memory.of("app").retry_at == NOW.mono + 1


def test_a_refused_container_waits_with_its_reason() -> None:
    plain = pods.view(PLAIN)
    spec = specs.container(plain, plain.spec.containers[0], attempt=0, image="x", env={}, ip="10.0.0.5", host=HOST)
    action = life.CreateContainer("s0", spec)
    memory, notes = learned(action, Outcome(error="no space left", kind="CreateContainerError"))
    assert memory.of("app").waiting == Waiting("CreateContainerError", "no space left")
    assert notes == ["Warning Failed: Error: no space left"]


# Environment.

CONFIGS = {
    ("ConfigMap", "default", "settings"): {"data": {"color": "blue", "size": "3"}, "binaryData": {"bin": "aGk="}},
    ("Secret", "default", "keys"): {"data": {"password": "c2VzYW1l"}},
    ("Secret", "default", "absent"): None,
}


def resolved(**container: object) -> dict | Waiting:
    made = pods.document(meta={"labels": {"app": "web"}, "annotations": {"note": 'say "hi"'}}, containers=[pods.container("app", **container)])
    view = pods.view(made)
    host = msgspec.structs.replace(HOST, configs=CONFIGS)
    return environment.resolve(view, view.spec.containers[0], host=host, pod_ip="10.0.0.5")


def source(**ref: object) -> list[dict]:
    return [{"name": "X", "valueFrom": ref}]


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        pytest.param({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$(C)-$$(A)"}]}, {"A": "1", "B": "1-$(C)-$(A)"},
                     id="earlier names expand, unknown ones stay, $$ escapes"),
        pytest.param({"envFrom": [{"prefix": "P_", "configMapRef": {"name": "settings"}}]}, {"P_color": "blue", "P_size": "3", "P_bin": "hi"},
                     id="all of a ConfigMap, with a prefix"),
        pytest.param({"envFrom": [{"configMapRef": {"name": "settings"}}], "env": [{"name": "color", "value": "$(size)"}]},
                     {"color": "3", "size": "3", "bin": "hi"}, id="env overrides envFrom and may name it"),
        pytest.param({"env": source(secretKeyRef={"name": "keys", "key": "password"})}, {"X": "sesame"}, id="a Secret's key"),
        pytest.param({"env": source(secretKeyRef={"name": "absent", "key": "x", "optional": True})}, {}, id="optional and missing: left out"),
        pytest.param({"env": source(secretKeyRef={"name": "absent", "key": "x"})},
                     Waiting("CreateContainerConfigError", 'secret "absent" not found'), id="a missing Secret"),
        pytest.param({"env": source(configMapKeyRef={"name": "settings", "key": "shape"})},
                     Waiting("CreateContainerConfigError", "couldn't find key shape in ConfigMap default/settings"), id="a missing key"),
        pytest.param({"env": source(configMapKeyRef={"name": "later", "key": "x"})},
                     Waiting("ContainerCreating", 'waiting for configmap "later" from the master'), id="not arrived yet: no error"),
        pytest.param({"env": source(fieldRef={"fieldPath": "status.podIP"})}, {"X": "10.0.0.5"}, id="the pod's address"),
        pytest.param({"env": source(fieldRef={"fieldPath": "metadata.labels['app']"})}, {"X": "web"}, id="one label"),
        pytest.param({"env": source(fieldRef={"fieldPath": "metadata.annotations"})}, {"X": 'note="say \\"hi\\""'}, id="all annotations"),
        pytest.param({"env": source(fieldRef={"fieldPath": "spec.nodeName"})}, {"X": "host-1"}, id="the node's name"),
        pytest.param({"env": source(resourceFieldRef={"resource": "limits.memory", "divisor": "1Mi"}),
                      "resources": {"limits": {"memory": "64Mi"}}}, {"X": "64"}, id="a limit in units of its divisor"),
        pytest.param({"env": source(resourceFieldRef={"resource": "limits.cpu"})}, {"X": "2"}, id="no limit: what the node has"),
    ],
)  # fmt: skip
def test_environment(container: dict, expected: object) -> None:
    assert resolved(**container) == expected


# Numbers.


@pytest.mark.parametrize(
    ("resources", "quality", "score"),
    [
        pytest.param({}, "BestEffort", 1000, id="nothing asked"),
        pytest.param({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed", -997, id="limits alone are requests too"),
        pytest.param({"requests": {"memory": "1Gi"}}, "Burstable", 750, id="a quarter of the node's memory"),
        pytest.param({"requests": {"cpu": "1"}}, "Burstable", 999, id="no memory asked"),
        pytest.param({"requests": {"memory": "4Gi"}}, "Burstable", 3, id="all of it"),
    ],
)
def test_quality_of_service_and_oom_score(resources: dict, quality: str, score: int) -> None:
    view = pods.view(pods.document(containers=[pods.container("app", resources=resources)]))
    assert specs.qos(view) == quality
    assert specs.limits(view, view.spec.containers[0], HOST).oom_score_adj == score


def test_unsupported_fields_are_named() -> None:
    made = pods.document(
        resourceClaims=[{"name": "gpu"}],
        volumes=[{"name": "data", "nfs": {"server": "s", "path": "/"}}, {"name": "kube-api-access-x", "projected": {}}],
        containers=[pods.container("app", securityContext={"appArmorProfile": {"type": "Localhost"}})],
    )
    assert unsupported.blocking(made) == ["spec.volumes[data].nfs"]
    assert unsupported.fields(made) == ["spec.resourceClaims", "spec.containers{app}.securityContext.appArmorProfile"]


# Where the API is.


def env_of(api: str, **spec: object) -> dict:
    made = pods.document(containers=[pods.container("app", env=[{"name": "URL", "value": "https://$(KUBERNETES_SERVICE_HOST)/"}])], **spec)
    view = pods.view(made)
    found = environment.resolve(view, view.spec.containers[0], host=replace(HOST, api=api), pod_ip="10.0.0.5")
    assert isinstance(found, dict)
    return found


def test_a_container_finds_the_api_by_kubernetes_own_variables() -> None:
    found = env_of("10.87.0.2:6443")
    assert found == {
        "URL": "https://10.87.0.2/", "KUBERNETES_SERVICE_HOST": "10.87.0.2", "KUBERNETES_SERVICE_PORT": "6443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "6443", "KUBERNETES_PORT": "tcp://10.87.0.2:6443", "KUBERNETES_PORT_6443_TCP": "tcp://10.87.0.2:6443",
        "KUBERNETES_PORT_6443_TCP_PROTO": "tcp", "KUBERNETES_PORT_6443_TCP_PORT": "6443", "KUBERNETES_PORT_6443_TCP_ADDR": "10.87.0.2",
    }  # fmt: skip
    assert env_of("[fd00::2]:6443")["KUBERNETES_SERVICE_HOST"] == "fd00::2"
    assert env_of("") == {"URL": "https://$(KUBERNETES_SERVICE_HOST)/"}


def test_a_hosts_loopback_is_told_only_to_those_who_are_in_its_network() -> None:
    assert "KUBERNETES_SERVICE_HOST" not in env_of("127.0.0.1:6443")
    assert env_of("127.0.0.1:6443", hostNetwork=True)["KUBERNETES_SERVICE_HOST"] == "127.0.0.1"
