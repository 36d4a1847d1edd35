"""What all labs do with a cluster once its processes can be started: wait for the master, join, wait for nodes, run the example.

Everything here goes through the front doors that users have: the HTTPS API with the admin's kubeconfig, and `kctl token create`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from lab import daemons, processes
from lab.client import Api, Document
from lab.contract import LabFault, Progress

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "web.yaml"
MASTER_TIMEOUT_S = 30.0
NODE_TIMEOUT_S = 30.0
LISTS_SHARE = 10
"""The pause after a list of the nodes, in the time that it took."""
NAMED = 8
EXAMPLE_TIMEOUT_S = 90.0
KCTL_TIMEOUT_S = 20.0


def wait_master(kubeconfig: Path, *, alive: Callable[[], bool], log: Path) -> Api:
    """Wait until kmaster has written the kubeconfig, with kctl.json beside it, and is ready. Raises LabFault with its last words
    when it ends."""
    api: list[Api] = []

    def ready() -> bool:
        if not alive():
            raise LabFault(f"kmaster ended: {processes.tail(log)} (see {log})")
        if not api and kubeconfig.exists() and kubeconfig.with_name("kctl.json").exists():
            api.append(Api(kubeconfig))
        return bool(api) and api[0].ready()

    late = f"kmaster was not ready within {MASTER_TIMEOUT_S:g} s"
    processes.until(ready, MASTER_TIMEOUT_S, lambda: f"{late}: {processes.tail(log)} (see {log})")
    return api[0]


def join_string(kctl_config: Path) -> str:
    """A new join string, made by `kctl token create` as a user would."""
    try:
        result = subprocess.run(
            daemons.kctl_token(kctl_config), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=KCTL_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise LabFault(f"`kctl token create` did not end within {KCTL_TIMEOUT_S:g} s") from error
    if result.returncode:
        raise LabFault(f"`kctl token create` failed: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout.strip().splitlines()[-1]


def _is_ready(node: Document) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def wait_nodes(api: Api, names: list[str], *, check: Callable[[], None], progress: Progress) -> None:
    """Wait until these nodes are Ready, for as long as there is progress: each NODE_TIMEOUT_S brings another one. `check` raises when
    waiting has become pointless."""
    missing = set(names)

    def more_ready() -> bool:
        check()
        before, began = len(missing), processes.CLOCK.monotonic()
        nodes = {node["metadata"]["name"]: node for node in api.get("/api/v1/nodes")["items"]}
        missing.intersection_update(name for name in names if not (name in nodes and _is_ready(nodes[name])))
        progress.detail(f"{len(names) - len(missing)} of {len(names)} Ready")
        # Subtle: thousands of nodes are megabytes; asked for without a pause, they would keep the master from the hosts that join.
        time.sleep(LISTS_SHARE * (processes.CLOCK.monotonic() - began) if missing else 0.0)
        return len(missing) < before or not missing

    while missing:
        processes.until(more_ready, NODE_TIMEOUT_S, lambda: f"not Ready after {NODE_TIMEOUT_S:g} s: {_some(sorted(missing))}")


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def heartbeat(kubeconfig: Path, node: str) -> str:
    """When the master last heard of the node, by its Lease."""
    lease = Api(kubeconfig).get(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}")
    return str(lease["spec"].get("renewTime") or "")


def wait_heartbeat(kubeconfig: Path, node: str, *, after: str) -> None:
    """Wait until the master hears of the node again: its agent, started anew, has a session."""
    processes.until(
        lambda: heartbeat(kubeconfig, node) != after, NODE_TIMEOUT_S, f"the master has not heard of {node} for {NODE_TIMEOUT_S:g} s"
    )


def _trouble(api: Api, namespace: str) -> str:
    """Why the example's pods wait, in the cluster's own words."""
    for pod in api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]:
        status = pod.get("status") or {}
        for container in status.get("containerStatuses") or []:
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("message") or waiting.get("reason"):
                return f"{pod['metadata']['name']}: {waiting.get('reason', '')} {waiting.get('message', '')}".strip()
        if not pod["spec"].get("nodeName") and not status.get("conditions"):
            return f"{pod['metadata']['name']} waits for the scheduler"
        for condition in status.get("conditions") or []:
            if condition["status"] != "True" and condition.get("message"):
                return f"{pod['metadata']['name']}: {condition['message']}"
    return "see `kubectl describe pods`"


def run_example(api: Api, progress: Progress) -> None:
    """Create what examples/web.yaml holds and is not there, and wait until all replicas are Ready."""
    api.create_missing(EXAMPLE)
    path = "/apis/apps/v1/namespaces/default/deployments/web"

    def ready() -> bool:
        deployment = api.get(path)
        status = deployment.get("status") or {}
        wanted = deployment["spec"]["replicas"]
        progress.detail(f"{status.get('readyReplicas', 0)} of {wanted} pods Ready")
        return status.get("observedGeneration") == deployment["metadata"]["generation"] and status.get("availableReplicas", 0) >= wanted

    late = f"the example was not Ready after {EXAMPLE_TIMEOUT_S:g} s"
    processes.until(ready, EXAMPLE_TIMEOUT_S, lambda: f"{late}: {_trouble(api, 'default')}")
