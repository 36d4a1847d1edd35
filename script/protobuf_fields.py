"""Writes master/api/protobuf_fields.py: which field number carries which JSON field, for the kinds that are served.

Facts only: numbers, names and types are read from the descriptors that the PyPI package armada-client carries (core/v1, meta/v1);
the small groups are stated below. Run it where armada-client, protobuf and Steersman's own packages can be imported:

    PYTHONPATH=<unpacked armada-client>:. python script/protobuf_fields.py > master/api/protobuf_fields.py

Left out: fields that Kubernetes 1.33 does not know, and managedFields, which the server keeps itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import textwrap
import types

from master.api import schema_source

PACKAGES = ("api.core.v1", "apimachinery.pkg.apis.meta.v1")
ROOTS = ("Namespace", "Node", "Pod", "ConfigMap", "Secret", "ServiceAccount", "Service", "Event", "Binding", "DeleteOptions")
SPECIAL = {"Time", "MicroTime", "Quantity", "IntOrString"}
INLINE = {"volumeSource", "handler", "localObjectReference", "ephemeralContainerCommon"}
INLINED = {"VolumeSource": "Volume", "ProbeHandler": "Probe", "EphemeralContainerCommon": "EphemeralContainer"}
"""Whose JSON these stand in, having no schema of their own."""
SMALL = """
Deployment: 1metadata:ObjectMeta 2spec:DeploymentSpec 3status:DeploymentStatus
DeploymentSpec: 1replicas:i 2selector:LabelSelector 3template:PodTemplateSpec 4strategy:DeploymentStrategy 5?minReadySeconds:i
    6revisionHistoryLimit:i 7?paused:o 9progressDeadlineSeconds:i
DeploymentStatus: 1?observedGeneration:i 2?replicas:i 3?updatedReplicas:i 4?availableReplicas:i 5?unavailableReplicas:i
    6*conditions:DeploymentCondition 7?readyReplicas:i 8collisionCount:i
DeploymentCondition: 1type 2status 4?reason 5?message 6lastUpdateTime:Time 7lastTransitionTime:Time
DeploymentStrategy: 1?type 2rollingUpdate:RollingUpdateDeployment
RollingUpdateDeployment: 1maxUnavailable:IntOrString 2maxSurge:IntOrString
ReplicaSet: 1metadata:ObjectMeta 2spec:ReplicaSetSpec 3status:ReplicaSetStatus
ReplicaSetSpec: 1replicas:i 2selector:LabelSelector 3template:PodTemplateSpec 4?minReadySeconds:i
ReplicaSetStatus: 1replicas:i 2?fullyLabeledReplicas:i 3?observedGeneration:i 4?readyReplicas:i 5?availableReplicas:i
    6*conditions:ReplicaSetCondition
ReplicaSetCondition: 1type 2status 3lastTransitionTime:Time 4?reason 5?message
Lease: 1metadata:ObjectMeta 2spec:LeaseSpec
LeaseSpec: 1holderIdentity 2leaseDurationSeconds:i 3acquireTime:MicroTime 4renewTime:MicroTime 5leaseTransitions:i 6strategy
    7preferredHolder
Eviction: 1metadata:ObjectMeta 2deleteOptions:DeleteOptions
Scale: 1metadata:ObjectMeta 2spec:ScaleSpec 3status:ScaleStatus
ScaleSpec: 1?replicas:i
ScaleStatus: 1replicas:i 2?selector
"""
REACHED_FROM_SMALL = ("PodTemplateSpec", "LabelSelector")
VALUES = set(
    """generation hostPort readOnly stdin stdinOnce tty hostNetwork hostPID hostIPC initialDelaySeconds Probe.timeoutSeconds
    periodSeconds successThreshold failureThreshold observedGeneration signal partition chapAuthDiscovery chapAuthSession
    sslEnabled unschedulable sizeBytes publishNotReadyAddresses healthCheckNodePort nodePort count""".split()
)
"""Numbers and booleans that Go keeps by value: written even when zero, which JSON leaves out. The others are pointers."""
POINTERS = {"storageClassName", "volumeAttributesClassName", "service", "apiGroup"}
"""Strings whose being empty says something."""
HEAD = '''"""Field numbers of Kubernetes' messages: number to JSON field, for `protobuf.py`. Written by script/protobuf_fields.py.

One line a message (longer ones go on indented): `number flags name:Type` without spaces between. Type: nothing for a string,
`i` a whole number, `o` a boolean, `b` bytes, else a message. Flags: `*` repeated, `%` a map from strings, `.` a struct whose fields
stand in the parent, `?` left out when zero or empty, as Go's JSON does.
A field that is not here is skipped: newer than the served version, or the server's own (managedFields).
"""

TABLE = """\\'''


def messages() -> dict[str, object]:
    client = types.ModuleType("armada_client")  # without its __init__, which needs all that the client needs
    client.__path__ = importlib.util.find_spec("armada_client").submodule_search_locations
    sys.modules["armada_client"] = client
    found: dict[str, object] = {}
    for package in PACKAGES:
        module = importlib.import_module(f"armada_client.k8s.io.{package}.generated_pb2")
        found |= module.DESCRIPTOR.message_types_by_name
    return found


def definition(name: str) -> dict:
    for package in PACKAGES:
        try:
            return schema_source.definition(f"io.k8s.{package}.{name}")
        except LookupError:
            continue
    return {}


def field_text(message: str, field, schema: dict, left: list[str]) -> str | None:
    known = {key.lower(): key for key in schema.get("properties", {})}
    inline = field.name in INLINE
    name = known.get(field.name.lower())
    if (name is None and not inline) or name == "managedFields":
        return None
    flag = "*" if field.is_repeated else ""
    kind_field = field
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        flag, kind_field = "%", field.message_type.fields_by_name["value"]
    if kind_field.message_type is not None:
        kind = kind_field.message_type.name
        if kind not in SPECIAL:
            left.append(kind)
    else:
        kind = {field.TYPE_STRING: "", field.TYPE_BYTES: "b", field.TYPE_BOOL: "o"}.get(kind_field.type, "i")
        required = name in schema.get("required", ())
        by_value = name in VALUES or f"{message}.{name}" in VALUES or (kind in ("", "b") and name not in POINTERS)
        if not flag and by_value and not required:
            flag = "?"
    return f"{field.number}{'.' if inline else flag}{name or field.name}{':' + kind if kind else ''}"


def main() -> None:
    known, left, lines = messages(), [*ROOTS, *REACHED_FROM_SMALL], {}
    while left:
        name = left.pop()
        if name in lines:
            continue
        schema = definition(INLINED.get(name, name))
        fields = [field_text(name, field, schema, left) for field in known[name].fields]
        lines[name] = f"{name}: {' '.join(text for text in fields if text)}"
    wrapped = [textwrap.fill(lines[name], 136, subsequent_indent="    ", break_long_words=False) for name in sorted(lines)]
    print(HEAD + "\n" + "\n".join(wrapped) + SMALL.rstrip() + '\n"""')


if __name__ == "__main__":
    main()
