"""Service: stored, defaulted and validated; nothing routes to it yet.

No cluster IP is allocated while nothing serves one: a Service says so by having none.
"""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, map_text

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def _external(document: Document, now: float) -> str:
    spec = document.get("spec", {})
    addresses = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return spec.get("externalName", "")
    if spec.get("type") == "LoadBalancer":
        ingress = document.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
        addresses = [i.get("ip") or i.get("hostname", "") for i in ingress] + addresses
        return ",".join(addresses) or "<pending>"
    return ",".join(addresses) or "<none>"


def _ports(document: Document, now: float) -> str:
    parts = []
    for port in document.get("spec", {}).get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        parts.append(f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(parts) or "<none>"


COLUMNS = (
    NAME,
    Column("Type", lambda d, now: d.get("spec", {}).get("type", ""), description="How the service is reached."),
    Column("Cluster-IP", lambda d, now: d.get("spec", {}).get("clusterIP") or "<none>", description="Its address inside."),
    Column("External-IP", _external, description="Its addresses from outside."),
    Column("Port(s)", _ports, description="Its ports."),
    AGE,
    Column("Selector", lambda d, now: map_text(d.get("spec", {}).get("selector")), priority=1, description="Which pods serve it."),
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {"loadBalancer": {}}


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {}).setdefault("timeoutSeconds", 10800)


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec = new.get("spec", {})
    found = rules.metadata(new)
    found += rules.one_of("spec.type", spec.get("type"), TYPES)
    found += rules.one_of("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    found += rules.labels("spec.selector", spec.get("selector"))
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        found.append(rules.required("spec.ports"))
    if spec.get("type") == "ExternalName" and not spec.get("externalName"):
        found.append(rules.required("spec.externalName"))
    names: set[str] = set()
    for i, port in enumerate(ports):
        place, name = f"spec.ports[{i}]", port.get("name", "")
        if not name and len(ports) > 1:
            found.append(rules.required(f"{place}.name"))
        elif name:
            found += rules.label_name(f"{place}.name", name)
            if name in names:
                found.append(rules.duplicate(f"{place}.name", name))
            names.add(name)
        found += rules.port(f"{place}.port", port.get("port", 0))
        found += rules.one_of(f"{place}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))
        target = port.get("targetPort")
        if isinstance(target, int):
            found += rules.port(f"{place}.targetPort", target)
        elif isinstance(target, str):
            found += rules.port_name(f"{place}.targetPort", target)
    return found


def fields(document: Document) -> dict[str, str]:
    spec = document.get("spec", {})
    return {"spec.clusterIP": spec.get("clusterIP", ""), "spec.type": spec.get("type", "")}
