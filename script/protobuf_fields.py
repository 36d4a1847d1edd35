"""Writes master/api/protobuf_fields.py: which field number carries which JSON field, for the built-in kinds.

Facts only: numbers, names and types are read from the descriptors that every kubectl carries inside its binary, compressed, for the
decoding of its own messages; so they are exactly those of the client whose version is served. Run it where protobuf and Steersman's own
packages can be imported:

    PYTHONPATH=. python script/protobuf_fields.py /path/to/kubectl-1.33 > master/api/protobuf_fields.py

Left out: fields that Kubernetes 1.33 does not know, and managedFields, which the server keeps itself. APIServices are not among
what kubectl knows; they travel as JSON.
"""

from __future__ import annotations

import sys
import textwrap
import zlib
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

from master.api import schema_source

Message = descriptor_pb2.DescriptorProto
Field = descriptor_pb2.FieldDescriptorProto

GZIP = b"\x1f\x8b\x08"
MAX_BYTES = 300_000
CORE, META = "k8s.io.api.core.v1", "k8s.io.apimachinery.pkg.apis.meta.v1"
ROOTS = {
    "v1": "Binding ConfigMap DeleteOptions Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod "
    "PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
    "admissionregistration.k8s.io/v1": "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding "
    "ValidatingWebhookConfiguration",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "authentication.k8s.io/v1": "SelfSubjectReview TokenRequest TokenReview",
    "authorization.k8s.io/v1": "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview",
    "autoscaling/v1": "HorizontalPodAutoscaler Scale",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "certificates.k8s.io/v1": "CertificateSigningRequest",
    "coordination.k8s.io/v1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "events.k8s.io/v1": "Event",
    "networking.k8s.io/v1": "IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR",
    "node.k8s.io/v1": "RuntimeClass",
    "policy/v1": "Eviction PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass",
    "storage.k8s.io/v1": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment",
}
SPECIAL = {"Time", "MicroTime", "Quantity", "IntOrString", "RawExtension", "ExtraValue"}
INLINE = {
    "volumeSource", "handler", "localObjectReference", "ephemeralContainerCommon", "persistentVolumeSource", "ruleWithOperations.rule",
    "ingressRuleValue", "namedRuleWithOperations.ruleWithOperations",
}  # fmt: skip
"""Whose fields stand in their parent's JSON."""
INLINED = {
    "VolumeSource": "Volume", "ProbeHandler": "Probe", "EphemeralContainerCommon": "EphemeralContainer",
    "PersistentVolumeSource": "PersistentVolumeSpec", "IngressRuleValue": "IngressRule", "Rule": "RuleWithOperations",
}  # fmt: skip
"""Whose JSON these stand in, having no schema of their own."""
VALUES = set(
    """generation hostPort readOnly stdin stdinOnce tty hostNetwork hostPID hostIPC initialDelaySeconds Probe.timeoutSeconds
    periodSeconds successThreshold failureThreshold observedGeneration signal AWSElasticBlockStoreVolumeSource.partition
    GCEPersistentDiskVolumeSource.partition chapAuthDiscovery chapAuthSession sslEnabled unschedulable sizeBytes
    publishNotReadyAddresses healthCheckNodePort nodePort count paused minReadySeconds updatedReplicas availableReplicas
    unavailableReplicas readyReplicas fullyLabeledReplicas currentReplicas updatedNumberScheduled numberAvailable numberUnavailable
    ScaleSpec.replicas DeploymentStatus.replicas JobStatus.active succeeded failed StatefulSetOrdinals.start
    ServiceBackendPort.number globalDefault deprecatedCount authenticated denied""".split()
)
"""Numbers and booleans that Go keeps by value: written even when zero, which JSON leaves out. The others are pointers."""
POINTERS = {
    "storageClassName", "volumeAttributesClassName", "service", "apiGroup", "discovery.v1.EndpointPort.name", "LeaseSpec.holderIdentity",
    "strategy", "preferredHolder",
}  # fmt: skip
"""Strings whose being empty says something."""
HEAD = '''"""Field numbers of Kubernetes' messages: number to JSON field, for `protobuf.py`. Written by script/protobuf_fields.py.

One line a message (longer ones go on indented): `number flags name:Type` without spaces between. Type: nothing for a string,
`i` a whole number, `o` a boolean, `b` bytes, else a message. Flags: `*` repeated, `%` a map from strings, `.` a struct whose fields
stand in the parent, `?` left out when zero or empty, as Go's JSON does. A message whose name another group or version has too is
named with its own (`autoscaling.v2.MetricSpec`); those of core/v1 and meta/v1 never are.
A field that is not here is skipped: newer than the served version, or the server's own (managedFields).
"""

KINDS = {
KINDS_GO_HERE
}
"""The kinds that are read, by apiVersion. DeleteOptions comes with any."""

TABLE = """\\'''


def descriptors(kubectl: Path) -> dict[str, Message]:
    """Every message of every file whose descriptor stands in the binary, by its full name."""
    data, found, at = kubectl.read_bytes(), {}, 0
    while (at := data.find(GZIP, at)) >= 0:
        try:
            raw = zlib.decompressobj(31).decompress(data[at : at + MAX_BYTES])
            file = descriptor_pb2.FileDescriptorProto.FromString(raw)
        except Exception:  # noqa: BLE001  (any other gzip data, or chance)
            file = descriptor_pb2.FileDescriptorProto()
        found |= {f"{file.package}.{message.name}": message for message in file.message_type}
        at += len(GZIP)
    return found


def full_name(api_version: str, kind: str) -> str:
    group, _, version = api_version.rpartition("/")
    package = META if kind == "DeleteOptions" else f"k8s.io.api.{(group or 'core').partition('.')[0]}.{version}"
    return f"{package}.{kind}"


def schema_of(full: str) -> dict[str, Any]:
    package, _, name = full.rpartition(".")
    try:
        return schema_source.definition(f"io.k8s.{package.removeprefix('k8s.io.')}.{INLINED.get(name, name)}")
    except LookupError:
        return {}


def value_type(message: Message, field: Field) -> tuple[str, Field]:
    """The flag that the label gives, and the field whose type counts: that of a map's values."""
    for nested in message.nested_type:
        if field.type_name.endswith(f".{message.name}.{nested.name}"):
            return "%", nested.field[1]
    return ("*" if field.label == Field.LABEL_REPEATED else ""), field


class Table:
    def __init__(self, known: dict[str, Message]) -> None:
        self._known = known
        self._reached: dict[str, list[tuple[int, str, str, str]]] = {}

    def reach(self, root: str) -> None:
        left = [root]
        while left:
            full = left.pop()
            if full in self._reached:
                continue
            schema = schema_of(full)
            fields = [self._field(full, field, schema, left) for field in self._known[full].field]
            self._reached[full] = [field for field in fields if field is not None]

    def _field(self, of: str, field: Field, schema: dict[str, Any], left: list[str]) -> tuple[int, str, str, str] | None:
        """(number, flag, JSON name, type: a letter or a full name); None for what JSON has not."""
        message = self._known[of]
        known = {key.lower(): key for key in schema.get("properties", {})}
        inline = field.name in INLINE or f"{message.name[0].lower()}{message.name[1:]}.{field.name}" in INLINE
        name = known.get(field.name.lower())
        if (name is None and not inline) or name == "managedFields":
            return None
        flag, typed = value_type(message, field)
        if typed.type == Field.TYPE_MESSAGE:
            full = typed.type_name.lstrip(".")
            short = full.rpartition(".")[2]
            if short in SPECIAL:
                return field.number, flag, name or field.name, short
            left.append(full)
            return field.number, "." if inline else flag, name or field.name, full
        kind = {Field.TYPE_STRING: "", Field.TYPE_BYTES: "b", Field.TYPE_BOOL: "o"}.get(typed.type, "i")
        names = {name, f"{message.name}.{name}", f"{'.'.join(of.split('.')[-3:])}.{name}"}
        by_value = bool(names & VALUES) or (kind in ("", "b") and not names & POINTERS)
        if not flag and by_value and name not in schema.get("required", ()):
            flag = "?"
        return field.number, flag, str(name), kind

    def lines(self) -> list[str]:
        shorts = [full.rpartition(".")[2] for full in self._reached]
        named = {}
        for full in self._reached:
            package, _, short = full.rpartition(".")
            own = shorts.count(short) > 1 and package not in (CORE, META)
            named[full] = f"{'.'.join(package.split('.')[-2:])}.{short}" if own else short
        found = []
        for full, fields in self._reached.items():
            texts = [f"{number}{flag}{name}{':' + named.get(kind, kind) if kind else ''}" for number, flag, name, kind in fields]
            text = f"{named[full]}: {' '.join(texts)}"
            found.append(textwrap.fill(text, 136, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False))
        return sorted(found)


def main(kubectl: str) -> None:
    table = Table(descriptors(Path(kubectl)))
    for api_version, kinds in ROOTS.items():
        for kind in kinds.split():
            table.reach(full_name(api_version, kind))
    kinds = [
        textwrap.fill(f'"{version}": "{names}",', 132, initial_indent="    ", subsequent_indent="    ").replace("\n    ", ' "\n    "')
        for version, names in ROOTS.items()
    ]
    print(HEAD.replace("KINDS_GO_HERE", "\n".join(kinds)))
    print("\n".join(table.lines()) + '\n"""')


if __name__ == "__main__":
    main(sys.argv[1])
