"""What nodes and pods use, as `kubectl top` shows it: on real containers measured, on hollow ones as they declare it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.conftest import kubectl_path

BUSY = "while true; do :; done"


def pod(name: str, *containers: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": list(containers)},
    }  # fmt: skip


def container(name: str, script: str, *, cpu: str, memory: str) -> dict[str, Any]:
    asked = {"cpu": cpu, "memory": memory}
    return {
        "name": name, "image": "busybox:1.36", "command": ["sh", "-c", script], "resources": {"requests": asked, "limits": asked},
    }  # fmt: skip


def table(text: str) -> list[dict[str, str]]:
    head, *rows = (line.split() for line in text.splitlines())
    return [dict(zip(head, row, strict=True)) for row in rows]


def milli(text: str) -> int:
    found = re.fullmatch(r"(\d+)m", text)
    assert found, text
    return int(found[1])


@pytest.mark.parametrize("version", ["1.27", "1.33"])
def test_top_shows_what_pods_and_nodes_use(cluster: Cluster, version: str) -> None:
    tool = Cluster(
        cluster.lab, kubectl=kubectl_path(version), kctl_config=cluster.lab.kubeconfig.parent / "kctl.json", runtime=cluster.runtime,
        namespace=cluster.namespace,
    )  # fmt: skip
    hollow = cluster.runtime == "hollow"
    busy = container("busy", BUSY if not hollow else "sleep 1000", cpu="200m", memory="64Mi")
    idle = container("idle", "sleep 1000", cpu="100m", memory="32Mi")
    tool.apply(pod("worker", busy, idle, app="worker"), pod("idler", idle, app="idler"))
    tool.kubectl("wait", "--for=condition=Ready", "pod/worker", "pod/idler", "--timeout=60s")
    tool.until(lambda: {"worker", "idler"} <= {row["NAME"] for row in table(tool.kubectl("top", "pod", check=False) or "x")}, "figures")

    def whole() -> bool:
        """A full window of the busy container has been seen."""
        rows = {(row["POD"], row["NAME"]): row for row in table(tool.kubectl("top", "pod", "--containers"))}
        return milli(rows["worker", "busy"]["CPU(cores)"]) > 50

    tool.until(whole, "the busy container's use")
    rows = {(row["POD"], row["NAME"]): row for row in table(tool.kubectl("top", "pod", "--containers"))}
    assert set(rows) == {("worker", "busy"), ("worker", "idle"), ("idler", "idle")}
    assert milli(rows["idler", "idle"]["CPU(cores)"]) < 120
    if hollow:
        assert rows["worker", "busy"] == {"POD": "worker", "NAME": "busy", "CPU(cores)": "200m", "MEMORY(bytes)": "64Mi"}
    assert [row["NAME"] for row in table(tool.kubectl("top", "pod", "--sort-by=cpu"))] == ["worker", "idler"]
    assert [row["NAME"] for row in table(tool.kubectl("top", "pod", "-l", "app=idler"))] == ["idler"]
    assert {"NAMESPACE", "NAME"} <= set(table(tool.kubectl("top", "pod", "-A", "--sort-by=memory"))[0])
    nodes = table(tool.kubectl("top", "node"))
    wanted = {name.removeprefix("node/") for name in tool.kubectl("get", "nodes", "-o", "name").split()}
    assert {row["NAME"] for row in nodes} == wanted
    assert sum(milli(row["CPU(cores)"]) for row in nodes) > 50
    assert all(re.fullmatch(r"\d+%", row["MEMORY%" if "MEMORY%" in row else "MEMORY(%)"]) for row in nodes)
    assert "WINDOW" in tool.kubectl("get", "pods.metrics.k8s.io")


def test_a_pod_that_is_gone_has_no_figures(cluster: Cluster) -> None:
    cluster.apply(pod("brief", container("c", "sleep 1000", cpu="100m", memory="32Mi")))
    cluster.until(lambda: "brief" in cluster.kubectl("top", "pod", check=False), "figures")
    cluster.kubectl("delete", "pod", "brief", "--timeout=60s")
    assert "brief" not in cluster.kubectl("top", "pod", check=False)
