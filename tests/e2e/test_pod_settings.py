"""What a pod says about its processes, its names and its files, as a user sees it from inside with the real kubectl."""

from __future__ import annotations

import json
import sys

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.test_workloads import BUSYBOX, pod

HARDENED = {
    "runAsNonRoot": True, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


def waiting(cluster: Cluster, name: str) -> dict:
    statuses = cluster.json("get", "pod", name)["status"].get("containerStatuses") or [{}]
    return statuses[0].get("state", {}).get("waiting", {})


@pytest.mark.real
def test_a_hardened_pod_runs_as_it_was_told(cluster: Cluster) -> None:
    """The securityContext that most charts ask for."""
    document = pod(
        "hard", securityContext={"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000, "supplementalGroups": [4000]},
        volumes=[{"name": "data", "emptyDir": {}}],
    )  # fmt: skip
    document["spec"]["containers"][0] |= {"securityContext": HARDENED, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    cluster.apply(document)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/hard", "--timeout=30s")
    look = "id -u; id -g; id -G; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/1/status; touch /x 2>&1; echo mine >/data/file; stat -c '%g' /data/file"
    lines = cluster.kubectl("exec", "hard", "--", "sh", "-c", look).splitlines()
    assert lines[:2] == ["1000", "3000"] and set(lines[2].split()) == {"3000", "2000", "4000"}
    assert [line.split()[1] for line in lines[3:6]] == ["0000000000000000", "1", "2"]
    assert "Read-only file system" in lines[6] and lines[7] == "2000"
    assert "UnsupportedFeature" not in cluster.kubectl("events", "--for", "pod/hard")


@pytest.mark.real
def test_an_image_of_root_does_not_run_where_root_may_not(cluster: Cluster) -> None:
    cluster.apply(pod("root", securityContext={"runAsNonRoot": True}))
    cluster.until(lambda: waiting(cluster, "root").get("reason") == "CreateContainerConfigError", "the refusal")
    assert "container has runAsNonRoot and image will run as root" in waiting(cluster, "root")["message"]
    assert "CreateContainerConfigError" in cluster.kubectl("get", "pod", "root")


def test_a_sysctl_of_the_host_is_refused(cluster: Cluster) -> None:
    cluster.apply(pod("kernel", securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}))
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "pod/kernel", "--timeout=30s")
    status = cluster.json("get", "pod", "kernel")["status"]
    assert (status["reason"], status["message"]) == ("SysctlForbidden", 'forbidden sysctl: "kernel.msgmax" not allowlisted')


@pytest.mark.real
def test_a_pod_has_the_names_it_asked_for(cluster: Cluster) -> None:
    cluster.apply(pod(
        "named", hostname="db", subdomain="inner", hostAliases=[{"ip": "192.0.2.7", "hostnames": ["shop.local", "shop"]}],
        dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.53"], "searches": ["corp.example"], "options": [{"name": "ndots", "value": "2"}]},
    ))  # fmt: skip
    cluster.kubectl("wait", "--for=condition=Ready", "pod/named", "--timeout=30s")
    said = cluster.kubectl("exec", "named", "--", "sh", "-c", "hostname; cat /etc/hosts /etc/resolv.conf")
    address = cluster.json("get", "pod", "named")["status"]["podIP"]
    assert said.splitlines()[0] == "db"
    assert f"{address}\tdb.inner.{cluster.namespace}.svc.cluster.local\tdb\n" in said and "192.0.2.7\tshop.local\tshop\n" in said
    assert {"nameserver 192.0.2.53", "search corp.example", "options ndots:2"} <= set(said.splitlines())


@pytest.mark.real
def test_containers_that_share_their_processes_see_one_another(cluster: Cluster) -> None:
    document = pod("shared", shareProcessNamespace=True)
    document["spec"]["containers"].append({"name": "side", "image": BUSYBOX, "command": ["sleep", "4321"]})
    cluster.apply(document)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/shared", "--timeout=30s")
    assert "sleep 4321" in cluster.kubectl("exec", "shared", "-c", "main", "--", "ps")


def test_a_readiness_gate_is_opened_and_closed_by_others(cluster: Cluster) -> None:
    cluster.apply(pod("gated", readinessGates=[{"conditionType": "example.com/load-balanced"}]))
    cluster.kubectl("wait", "--for=condition=ContainersReady", "pod/gated", "--timeout=30s")
    ready = next(c for c in cluster.json("get", "pod", "gated")["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ReadinessGatesNotReady")
    for status in ("True", "False"):
        patch = f'{{"status":{{"conditions":[{{"type":"example.com/load-balanced","status":"{status}"}}]}}}}'
        cluster.kubectl("patch", "pod", "gated", "--subresource=status", "--type=strategic", "-p", patch)
        cluster.kubectl("wait", f"--for=condition=Ready={status}", "pod/gated", "--timeout=30s")
    assert "0/1" in cluster.kubectl("get", "pod", "gated", "-o", "wide").splitlines()[1].split()[-1]


REACHED = "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2); print(s.recv(100).decode())"


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_port_of_the_host_leads_to_the_pod_until_it_goes(cluster: Cluster) -> None:
    document = pod("listener", nodeName="host-1")
    document["spec"]["containers"][0] |= {
        "command": ["sh", "-c", "nc -ll -p 80 -e hostname"], "ports": [{"containerPort": 80, "hostPort": 28080}],
    }  # fmt: skip
    cluster.apply(document)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/listener", "--timeout=30s")
    address = cluster.json("get", "pod", "listener")["status"]["hostIP"]

    def reached(host: str, to: str) -> str:
        return cluster.lab.run(host, [sys.executable, "-c", REACHED, to, "28080"]).stdout.strip()

    cluster.until(lambda: reached("host-2", address) == "listener", "the port to answer from another host")
    assert reached("host-1", address) == "listener"
    assert reached("host-1", "127.0.0.1") == "listener"
    assert cluster.kubectl("exec", "listener", "--", "nc", "-w", "2", address, "28080").strip() == "listener"
    cluster.kubectl("delete", "pod", "listener", "--now")
    cluster.until(lambda: "28080" not in cluster.lab.run("host-1", ["nft", "list", "ruleset"]).stdout, "the rule to go")
    assert reached("host-2", address) == ""


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_runtime_class_chooses_what_runs_the_pod(cluster: Cluster) -> None:
    """Each runtime has a handler that is called runc."""
    usual, missing = f"usual-{cluster.namespace}", f"missing-{cluster.namespace}"
    for name, handler in ((usual, "runc"), (missing, "no-such-handler")):
        document = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler}
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(document))
    cluster.apply(pod("usual", runtimeClassName=usual), pod("missing", runtimeClassName=missing))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/usual", "--timeout=30s")
    cluster.until(lambda: "FailedCreatePodSandBox" in cluster.kubectl("events", "--for", "pod/missing"), "the runtime's refusal")
    assert "no-such-handler" in cluster.kubectl("events", "--for", "pod/missing")
    refused = cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod("none", runtimeClassName="none")), check=False)
    assert 'pods "none" is forbidden: pod rejected: RuntimeClass "none" not found' in refused
    cluster.kubectl("delete", "runtimeclass", usual, missing)


@pytest.mark.real
@pytest.mark.also("docker")
def test_devices_are_given_to_one_container_each(cluster: Cluster) -> None:
    """A host of a lab has two units of example.com/device: /dev/kmsg, which no container has by itself, and /dev/zero, which all have."""

    def asking(name: str) -> dict:
        document = pod(name, nodeSelector={"kubernetes.io/hostname": "host-1"})
        document["spec"]["containers"][0]["resources"] = {"limits": {"example.com/device": "1"}}
        return document

    assert cluster.json("get", "node", "host-1")["status"]["allocatable"]["example.com/device"] == "2"
    cluster.apply(asking("one"), asking("two"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/one", "pod/two", "--timeout=30s")
    cluster.apply(asking("three"))
    cluster.until(lambda: "Insufficient example.com/device" in cluster.kubectl("describe", "pod", "three"), "word of the scheduler")

    def kernels_log(name: str) -> str:
        return cluster.kubectl("exec", name, "--", "sh", "-c", "test -c /dev/kmsg && echo there || echo none").strip()

    has = {name: kernels_log(name) for name in ("one", "two")}
    assert sorted(has.values()) == ["none", "there"]
    cluster.kubectl("delete", "pod", "one", "--now")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/three", "--timeout=30s")
    assert kernels_log("three") == has["one"]
