"""What the cluster must come to once nothing more befalls it: what the stored Deployments say, on the hosts and in the store."""

from __future__ import annotations

from typing import Any

from tests.sim.world import World

Document = dict[str, Any]


def unsettled(world: World) -> str | None:
    """What is not yet as it should be, in a sentence; None when all is."""
    if world.master is None:
        return "the master is down"
    return _nodes(world) or _workloads(world) or _hosts(world)


def _condition(document: Document, kind: str) -> str | None:
    conditions = document.get("status", {}).get("conditions", [])
    return next((c["status"] for c in conditions if c["type"] == kind), None)


def _nodes(world: World) -> str | None:
    for node in world.present("nodes"):
        name = node["metadata"]["name"]
        if _condition(node, "Ready") != "True":
            return f"node {name} is not ready"
        if node["spec"].get("taints"):
            return f"node {name} has taints {node['spec']['taints']}"
    return None


def _workloads(world: World) -> str | None:
    wanted: dict[str, int] = {}
    for app in world.present("deployments.apps"):
        name, replicas, status = app["metadata"]["name"], app["spec"]["replicas"], app.get("status", {})
        if "deletionTimestamp" in app["metadata"]:
            return f"Deployment {name} is still being deleted"
        if status.get("observedGeneration") != app["metadata"]["generation"]:
            return f"Deployment {name} is not observed"
        found = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
        if found != [replicas] * 4:
            return f"Deployment {name} wants {replicas} and reports {found}"
        wanted[name] = replicas
    images = {app["metadata"]["name"]: app["spec"]["template"]["spec"]["containers"][0]["image"] for app in world.present("deployments.apps")}
    pods: dict[str, int] = dict.fromkeys(wanted, 0)
    for pod in world.present("pods"):
        name, app = pod["metadata"]["name"], pod["metadata"]["labels"]["app"]
        if app not in wanted:
            return f"pod {name} is left of {app}, which is gone"
        if "deletionTimestamp" in pod["metadata"] or _condition(pod, "Ready") != "True":
            return f"pod {name} is not ready, or still terminating"
        if pod["spec"]["containers"][0]["image"] != images[app]:
            return f"pod {name} is of an old template"
        pods[app] += 1
    if pods != wanted:
        return f"pods {pods} for {wanted}"
    sets = [s["metadata"]["name"] for s in world.present("replicasets.apps") if s["spec"]["template"]["metadata"]["labels"]["app"] not in wanted]
    return f"ReplicaSets {sets} are left of Deployments that are gone" if sets else None


def _hosts(world: World) -> str | None:
    """What runs is what is stored: nothing missing, no orphan, nothing dead lying about of what is gone."""
    bound: dict[str, dict[str, None]] = {name: {} for name in world.hosts}
    for pod in world.present("pods"):
        bound[pod["spec"]["nodeName"]][pod["metadata"]["uid"]] = None
    for name, host in world.hosts.items():
        running = dict.fromkeys(uid for uid, _ in host.containers.running())
        if running.keys() != bound[name].keys():
            missing, orphans = bound[name].keys() - running.keys(), running.keys() - bound[name].keys()
            return f"host {name}: missing {sorted(missing)}, orphans {sorted(orphans)}"
        if left := sorted(set(host.containers.known_uids()) - bound[name].keys()):
            return f"host {name}: sandboxes are left of {left}"
    return None
