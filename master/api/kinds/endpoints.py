"""Endpoints and EndpointSlice: where a Service's pods are reached. Defaults, validation, columns."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, plain, some

PROTOCOLS = ("SCTP", "TCP", "UDP")
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
MAX_ADDRESSES, MAX_ENDPOINTS, MAX_PORTS = 100, 1000, 20000


def _endpoints(document: Document, now: float) -> str:
    found = []
    for subset in document.get("subsets") or ():
        addresses = [_bracketed(each.get("ip", "")) for each in subset.get("addresses") or ()]
        ports = [f":{port.get('port')}" for port in subset.get("ports") or ()] or [""]
        found += [f"{address}{port}" for port in ports for address in addresses]
    return some(found) or "<none>"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _ports(document: Document, now: float) -> str:
    return some([str(port["port"]) if port.get("port") is not None else "*" for port in document.get("ports") or ()]) or "<unset>"


def _addresses(document: Document, now: float) -> str:
    return some([address for each in document.get("endpoints") or () for address in each.get("addresses") or ()]) or "<unset>"


COLUMNS = (NAME, Column("Endpoints", _endpoints, description="The addresses and ports."), AGE)
SLICE_COLUMNS = (
    NAME,
    plain("AddressType", "addressType", "What kind of addresses it holds."),
    Column("Ports", _ports, description="The ports of all its endpoints."),
    Column("Endpoints", _addresses, description="The addresses."),
    AGE,
)


def default(document: Document) -> None:
    for subset in document.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new)
    for i, subset in enumerate(new.get("subsets") or ()):
        place = f"subsets[{i}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            found.append(rules.required(place, "must specify `addresses` or `notReadyAddresses`"))
        for name in ("addresses", "notReadyAddresses"):
            for j, address in enumerate(subset.get(name) or ()):
                found += rules.ip(f"{place}.{name}[{j}].ip", address.get("ip", ""))
        ports = subset.get("ports") or ()
        for j, port in enumerate(ports):
            if len(ports) > 1 and not port.get("name"):
                found.append(rules.required(f"{place}.ports[{j}].name"))
            found += rules.port(f"{place}.ports[{j}].port", port.get("port", 0))
            found += rules.one_of(f"{place}.ports[{j}].protocol", port.get("protocol"), PROTOCOLS)
    return found


def default_slice(document: Document) -> None:
    for port in document.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def validate_slice(new: Document, old: Document | None) -> list[FieldCause]:
    kind, endpoints, ports = new.get("addressType", ""), new.get("endpoints") or [], new.get("ports") or []
    found = rules.metadata(new) + rules.one_of("addressType", kind, ADDRESS_TYPES)
    if old is not None:
        found += rules.immutable("addressType", kind, old.get("addressType"))
    if len(endpoints) > MAX_ENDPOINTS:
        found.append(FieldCause("FieldValueTooMany", f"Too many: {len(endpoints)}: must have at most {MAX_ENDPOINTS} items", "endpoints"))
    for i, endpoint in enumerate(endpoints):
        found += _endpoint(endpoint, f"endpoints[{i}]", kind)
    names: set[str] = set()
    for i, port in enumerate(ports):
        if port.get("name", "") in names:
            found.append(rules.duplicate(f"ports[{i}].name", port.get("name", "")))
        names.add(port.get("name", ""))
        if port.get("port") is not None:
            found += rules.port(f"ports[{i}].port", port["port"])
        found += rules.one_of(f"ports[{i}].protocol", port.get("protocol"), PROTOCOLS)
    return found


def _endpoint(endpoint: Document, place: str, kind: str) -> list[FieldCause]:
    addresses = endpoint.get("addresses") or []
    if not addresses:
        return [rules.required(f"{place}.addresses", "must contain at least 1 address")]
    found: list[FieldCause] = []
    for i, address in enumerate(addresses):
        spot = f"{place}.addresses[{i}]"
        found += rules.subdomain_name(spot, address) if kind == "FQDN" else rules.ip(spot, address)
        if kind in ("IPv4", "IPv6") and not rules.ip(spot, address) and (":" in address) != (kind == "IPv6"):
            found.append(rules.invalid(spot, address, f"must be an {kind} address"))
    return found
