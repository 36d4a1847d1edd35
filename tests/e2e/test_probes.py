"""Probes, hooks, deadlines and last words, as a user sees them with the real kubectl."""

from __future__ import annotations

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.test_workloads import BUSYBOX

EVERY_SECOND = {"periodSeconds": 1, "failureThreshold": 1}


def pod(name: str, command: str, *, policy: str = "Always", container: dict, **spec: object) -> dict:
    main = {"name": "main", "image": BUSYBOX, "command": ["sh", "-c", command], **container}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"restartPolicy": policy, "terminationGracePeriodSeconds": 3, "containers": [main], **spec},
    }  # fmt: skip


def main_status(cluster: Cluster, name: str) -> dict:
    return (cluster.json("get", "pod", name)["status"].get("containerStatuses") or [{}])[0]


def events(cluster: Cluster, name: str) -> str:
    return cluster.kubectl("events", "--for", f"pod/{name}", "--no-headers")


def test_a_failing_liveness_probe_restarts_the_container(cluster: Cluster) -> None:
    probe = {"exec": {"command": ["false"]}, **EVERY_SECOND}
    cluster.apply(pod("sick", "sleep 3600", container={"livenessProbe": probe}))
    cluster.until(lambda: main_status(cluster, "sick").get("restartCount", 0) >= 1, "a restart")
    told = events(cluster, "sick")
    assert "Liveness probe failed" in told and "failed liveness probe, will be restarted" in told
    assert "Unhealthy" in cluster.kubectl("describe", "pod", "sick")


def test_a_pod_that_is_longer_active_than_it_may_fails(cluster: Cluster) -> None:
    cluster.apply(pod("late", "sleep 3600", container={}, activeDeadlineSeconds=2))
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "pod/late", "--timeout=30s")
    status = cluster.json("get", "pod", "late")["status"]
    assert (status["reason"], status["message"]) == ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


@pytest.mark.real
@pytest.mark.parametrize("kind", ["httpGet", "tcpSocket", "exec"])
def test_a_pod_is_ready_exactly_while_its_probe_succeeds(cluster: Cluster, kind: str) -> None:
    """The probe's file, or the server itself, comes and goes."""
    serve = "while :; do if [ -e /www/up ]; then timeout 2 httpd -f -p 8080 -h /www; fi; sleep 0.1; done"
    command = f"mkdir /www; {serve}" if kind == "tcpSocket" else "mkdir /www; httpd -f -p 8080 -h /www"
    handler = {
        "httpGet": {"httpGet": {"path": "/up", "port": "web"}},
        "tcpSocket": {"tcpSocket": {"port": 8080}},
        "exec": {"exec": {"command": ["test", "-e", "/www/up"]}},
    }[kind]
    container = {"ports": [{"name": "web", "containerPort": 8080}], "readinessProbe": {**handler, **EVERY_SECOND}}
    cluster.apply(pod("web", command, container=container))
    cluster.until(lambda: main_status(cluster, "web").get("started"), "the container")
    cluster.until(lambda: "Readiness probe failed" in events(cluster, "web"), "the probe's failure")
    assert main_status(cluster, "web")["ready"] is False
    cluster.kubectl("exec", "web", "--", "touch", "/www/up")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=20s")
    cluster.kubectl("exec", "web", "--", "rm", "/www/up")
    cluster.kubectl("wait", "--for=condition=Ready=false", "pod/web", "--timeout=20s")
    assert main_status(cluster, "web")["restartCount"] == 0


@pytest.mark.real
def test_hooks_run_at_the_start_and_before_the_end(cluster: Cluster) -> None:
    """What a hook wrote into a volume is seen by the next start of the container."""
    lifecycle = {
        "postStart": {"exec": {"command": ["sh", "-c", "echo started >>/data/log"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo stopping >>/data/log"]}},
    }
    probe = {"exec": {"command": ["test", "!", "-e", "/data/die"]}, **EVERY_SECOND}
    container = {"lifecycle": lifecycle, "livenessProbe": probe, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    command = "trap 'rm -f /data/die; exit 0' TERM; while :; do sleep 0.1; done"
    cluster.apply(pod("hooked", command, container=container, volumes=[{"name": "data", "emptyDir": {}}]))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/hooked", "--timeout=30s")
    cluster.kubectl("exec", "hooked", "--", "touch", "/data/die")
    cluster.until(lambda: main_status(cluster, "hooked").get("restartCount") == 1, "a restart")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/hooked", "--timeout=30s")
    assert cluster.kubectl("exec", "hooked", "--", "cat", "/data/log").split() == ["started", "stopping", "started"]


@pytest.mark.real
def test_what_a_container_says_at_its_end_is_in_its_status(cluster: Cluster) -> None:
    cluster.apply(
        pod("said", "echo goodbye >/dev/termination-log; exit 3", policy="Never", container={}),
        pod("logged", "echo in the log; exit 4", policy="Never", container={"terminationMessagePolicy": "FallbackToLogsOnError"}),
    )
    for name, code, words in (("said", 3, "goodbye\n"), ("logged", 4, "in the log\n")):
        cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", f"pod/{name}", "--timeout=30s")
        ended = main_status(cluster, name)["state"]["terminated"]
        assert (ended["exitCode"], ended["message"]) == (code, words)
    assert "goodbye" in cluster.kubectl("describe", "pod", "said")
