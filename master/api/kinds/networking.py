"""Ingress, IngressClass, NetworkPolicy, IPAddress, ServiceCIDR: defaults, validation, columns."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, at, plain, selector_text, some

PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
PROTOCOLS = ("SCTP", "TCP", "UDP")


def _hosts(document: Document, now: float) -> str:
    hosts = [rule["host"] for rule in at(document, "spec.rules") or () if rule.get("host")]
    return some(hosts) or "*"


def balancers(document: Document) -> str:
    """The addresses of whatever balances the load in front of it."""
    found = {each.get("ip") or each.get("hostname") or "" for each in at(document, "status.loadBalancer.ingress") or ()}
    return ",".join(sorted(found - {""}))


INGRESS_COLUMNS = (
    NAME,
    plain("Class", "spec.ingressClassName", "Which controller serves it.", absent="<none>"),
    Column("Hosts", _hosts, description="The host names that it answers to."),
    Column("Address", lambda d, now: balancers(d), description="Where it is reached."),
    Column("Ports", lambda d, now: "80, 443" if at(d, "spec.tls") else "80", description="The ports that are open."),
    AGE,
)


def prepare_ingress(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {"loadBalancer": {}}


def _host(host: str, place: str) -> list[FieldCause]:
    if not host:
        return []
    if not rules.ip(place, host):
        return [rules.invalid(place, host, "must be a DNS name, not an IP address")]
    return rules.subdomain_name(place, host.removeprefix("*."))


def _backend(backend: Document, place: str) -> list[FieldCause]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is None and resource is None:
        return [rules.required(place, "must specify a service or a resource")]
    if service is not None and resource is not None:
        return [rules.invalid(place, "", "cannot set both resource and service backends")]
    if service is None:
        return []
    found = [] if service.get("name") else [rules.required(f"{place}.service.name")]
    port = service.get("port") or {}
    if port.get("name") and port.get("number"):
        return [*found, rules.invalid(place, "", "cannot set both port name & port number")]
    if port.get("number"):
        return found + rules.port(f"{place}.service.port.number", port["number"])
    if port.get("name"):
        return found + rules.port_name(f"{place}.service.port.name", port["name"])
    return [*found, rules.required(place, "port name or number is required")]


def validate_ingress(new: Document, old: Document | None) -> list[FieldCause]:
    spec, found = new.get("spec") or {}, rules.metadata(new)
    if not spec.get("rules") and spec.get("defaultBackend") is None:
        found.append(rules.invalid("spec", spec.get("rules"), "either `defaultBackend` or `rules` must be specified"))
    if spec.get("defaultBackend") is not None:
        found += _backend(spec["defaultBackend"], "spec.defaultBackend")
    if spec.get("ingressClassName") is not None:
        found += rules.subdomain_name("spec.ingressClassName", spec["ingressClassName"])
    for i, rule in enumerate(spec.get("rules") or ()):
        found += _host(rule.get("host", ""), f"spec.rules[{i}].host")
        paths = at(rule, "http.paths")
        if rule.get("http") is not None and not paths:
            found.append(rules.required(f"spec.rules[{i}].http.paths"))
        for j, path in enumerate(paths or ()):
            place, text, kind = f"spec.rules[{i}].http.paths[{j}]", path.get("path", ""), path.get("pathType")
            found += rules.one_of(f"{place}.pathType", kind, PATH_TYPES)
            if (text or kind in ("Exact", "Prefix")) and not text.startswith("/"):
                found.append(rules.invalid(f"{place}.path", text, "must be an absolute path"))
            found += _backend(path.get("backend") or {}, f"{place}.backend")
    return found


def _parameters(document: Document, now: float) -> str:
    of = at(document, "spec.parameters")
    return f"{of.get('kind', '')}{'.' + of['apiGroup'] if of.get('apiGroup') else ''}/{of.get('name', '')}" if of else "<none>"


INGRESS_CLASS_COLUMNS = (
    NAME,
    plain("Controller", "spec.controller", "Who serves ingresses of this class."),
    Column("Parameters", _parameters, description="Where its further settings are."),
    AGE,
)


def default_ingress_class(document: Document) -> None:
    parameters = at(document, "spec.parameters")
    if parameters is not None:
        parameters.setdefault("scope", "Cluster")


def validate_ingress_class(new: Document, old: Document | None) -> list[FieldCause]:
    controller, found = at(new, "spec.controller") or "", rules.metadata(new)
    found += rules.qualified_domain("spec.controller", controller) if controller else [rules.required("spec.controller")]
    return found + (rules.immutable("spec.controller", controller, at(old, "spec.controller")) if old is not None else [])


NETWORK_POLICY_COLUMNS = (
    NAME,
    Column("Pod-Selector", lambda d, now: selector_text(at(d, "spec.podSelector")), description="Which pods it is about."),
    AGE,
)


def default_network_policy(document: Document) -> None:
    spec = document.setdefault("spec", {})
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def validate_network_policy(new: Document, old: Document | None) -> list[FieldCause]:
    spec = new.get("spec") or {}
    found = rules.metadata(new) + rules.label_selector("spec.podSelector", spec.get("podSelector"))
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(spec.get(direction) or ()):
            for j, port in enumerate(rule.get("ports") or ()):
                found += _policy_port(port, f"spec.{direction}[{i}].ports[{j}]")
            for j, peer in enumerate(rule.get(peers) or ()):
                found += _peer(peer, f"spec.{direction}[{i}].{peers}[{j}]")
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        found.append(rules.invalid("spec.policyTypes", types, "may not specify more than two policyTypes"))
    for i, each in enumerate(types):
        found += rules.one_of(f"spec.policyTypes[{i}]", each, ("Egress", "Ingress"))
    return found


def _policy_port(port: Document, place: str) -> list[FieldCause]:
    found, number, end = rules.one_of(f"{place}.protocol", port.get("protocol"), PROTOCOLS), port.get("port"), port.get("endPort")
    if isinstance(number, int):
        found += rules.port(f"{place}.port", number)
        if end is not None and end < number:
            found.append(rules.invalid(f"{place}.endPort", end, "must be greater than or equal to `port`"))
    elif isinstance(number, str):
        found += rules.port_name(f"{place}.port", number)
        if end is not None:
            found.append(rules.invalid(f"{place}.endPort", end, "may not be specified when `port` is non-numeric"))
    elif end is not None:
        found.append(rules.invalid(f"{place}.endPort", end, "may not be specified when `port` is not specified"))
    return found


def _peer(peer: Document, place: str) -> list[FieldCause]:
    kinds = [name for name in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(name) is not None]
    if not kinds:
        return [rules.required(place, "must specify a peer")]
    block = peer.get("ipBlock")
    if block is not None and len(kinds) > 1:
        return [rules.forbidden(place, "may not specify both ipBlock and another peer")]
    found = [cause for name in kinds if name != "ipBlock" for cause in rules.label_selector(f"{place}.{name}", peer[name])]
    if block is not None:
        found += rules.cidr(f"{place}.ipBlock.cidr", block.get("cidr", ""))
        for i, each in enumerate(block.get("except") or ()):
            found += rules.cidr(f"{place}.ipBlock.except[{i}]", each)
    return found


def _parent(document: Document, now: float) -> str:
    of = at(document, "spec.parentRef") or {}
    words = [of.get("resource", ""), of.get("namespace", ""), of.get("name", "")]
    return "/".join(word for word in words if word)


IP_ADDRESS_COLUMNS = (NAME, Column("ParentRef", _parent, description="What has the address."))
SERVICE_CIDR_COLUMNS = (
    NAME,
    Column("CIDRs", lambda d, now: ",".join(at(d, "spec.cidrs") or ()), description="The ranges of addresses."),
    AGE,
)


def validate_ip_address(new: Document, old: Document | None) -> list[FieldCause]:
    parent, found = at(new, "spec.parentRef") or {}, rules.metadata(new)
    if not parent:
        found.append(rules.required("spec.parentRef"))
    else:
        found += [rules.required(f"spec.parentRef.{name}") for name in ("resource", "name") if not parent.get(name)]
    return found + (rules.immutable("spec.parentRef", parent, at(old, "spec.parentRef")) if old is not None else [])


def validate_service_cidr(new: Document, old: Document | None) -> list[FieldCause]:
    cidrs, found = at(new, "spec.cidrs") or [], rules.metadata(new)
    if not cidrs:
        found.append(rules.required("spec.cidrs", "at least one CIDR required"))
    if len(cidrs) > 2:
        found.append(rules.invalid("spec.cidrs", cidrs, "may only hold up to 2 values"))
    for i, each in enumerate(cidrs):
        found += rules.cidr(f"spec.cidrs[{i}]", each)
    if old is not None and cidrs != at(old, "spec.cidrs"):
        found += rules.immutable("spec.cidrs[0]", cidrs[:1], (at(old, "spec.cidrs") or [])[:1])
    return found
