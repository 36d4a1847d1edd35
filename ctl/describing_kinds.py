"""The sections of `kctl describe` that some kinds have of their own: Pod, Node, workloads, Service, Secret. Pure.

A kind that is not here is described field by field; adding one is a function and a line in SECTIONS. What it needs beside the object is
fetched by `describe.py`.
"""

from __future__ import annotations

from typing import Any

from common.objects import quantity
from ctl.describing import Around, Document, Lines, Section, everything, mapping, pair, since, table

GROUPS = (("initContainers", "initContainerStatuses", "Init Containers"), ("containers", "containerStatuses", "Containers"),
          ("ephemeralContainers", "ephemeralContainerStatuses", "Ephemeral Containers"))  # fmt: skip


def pod(document: Document, around: Around) -> Lines:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    phase = status.get("reason") or status.get("phase") or "Pending"
    lines = [
        pair("Node", spec.get("nodeName") or "<none>"), pair("Status", phase), pair("Message", status.get("message")),
        pair("IP", status.get("podIP") or "<none>"), pair("Service Account", spec.get("serviceAccountName")),
        pair("QoS Class", status.get("qosClass")), pair("Priority", spec.get("priorityClassName")),
    ]  # fmt: skip
    lines = [line for line in lines if not line.endswith(":")]
    for containers, statuses, title in GROUPS:
        if spec.get(containers):
            known = {each["name"]: each for each in status.get(statuses) or ()}
            lines.append(f"{title}:")
            for container in spec[containers]:
                lines += _container(container, known.get(container["name"]), around.now)
    lines += _volumes(spec.get("volumes") or [])
    lines += mapping("Node Selector", spec.get("nodeSelector"))
    tolerations = [_toleration(each) for each in spec.get("tolerations") or ()]
    return lines + [pair("Tolerations" if not i else "", text) if not i else f"{' ' * 18}{text}" for i, text in enumerate(tolerations)]


def _container(container: Document, status: Document | None, now: float) -> Lines:
    lines = [f"  {container['name']}:", pair("Image", container.get("image"), indent=4)]
    ports = ", ".join(f"{port['containerPort']}/{port.get('protocol', 'TCP')}" for port in container.get("ports") or ())
    for name, value in (
        ("Ports", ports), ("Command", " ".join(container.get("command") or ())), ("Args", " ".join(container.get("args") or ())),
        *((f"{probe.removesuffix('Probe').title()} Probe", _probe(container[probe])) for probe in PROBES if container.get(probe)),
    ):  # fmt: skip
        if value:
            lines.append(pair(name, value, indent=4))
    if status is not None:
        lines.append(pair("State", state(status.get("state") or {}, now), indent=4))
        if status.get("lastState"):
            lines.append(pair("Last State", state(status["lastState"], now), indent=4))
        lines.append(pair("Ready", str(status.get("ready", False)).lower(), indent=4))
        lines.append(pair("Restarts", str(status.get("restartCount", 0)), indent=4))
    resources = container.get("resources") or {}
    for name in ("limits", "requests"):
        if resources.get(name):
            lines.append(pair(name.title(), ", ".join(f"{key} {value}" for key, value in sorted(resources[name].items())), indent=4))
    lines += _listed("Environment", [_variable(each) for each in container.get("env") or ()])
    return lines + _listed("Mounts", [_mount(each) for each in container.get("volumeMounts") or ()])


PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def _listed(name: str, texts: list[str]) -> Lines:
    return [f"    {name}:", *(f"      {text}" for text in texts)] if texts else []


def state(found: Document, now: float) -> str:
    """`Running since …`, `Waiting (CrashLoopBackOff): …`, `Terminated (Error), exit code 1`."""
    for name, about in found.items():
        reason = f" ({about['reason']})" if about.get("reason") else ""
        message = f": {' '.join(about['message'].split())}" if about.get("message") else ""
        if name == "running":
            return f"Running since {since(about.get('startedAt'), now)}"
        if name == "terminated":
            return f"Terminated{reason}, exit code {about.get('exitCode', 0)}, ended {since(about.get('finishedAt'), now)}{message}"
        return f"{name.title()}{reason}{message}"
    return "Waiting"


def _mount(mount: Document) -> str:
    return f"{mount['mountPath']} from {mount['name']} ({'ro' if mount.get('readOnly') else 'rw'})"


def _variable(env: Document) -> str:
    source = env.get("valueFrom")
    if not source:
        return f"{env['name']}={env.get('value', '')}"
    kind, about = next(iter(source.items()))
    where = " ".join(str(about[field]) for field in ("name", "key", "fieldPath", "resource") if about.get(field))
    return f"{env['name']} from {kind.removesuffix('Ref').removesuffix('Key')} {where}"


def _probe(probe: Document) -> str:
    kind = next((name for name in ("httpGet", "exec", "tcpSocket", "grpc") if probe.get(name)), "")
    about = probe.get(kind) or {}
    what = {
        "httpGet": f"http-get :{about.get('port', '')}{about.get('path', '')}", "exec": f"exec {' '.join(about.get('command') or ())}",
        "tcpSocket": f"tcp-socket :{about.get('port', '')}", "grpc": f"grpc :{about.get('port', '')}",
    }.get(kind, "")  # fmt: skip
    every, each = probe.get("periodSeconds", 10), probe.get("timeoutSeconds", 1)
    return f"{what} every {every}s, {each}s each, {probe.get('failureThreshold', 3)} failures"


def _volumes(volumes: list[Document]) -> Lines:
    rows = []
    for volume in volumes:
        kind = next((name for name in volume if name != "name"), "")
        about = volume.get(kind) or {}
        name = about.get("name") or about.get("secretName") or about.get("claimName") or about.get("path") or ""
        rows.append([volume["name"], kind, name])
    return table("Volumes", ["Name", "Kind", "Of"], rows) if rows else []


def _toleration(each: Document) -> str:
    key = each.get("key", "all")
    value = f"={each['value']}" if each.get("value") else ""
    effect = f":{each['effect']}" if each.get("effect") else ""
    seconds = f" for {each['tolerationSeconds']}s" if each.get("tolerationSeconds") is not None else ""
    return f"{key}{value}{effect}{seconds}"


INFO = {"OS": "osImage", "Kernel": "kernelVersion", "Runtime": "containerRuntimeVersion", "Agent": "kubeletVersion"}


def node(document: Document, around: Around) -> Lines:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    taints = ", ".join(_taint(each) for each in spec.get("taints") or ())
    lines = [pair("Taints", taints or "<none>"), pair("Unschedulable", str(bool(spec.get("unschedulable"))).lower())]
    lines += mapping("Addresses", {each["type"]: each["address"] for each in status.get("addresses") or ()}, separator=" ")
    lines.append(pair("Pod CIDR", spec.get("podCIDR") or "<none>"))
    info = status.get("nodeInfo") or {}
    lines += [pair(name, info[field]) for name, field in INFO.items() if info.get(field)]
    capacity, allocatable = status.get("capacity") or {}, status.get("allocatable") or {}
    asked = _requests(around.pods)
    rows = [[name, capacity[name], allocatable.get(name, ""), asked.get(name, "")] for name in sorted(capacity)]
    lines += table("Resources", ["Name", "Capacity", "Allocatable", "Requested"], rows)
    return lines + table("Pods", ["Namespace", "Name", "Status"], [_row(each) for each in around.pods])


def _taint(each: Document) -> str:
    value = f"={each['value']}" if each.get("value") else ""
    return f"{each['key']}{value}:{each['effect']}"


def _requests(pods: list[Document]) -> dict[str, str]:
    """What the pods on a node ask for, in cores and bytes, and their number."""
    cpu = memory = 0
    for each in pods:
        for container in (each.get("spec") or {}).get("containers") or ():
            requests = (container.get("resources") or {}).get("requests") or {}
            cpu += quantity.milli(requests.get("cpu", 0))
            memory += quantity.value(requests.get("memory", 0))
    return {"cpu": f"{cpu}m", "memory": f"{memory / 1024**2:.0f}Mi", "pods": str(len(pods))}


def _row(each: Document) -> list[str]:
    status = each.get("status") or {}
    return [each["metadata"].get("namespace", ""), each["metadata"]["name"], status.get("reason") or status.get("phase") or ""]


COUNTS = {"there": "replicas", "updated": "updatedReplicas", "available": "availableReplicas", "unavailable": "unavailableReplicas"}


def workload(document: Document, around: Around) -> Lines:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    lines = [pair("Selector", labels_of(spec.get("selector")))]
    if spec.get("replicas") is not None:
        counted = [f"{spec['replicas']} desired"]
        for word, field in COUNTS.items():
            if field in status or word == "available":
                counted.append(f"{status.get(field, 0)} {word}")
        lines.append(pair("Replicas", ", ".join(counted)))
    strategy = spec.get("strategy") or spec.get("updateStrategy") or {}
    if strategy.get("type"):
        rolling = strategy.get("rollingUpdate") or {}
        how = ", ".join(f"{name} {value}" for name, value in sorted(rolling.items()))
        lines.append(pair("Strategy", f"{strategy['type']}{f' ({how})' if how else ''}"))
    template = spec.get("template") or {}
    if template:
        lines += ["Pod Template:", pair("Labels", labels_of(template.get("metadata", {}).get("labels")), indent=2), "  Containers:"]
        for container in (template.get("spec") or {}).get("containers") or ():
            lines += [f"  {line}" for line in _container(container, None, around.now)]
    sets = [[each["metadata"]["name"], f"{(each.get('status') or {}).get('replicas', 0)}/{each['spec'].get('replicas', 0)}"]
            for each in around.related.get("ReplicaSets", ())]  # fmt: skip
    if sets:
        lines += table("ReplicaSets", ["Name", "Replicas"], sets)
    return lines + table("Pods", ["Namespace", "Name", "Status"], [_row(each) for each in around.pods])


def labels_of(selector: Document | None) -> str:
    """Of a selector, or of plain labels."""
    if not selector:
        return "<none>"
    plain = selector.get("matchLabels", {}) if {"matchLabels", "matchExpressions"} & set(selector) else selector
    texts = [f"{key}={value}" for key, value in sorted(plain.items())]
    for each in selector.get("matchExpressions") or ():
        values = f" ({','.join(each['values'])})" if each.get("values") else ""
        texts.append(f"{each['key']} {each['operator']}{values}")
    return ",".join(texts)


def service(document: Document, around: Around) -> Lines:
    spec = document.get("spec") or {}
    lines = [pair("Selector", labels_of(spec.get("selector"))), pair("Type", spec.get("type"))]
    lines.append(pair("IP", spec.get("clusterIP") or "<none>"))
    if spec.get("externalName"):
        lines.append(pair("External Name", spec["externalName"]))
    rows = []
    for port in spec.get("ports") or ():
        target, node_port = (str(port.get(field, "")) for field in ("targetPort", "nodePort"))
        rows.append([port.get("name") or "<unset>", f"{port['port']}/{port.get('protocol', 'TCP')}", target, node_port])
    lines += table("Ports", ["Name", "Port", "Target", "Node Port"], rows)
    addresses = [
        address for piece in around.related.get("EndpointSlices", ()) for each in piece.get("endpoints") or ()
        if (each.get("conditions") or {}).get("ready", True) for address in each["addresses"]
    ]  # fmt: skip
    lines.append(pair("Endpoints", ", ".join(addresses) or "<none>"))
    affinity = spec.get("sessionAffinity")
    return lines + ([pair("Affinity", affinity)] if affinity not in (None, "None") else [])


def secret(document: Document, around: Around) -> Lines:
    """Sizes alone: a description is for showing around."""
    rows = [[name, f"{len(value) * 3 // 4 - value[-2:].count('=')} bytes"] for name, value in sorted((document.get("data") or {}).items())]
    return [pair("Type", document.get("type")), *table("Data", ["Name", "Size"], rows)]


def config_map(document: Document, around: Around) -> Lines:
    lines = ["Data:"]
    for name, value in sorted((document.get("data") or {}).items()):
        lines += [f"  {name}:", *(f"    {line}" for line in value.splitlines())]
    rest: dict[str, Any] = {key: value for key, value in document.items() if key not in ("data",)}
    return (lines if len(lines) > 1 else [pair("Data", "<none>")]) + everything(rest, around)


SECTIONS: dict[tuple[str, str], Section] = {
    ("", "Pod"): pod, ("", "Node"): node, ("", "Service"): service, ("", "Secret"): secret, ("", "ConfigMap"): config_map,
    ("apps", "Deployment"): workload, ("apps", "ReplicaSet"): workload, ("apps", "StatefulSet"): workload, ("apps", "DaemonSet"): workload,
}  # fmt: skip
WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
