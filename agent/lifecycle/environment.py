"""A container's environment: literals, `$(VAR)`, fields of the pod, ConfigMaps and Secrets.

Owns the order (envFrom first, then env in the order written, each able to name those before it; last the variables by which the API
is found, where nothing else bears their names) and Kubernetes' expansion
rules: `$(NAME)` becomes the value if NAME is known and stays as it is if not; `$$` is a literal `$`. What is missing gives
a `Waiting` in Kubernetes' words, so that the container waits as CreateContainerConfigError until the object appears.
A ConfigMap or Secret that has not arrived from the master yet is not missing: the container then waits as ContainerCreating.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from agent.lifecycle.life import Host, Waiting
from common.objects import pod as pods
from common.objects import quantity

CONFIG_ERROR = "CreateContainerConfigError"
_REFERENCE = re.compile(r"\$(?:(\$)|\(([^()]*)\))")
_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['([^']+)'\]$")

Values = dict[str, str]
Key = tuple[str, str, str]


def expand(text: str, values: Mapping[str, str]) -> str:
    """`text` with `$(NAME)` replaced; unknown names stay, `$$` is an escaped `$`."""

    def replacement(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        return values.get(match[2], match[0])

    return _REFERENCE.sub(replacement, text)


def missing(text: str, values: Mapping[str, str]) -> str:
    """The first name in `text` that has no value, or ""."""
    return next((match[2] for match in _REFERENCE.finditer(text) if not match[1] and match[2] not in values), "")


def config_refs(pod: pods.Pod) -> list[Key]:
    """The ConfigMaps and Secrets that the pod's environment names, in order, without duplicates."""
    found: dict[Key, None] = {}
    namespace = pod.metadata.namespace
    for container in pod.spec.every_container:
        for source in container.env_from:
            for kind, ref in (("ConfigMap", source.config_map_ref), ("Secret", source.secret_ref)):
                if ref:
                    found[kind, namespace, ref.get("name", "")] = None
        for variable in container.env:
            source = variable.value_from or pods.EnvVarSource()
            for kind, ref in (("ConfigMap", source.config_map_key_ref), ("Secret", source.secret_key_ref)):
                if ref:
                    found[kind, namespace, ref.get("name", "")] = None
    return list(found)


def config_data(kind: str, document: Mapping) -> dict[str, bytes]:
    """Key to bytes. A value that is not base64 where it should be is left out."""
    data: dict[str, bytes] = {}
    encoded = (document.get("data") if kind == "Secret" else document.get("binaryData")) or {}
    if kind != "Secret":
        data.update((key, str(value).encode()) for key, value in (document.get("data") or {}).items())
    for key, value in encoded.items():
        try:
            data[key] = base64.b64decode(value)
        except (binascii.Error, ValueError, TypeError):
            continue
    return data


def lookup(host: Host, key: Key, optional: bool) -> dict[str, bytes] | Waiting | None:
    """The data of a ConfigMap or Secret; None when it is missing and may be."""
    kind, _, name = key
    if key not in host.configs:
        return Waiting("ContainerCreating", f'waiting for {kind.lower()} "{name}" from the master')
    document = host.configs[key]
    if document is None:
        return None if optional else Waiting(CONFIG_ERROR, f'{kind.lower()} "{name}" not found')
    return config_data(kind, document)


def resolve(pod: pods.Pod, container: pods.Container, *, host: Host, pod_ip: str) -> Values | Waiting:
    """The environment in order, or why it cannot be made (yet)."""
    values: Values = {}
    service = of_api(host.api, own_network=not pod.spec.host_network)
    for source in container.env_from:
        problem = _add_all(values, source, pod=pod, host=host)
        if problem is not None:
            return problem
    for variable in container.env:
        if variable.value_from is None:
            values[variable.name] = expand(variable.value, {**service, **values})
            continue
        value = _from(variable.value_from, pod=pod, container=container, host=host, pod_ip=pod_ip)
        if isinstance(value, Waiting):
            return value
        if value is not None:
            values[variable.name] = value
    return values | {name: value for name, value in service.items() if name not in values}


def of_api(address: str, *, own_network: bool) -> Values:
    """Kubernetes' variables of its Service `kubernetes`, leading to where the API itself listens. address: `HOST:PORT`, or "". A master
    that is known by its host's loopback alone is reached by nobody in a network of his own: better no address than a wrong one."""
    host, _, port = address.rpartition(":")
    if not host or (own_network and (host.startswith("127.") or host in ("localhost", "[::1]"))):
        return {}
    url, own = f"tcp://{address}", f"KUBERNETES_PORT_{port}_TCP"
    bare = host.strip("[]")
    return {
        "KUBERNETES_SERVICE_HOST": bare, "KUBERNETES_SERVICE_PORT": port, "KUBERNETES_SERVICE_PORT_HTTPS": port, "KUBERNETES_PORT": url,
        own: url, f"{own}_PROTO": "tcp", f"{own}_PORT": port, f"{own}_ADDR": bare,
    }  # fmt: skip


def _add_all(values: Values, source: pods.EnvFromSource, *, pod: pods.Pod, host: Host) -> Waiting | None:
    for kind, ref in (("ConfigMap", source.config_map_ref), ("Secret", source.secret_ref)):
        if not ref:
            continue
        data = lookup(host, (kind, pod.metadata.namespace, ref.get("name", "")), bool(ref.get("optional")))
        if isinstance(data, Waiting):
            return data
        for key, value in (data or {}).items():
            if key and "=" not in key:
                values[source.prefix + key] = value.decode("utf-8", "replace")
    return None


def _from(
    source: pods.EnvVarSource, *, pod: pods.Pod, container: pods.Container, host: Host, pod_ip: str
) -> str | Waiting | None:
    if source.field_ref:
        return field(str(source.field_ref.get("fieldPath", "")), pod=pod, host=host, pod_ip=pod_ip)
    if source.resource_field_ref:
        return resource(source.resource_field_ref, pod=pod, container=container, host=host)
    for kind, ref in (("ConfigMap", source.config_map_key_ref), ("Secret", source.secret_key_ref)):
        if not ref:
            continue
        name, key, optional = ref.get("name", ""), ref.get("key", ""), bool(ref.get("optional"))
        data = lookup(host, (kind, pod.metadata.namespace, name), optional)
        if data is None or isinstance(data, Waiting):
            return data
        if key not in data:
            return None if optional else Waiting(CONFIG_ERROR, f"couldn't find key {key} in {kind} {pod.metadata.namespace}/{name}")
        return data[key].decode("utf-8", "replace")
    return ""


def field(path: str, *, pod: pods.Pod, host: Host, pod_ip: str = "") -> str | Waiting:
    """The value of a downward API field path."""
    meta = pod.metadata
    own = (pod_ip,) if pod_ip else host.addresses if pod.spec.host_network else ()
    known = {
        "metadata.name": meta.name,
        "metadata.namespace": meta.namespace,
        "metadata.uid": meta.uid,
        "spec.nodeName": pod.spec.node_name or host.node,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": next(iter(host.addresses), ""),
        "status.hostIPs": ",".join(host.addresses),
        "status.podIP": next(iter(own), ""),
        "status.podIPs": ",".join(own),
    }
    if path in known:
        return known[path]
    if path in ("metadata.labels", "metadata.annotations"):
        pairs = meta.labels if path == "metadata.labels" else meta.annotations
        return "\n".join(f'{key}="{_quoted(value)}"' for key, value in sorted(pairs.items()))
    match = _SUBSCRIPT.match(path)
    if match:
        return (meta.labels if match[1] == "labels" else meta.annotations).get(match[2], "")
    return Waiting(CONFIG_ERROR, f"unsupported fieldPath: {path}")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource(ref: Mapping, *, pod: pods.Pod, container: pods.Container, host: Host) -> str | Waiting:
    """`resourceFieldRef`: in units of its divisor, rounded up; without a limit, what the node can give."""
    wanted = ref.get("containerName") or container.name
    named = pods.container_of(pod.spec, wanted)
    if named is None:
        return Waiting(CONFIG_ERROR, f"container {wanted} not found")
    side, _, name = str(ref.get("resource", "")).partition(".")
    table = named.resources.limits if side == "limits" else named.resources.requests
    thousandths: int
    if name in table:
        thousandths = quantity.milli(table[name])
    elif side == "limits" and name in ("cpu", "memory"):
        thousandths = host.cpu_milli if name == "cpu" else host.memory_bytes * 1000
    else:
        thousandths = 0
    divisor = quantity.milli(ref.get("divisor") or "1") or 1000
    return str(-(-thousandths // divisor))
