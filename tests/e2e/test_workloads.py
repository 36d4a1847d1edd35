"""What a user does with a running cluster, with the real kubectl: run things, look at them, change them, lose them.

The same cases run on every runtime; those that need real containers (logs, addresses, cgroups) say so.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.cluster import Cluster, manifest

BUSYBOX = "busybox:1.36"


def pod(name: str, command: str = "sleep 3600", *, image: str = BUSYBOX, policy: str = "Always", **spec: object) -> dict:
    container = {"name": "main", "image": image, "command": ["sh", "-c", command]}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"restartPolicy": policy, "terminationGracePeriodSeconds": 1, "containers": [container], **spec},
    }  # fmt: skip


def deployment(name: str, replicas: int, **template: object) -> dict:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 1,
                         "containers": [{"name": "main", "image": BUSYBOX, "command": ["sleep", "3600"]}], **template},
            },
        },
    }  # fmt: skip


@pytest.mark.also("docker", "mixed")
def test_the_example_runs_on_both_hosts(cluster: Cluster) -> None:
    nodes = cluster.json("get", "nodes")["items"]
    assert len(nodes) == 2
    assert all({c["type"]: c["status"] for c in n["status"]["conditions"]}["Ready"] == "True" for n in nodes)
    # Other tests may have moved its pods: placed anew, they are spread over the hosts again.
    cluster.kubectl("rollout", "restart", "deployment/web", "-n", "default")
    cluster.kubectl("rollout", "status", "deployment/web", "-n", "default", "--timeout=60s")
    pods = [p for p in cluster.json("get", "pods", "-n", "default", "-l", "app=web")["items"] if not p["metadata"].get("deletionTimestamp")]
    assert [p["status"]["phase"] for p in pods] == ["Running"] * 3
    assert len({p["spec"]["nodeName"] for p in pods}) == 2
    assert len({p["status"]["podIP"] for p in pods}) == 3


@pytest.mark.also("docker")
def test_a_pod_runs_to_its_end_with_its_exit_code(cluster: Cluster) -> None:
    cluster.apply(pod("three", "exit 3", policy="Never"), pod("zero", "exit 0", policy="Never"))
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "pod/three", "--timeout=30s")
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/zero", "--timeout=30s")
    state = cluster.json("get", "pod", "three")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (state["exitCode"], state["reason"]) == (3, "Error")
    lines = cluster.kubectl("get", "pods", "three", "zero", "--no-headers").splitlines()
    assert [line.split()[2] for line in lines] == ["Error", "Completed"]


@pytest.mark.also("docker")
def test_a_crashing_container_is_restarted_with_back_off(cluster: Cluster) -> None:
    cluster.apply(pod("crash", "exit 7"))
    cluster.until(lambda: "CrashLoopBackOff" in cluster.kubectl("get", "pod", "crash"), "CrashLoopBackOff")
    status = cluster.json("get", "pod", "crash")["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 7
    assert re.match(r"back-off \d+s restarting failed container=main pod=crash_", status["state"]["waiting"]["message"])
    assert "BackOff" in cluster.kubectl("events", "--for", "pod/crash")


def test_an_image_that_is_nowhere_says_so_in_the_runtimes_words(cluster: Cluster) -> None:
    cluster.apply(pod("noimage", image="missing.invalid/nonexistent:1"))
    cluster.until(
        lambda: any(word in cluster.kubectl("get", "pod", "noimage") for word in ("ErrImagePull", "ImagePullBackOff")), "ErrImagePull"
    )
    cluster.until(lambda: "Failed to pull image" in cluster.kubectl("events", "--for", "pod/noimage"), "an event")


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_command_that_is_not_in_the_image_says_so(cluster: Cluster) -> None:
    document = pod("nocommand")
    document["spec"]["containers"][0]["command"] = ["/no/such/program"]
    cluster.apply(document)
    cluster.until(
        lambda: re.search("RunContainerError|CreateContainerError|CrashLoopBackOff|StartError", cluster.kubectl("get", "pod", "nocommand"))
        is not None,
        "an error state",
    )
    assert "no such file or directory" in cluster.kubectl("describe", "pod", "nocommand")


@pytest.mark.parametrize(("resource", "amount"), [("cpu", "1000"), ("memory", "100Ti"), ("ephemeral-storage", "1Ei")])
def test_a_pod_that_fits_nowhere_says_why_for_every_node(cluster: Cluster, resource: str, amount: str) -> None:
    assert all({"capacity", "allocatable"} <= {f for f, told in n["status"].items() if resource in told} for n in cluster.json("get", "nodes")["items"])
    document = pod("huge")
    document["spec"]["containers"][0]["resources"] = {"requests": {resource: amount}}
    cluster.apply(document)
    cluster.kubectl("wait", "--for=condition=PodScheduled=False", "pod/huge", "--timeout=20s")
    condition = next(c for c in cluster.json("get", "pod", "huge")["status"]["conditions"] if c["type"] == "PodScheduled")
    assert condition["reason"] == "Unschedulable"
    assert condition["message"].startswith(f"0/2 nodes are available: 2 Insufficient {resource}.")
    cluster.until(lambda: "FailedScheduling" in cluster.kubectl("events", "--for", "pod/huge"), "FailedScheduling")


def test_a_node_selector_is_honoured_once_a_node_matches(cluster: Cluster) -> None:
    cluster.apply(pod("picky", nodeSelector={"disk": "fast"}))
    cluster.kubectl("wait", "--for=condition=PodScheduled=False", "pod/picky", "--timeout=20s")
    cluster.kubectl("label", "node", "host-2", "disk=fast")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/picky", "--timeout=30s")
    assert cluster.json("get", "pod", "picky")["spec"]["nodeName"] == "host-2"
    cluster.kubectl("label", "node", "host-2", "disk-")


def test_a_deployment_rolls_out_back_and_scales(cluster: Cluster) -> None:
    cluster.apply(deployment("roll", 3))
    cluster.kubectl("rollout", "status", "deployment/roll", "--timeout=60s")
    cluster.kubectl("set", "env", "deployment/roll", "COLOUR=green")
    cluster.kubectl("rollout", "status", "deployment/roll", "--timeout=60s")
    green = [p for p in cluster.json("get", "pods", "-l", "app=roll")["items"] if not p["metadata"].get("deletionTimestamp")]
    assert [p["spec"]["containers"][0]["env"] for p in green] == [[{"name": "COLOUR", "value": "green"}]] * 3
    cluster.kubectl("rollout", "restart", "deployment/roll")
    cluster.kubectl("rollout", "status", "deployment/roll", "--timeout=60s")
    history = cluster.kubectl("rollout", "history", "deployment/roll")
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2", "3"]
    cluster.kubectl("rollout", "undo", "deployment/roll", "--to-revision=1")
    cluster.kubectl("rollout", "status", "deployment/roll", "--timeout=60s")
    cluster.kubectl("scale", "deployment/roll", "--replicas=5")
    cluster.kubectl("rollout", "status", "deployment/roll", "--timeout=60s")
    cluster.until(lambda: len(cluster.json("get", "pods", "-l", "app=roll")["items"]) == 5, "five pods")
    assert all("env" not in p["spec"]["containers"][0] for p in cluster.json("get", "pods", "-l", "app=roll")["items"])
    cluster.kubectl("delete", "deployment", "roll")
    cluster.until(lambda: not cluster.json("get", "pods,replicasets", "-l", "app=roll")["items"], "the cascade")


@pytest.mark.also("docker")
def test_a_broken_rollout_leaves_the_old_pods_serving(cluster: Cluster) -> None:
    cluster.apply(deployment("keep", 3))
    cluster.kubectl("rollout", "status", "deployment/keep", "--timeout=60s")
    cluster.kubectl("set", "image", "deployment/keep", "main=missing.invalid/nonexistent:2")
    cluster.until(lambda: "ImagePull" in cluster.kubectl("get", "pods", "-l", "app=keep"), "ErrImagePull")
    assert cluster.json("get", "deployment", "keep")["status"]["availableReplicas"] >= 3
    cluster.kubectl("rollout", "undo", "deployment/keep")
    cluster.kubectl("rollout", "status", "deployment/keep", "--timeout=60s")


def test_a_deleted_pod_is_replaced_and_why_tells_the_chain(cluster: Cluster) -> None:
    cluster.apply(deployment("heal", 2))
    cluster.kubectl("rollout", "status", "deployment/heal", "--timeout=60s")
    victim = cluster.json("get", "pods", "-l", "app=heal")["items"][0]["metadata"]["name"]
    cluster.kubectl("delete", "pod", victim)
    cluster.until(lambda: victim not in cluster.kubectl("get", "pods"), "the pod's end")
    cluster.kubectl("rollout", "status", "deployment/heal", "--timeout=60s")
    told = cluster.kctl("why", f"pod/{victim}", "-n", cluster.namespace)
    assert "kubernetes-admin" in told and "deleted" in told
    fresh = next(p for p in cluster.json("get", "pods", "-l", "app=heal")["items"] if p["metadata"]["name"] != victim)
    told = cluster.kctl("why", f"pod/{fresh['metadata']['name']}", "-n", cluster.namespace)
    assert "replicaset" in told.lower() or "kagent" in told.lower()


@pytest.mark.also("docker")
def test_init_containers_run_first_and_in_order(cluster: Cluster) -> None:
    document = pod("ordered")
    document["spec"]["initContainers"] = [
        {"name": name, "image": BUSYBOX, "command": ["sh", "-c", "exit 0"]} for name in ("first", "second")
    ]
    cluster.apply(document)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/ordered", "--timeout=40s")
    states = cluster.json("get", "pod", "ordered")["status"]["initContainerStatuses"]
    assert [(s["name"], s["state"]["terminated"]["exitCode"]) for s in states] == [("first", 0), ("second", 0)]


def test_a_drained_host_is_empty_and_takes_pods_again(cluster: Cluster) -> None:
    cluster.apply(deployment("move", 3))
    cluster.kubectl("rollout", "status", "deployment/move", "--timeout=60s")
    told = cluster.kctl("node", "drain", "host-2", "--force", "--timeout", "60")
    assert "node/host-2 drained" in told
    assert "SchedulingDisabled" in cluster.kubectl("get", "node", "host-2")
    assert not cluster.json("get", "pods", "-A", "--field-selector", "spec.nodeName=host-2")["items"]
    cluster.kubectl("rollout", "status", "deployment/move", "--timeout=60s")
    cluster.kctl("node", "uncordon", "host-2")
    cluster.until(lambda: "SchedulingDisabled" not in cluster.kubectl("get", "node", "host-2"), "uncordoned")


def test_a_no_execute_taint_moves_pods_away(cluster: Cluster) -> None:
    cluster.apply(deployment("flee", 2))
    cluster.kubectl("rollout", "status", "deployment/flee", "--timeout=60s")
    cluster.kubectl("taint", "node", "host-2", "maintenance=now:NoExecute")
    cluster.until(
        lambda: not [
            p for p in cluster.json("get", "pods", "-l", "app=flee")["items"] if p["spec"].get("nodeName") == "host-2"
        ],
        "host-2 to be left",
    )
    cluster.kubectl("taint", "node", "host-2", "maintenance-")
    cluster.kubectl("rollout", "status", "deployment/flee", "--timeout=60s")


def test_a_namespace_goes_with_all_that_is_in_it(cluster: Cluster) -> None:
    cluster.kubectl("create", "-f", "-", stdin=manifest({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "goner"}}))
    cluster.kubectl("apply", "-n", "goner", "-f", "-", stdin=manifest(deployment("inside", 2)))
    cluster.kubectl("rollout", "status", "-n", "goner", "deployment/inside", "--timeout=60s")
    cluster.kubectl("delete", "namespace", "goner", "--timeout=60s")
    assert not cluster.json("get", "pods,deployments,replicasets", "-n", "goner")["items"]
    assert "not found" in cluster.kubectl("get", "namespace", "goner", check=False)


@pytest.mark.real
@pytest.mark.also("docker")
def test_logs_in_all_their_forms(cluster: Cluster) -> None:
    # The two outputs are two pipes: what is written last to one may be logged before the end of the other.
    cluster.apply(pod("talk", "echo err >&2; sleep 0.5; for i in 1 2 3 4 5; do echo line-$i; done; sleep 3600"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/talk", "--timeout=30s")
    cluster.until(lambda: "line-5" in cluster.kubectl("logs", "talk"), "all lines")
    assert cluster.kubectl("logs", "talk").splitlines() == ["err"] + [f"line-{i}" for i in range(1, 6)]
    assert cluster.kubectl("logs", "talk", "--tail=2").splitlines() == ["line-4", "line-5"]
    assert re.match(r"^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d) line-1$", cluster.kubectl("logs", "talk", "--timestamps").splitlines()[1])
    assert cluster.kubectl("logs", "talk", "--since=1h").count("\n") == 6
    assert "previous terminated container" in cluster.kubectl("logs", "talk", "--previous", check=False)


@pytest.mark.real
def test_logs_of_the_container_before_and_of_one_that_is_followed(cluster: Cluster) -> None:
    cluster.apply(pod("again", "echo run-of-$(cat /proc/sys/kernel/random/uuid); sleep 1; exit 1", policy="OnFailure"))
    cluster.until(lambda: cluster.json("get", "pod", "again")["status"].get("containerStatuses", [{}])[0].get("restartCount", 0) >= 1, "a restart")
    assert cluster.kubectl("logs", "again", "--previous").startswith("run-of-")
    cluster.apply(pod("stream", "for i in 1 2 3; do echo tick-$i; sleep 0.3; done", policy="Never"))
    cluster.until(lambda: cluster.kubectl("logs", "stream", check=False).startswith("tick-1"), "the first line")
    assert cluster.kubectl("logs", "-f", "stream").splitlines() == ["tick-1", "tick-2", "tick-3"]


@pytest.mark.real
@pytest.mark.also("docker")
def test_containers_of_a_pod_share_their_network_and_obey_their_limits(cluster: Cluster) -> None:
    document = pod("pair", "nc -l -p 7000 -e echo hello-from-next-door; sleep 3600")
    document["spec"]["containers"].append(
        {
            "name": "asker", "image": BUSYBOX, "env": [{"name": "GREETING", "value": "got $(WHO)"}, {"name": "WHO", "value": "x"}],
            "command": ["sh", "-c", "until nc 127.0.0.1 7000 </dev/null; do sleep 0.1; done; echo env=$GREETING; "
                        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; sleep 3600"],
            "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
        }
    )  # fmt: skip
    cluster.apply(document)
    cluster.until(lambda: "67108864" in cluster.kubectl("logs", "pair", "-c", "asker", check=False), "the asker's answer")
    assert "hello-from-next-door" in cluster.kubectl("logs", "pair", "-c", "asker")


@pytest.mark.real
@pytest.mark.also("docker", "mixed")
def test_pods_reach_one_another_across_hosts(cluster: Cluster) -> None:
    serve = pod("serve", "while true; do echo served | nc -l -p 8080; done", nodeName="host-1")
    cluster.apply(serve)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/serve", "--timeout=30s")
    address = cluster.json("get", "pod", "serve")["status"]["podIP"]
    cluster.apply(pod("ask", f"until nc -w 2 {address} 8080 </dev/null; do sleep 0.2; done", policy="Never", nodeName="host-2"))
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/ask", "--timeout=40s")
    assert "served" in cluster.kubectl("logs", "ask")


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_container_is_asked_to_end_before_it_is_killed(cluster: Cluster) -> None:
    document = pod("polite", "trap 'echo goodbye; exit 0' TERM; echo ready; while true; do sleep 0.1; done", terminationGracePeriodSeconds=20)
    cluster.apply(document)
    cluster.until(lambda: "ready" in cluster.kubectl("logs", "polite", check=False), "its start")
    with cluster.following("logs", "-f", "polite") as lines:
        cluster.kubectl("delete", "pod", "polite", "--timeout=15s")
    assert "goodbye" in lines()


def test_every_warning_of_a_pod_that_asks_for_what_is_not_there_yet(cluster: Cluster) -> None:
    document = pod("asks")
    document["spec"]["containers"][0]["securityContext"] = {"seLinuxOptions": {"level": "s0:c1"}}
    cluster.apply(document)
    cluster.until(lambda: "seLinuxOptions" in cluster.kubectl("events", "--for", "pod/asks"), "a warning that names the field")


def test_status_shows_the_cluster_at_a_glance(cluster: Cluster) -> None:
    told = json.loads(cluster.kctl("status", "-o", "json"))
    assert set(told["nodes"]) == {"host-1", "host-2"}
    assert "2 of 2 ready" in cluster.kctl("status")
    assert cluster.kctl("version").startswith("kctl ")
