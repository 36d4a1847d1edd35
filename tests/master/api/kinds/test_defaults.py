"""Every field whose description speaks of a default: either the API fills it in, or there is a reason why nobody does.

The places come from the official definitions, so a field that a newer version brings fails here until somebody has looked at it. A
default is applied by the kind's own function to a document that has nothing but the way to the field.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any

import pytest

from master.api import registry, schema, schema_source
from master.api.registry import Resource
from master.api.schema import Node, Type

SAYS = re.compile(r"\b(?:[Dd]efaults?(?:ed)? (?:to|is|value is|value|are|of|will)|[Dd]efault: |\(default\)|by default\b|By default\b|[Dd]efault .{0,24}will be|default.{0,12} (?:is|used))")

ZERO = "the zero value, which is not written out"
RUNTIME = "the container runtime or the image decides"
NODE = "the node's own agent or the volume's driver decides, when it is used"
CONSUMER = "who acts on the field reads its absence so; nothing is stored"
PROSE = "the sentence is about something else than this field's value when it is absent"
SERVER = "the API or a controller sets it elsewhere, when it is made or changed"
UNSERVED = "a part of a status or of a schema, which says what it means itself"
STRING = "an absent and an empty text mean the same"

APPLIED: dict[str, Any] = {
    "ObjectFieldSelector.apiVersion": "v1", "Container.imagePullPolicy": "Always", "EphemeralContainer.imagePullPolicy": "Always",
    "HTTPGetAction.scheme": "HTTP", "Probe.failureThreshold": 3, "Probe.periodSeconds": 10, "Probe.successThreshold": 1, "Probe.timeoutSeconds": 1,
    "GRPCAction.service": "", "ContainerPort.protocol": "TCP", "Container.terminationMessagePath": "/dev/termination-log",
    "Container.terminationMessagePolicy": "File", "EphemeralContainer.terminationMessagePath": "/dev/termination-log",
    "EphemeralContainer.terminationMessagePolicy": "File", "PodSpec.dnsPolicy": "ClusterFirst", "PodSpec.enableServiceLinks": True,
    "PodSpec.preemptionPolicy": "PreemptLowerPriority", "PodSpec.restartPolicy": "Always", "PodSpec.schedulerName": "default-scheduler",
    "PodSpec.securityContext": {}, "PodSpec.terminationGracePeriodSeconds": 30, "AzureDiskVolumeSource.kind": "Shared",
    "AzureDiskVolumeSource.readOnly": False, "ConfigMapVolumeSource.defaultMode": 420, "DownwardAPIVolumeSource.defaultMode": 420,
    "SecretVolumeSource.defaultMode": 420, "ProjectedVolumeSource.defaultMode": 420, "HostPathVolumeSource.type": "",
    "ImageVolumeSource.pullPolicy": "Always", "ISCSIVolumeSource.iscsiInterface": "default", "ISCSIPersistentVolumeSource.iscsiInterface": "default",
    "ServiceAccountTokenProjection.expirationSeconds": 3600, "RBDVolumeSource.keyring": "/etc/ceph/keyring", "RBDVolumeSource.pool": "rbd",
    "RBDVolumeSource.user": "admin", "RBDPersistentVolumeSource.keyring": "/etc/ceph/keyring", "RBDPersistentVolumeSource.pool": "rbd",
    "RBDPersistentVolumeSource.user": "admin", "ScaleIOVolumeSource.fsType": "xfs", "ScaleIOVolumeSource.storageMode": "ThinProvisioned",
    "ScaleIOPersistentVolumeSource.fsType": "xfs", "ScaleIOPersistentVolumeSource.storageMode": "ThinProvisioned",
    "ReplicaSetSpec.replicas": 1, "DeploymentSpec.progressDeadlineSeconds": 600, "DeploymentSpec.replicas": 1, "DeploymentSpec.revisionHistoryLimit": 10,
    "RollingUpdateDeployment.maxSurge": "25%", "RollingUpdateDeployment.maxUnavailable": "25%", "DeploymentStrategy.type": "RollingUpdate",
    "ServiceSpec.internalTrafficPolicy": "Cluster", "ServicePort.protocol": "TCP", "ServiceSpec.sessionAffinity": "None", "ServiceSpec.type": "ClusterIP",
    "ClientIPConfig.timeoutSeconds": 10800, "EndpointPort.protocol": "TCP", "EndpointPort.name": "",
    "PersistentVolumeSpec.persistentVolumeReclaimPolicy": "Retain", "ReplicationControllerSpec.replicas": 1, "DaemonSetSpec.revisionHistoryLimit": 10,
    "RollingUpdateDaemonSet.maxSurge": 0, "RollingUpdateDaemonSet.maxUnavailable": 1, "DaemonSetUpdateStrategy.type": "RollingUpdate",
    "StatefulSetPersistentVolumeClaimRetentionPolicy.whenDeleted": "Retain", "StatefulSetPersistentVolumeClaimRetentionPolicy.whenScaled": "Retain",
    "StatefulSetSpec.persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    "StatefulSetSpec.podManagementPolicy": "OrderedReady", "StatefulSetSpec.replicas": 1, "StatefulSetSpec.revisionHistoryLimit": 10,
    "RollingUpdateStatefulSetStrategy.partition": 0, "StatefulSetUpdateStrategy.type": "RollingUpdate", "CronJobSpec.concurrencyPolicy": "Allow",
    "CronJobSpec.failedJobsHistoryLimit": 1, "CronJobSpec.successfulJobsHistoryLimit": 3, "CronJobSpec.suspend": False, "JobSpec.backoffLimit": 6,
    "JobSpec.completionMode": "NonIndexed", "JobSpec.podReplacementPolicy": "TerminatingOrFailed", "JobSpec.suspend": False,
    "PodFailurePolicyOnPodConditionsPattern.status": "True", "HPAScalingRules.selectPolicy": "Max",
    "HPAScalingRules.stabilizationWindowSeconds": 0, "HPAScalingRules.policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}],
    "HorizontalPodAutoscalerSpec.metrics": [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}],
    "HorizontalPodAutoscalerSpec.minReplicas": 1, "PriorityClass.preemptionPolicy": "PreemptLowerPriority", "IngressClassParametersReference.scope": "Cluster",
    "NetworkPolicyPort.protocol": "TCP", "NetworkPolicySpec.policyTypes": ["Ingress"], "CSIDriverSpec.fsGroupPolicy": "ReadWriteOnceWithFSType",
    "CSIDriverSpec.podInfoOnMount": False, "CSIDriverSpec.requiresRepublish": False, "CSIDriverSpec.seLinuxMount": False,
    "CSIDriverSpec.volumeLifecycleModes": ["Persistent"], "StorageClass.reclaimPolicy": "Delete", "ServiceReference.port": 443,
    "MutatingWebhook.failurePolicy": "Fail", "MutatingWebhook.matchPolicy": "Equivalent", "MutatingWebhook.namespaceSelector": {},
    "MutatingWebhook.objectSelector": {}, "MutatingWebhook.reinvocationPolicy": "Never", "MutatingWebhook.timeoutSeconds": 10,
    "RuleWithOperations.scope": "*", "NamedRuleWithOperations.scope": "*", "ValidatingAdmissionPolicySpec.failurePolicy": "Fail",
    "MatchResources.matchPolicy": "Equivalent", "MatchResources.namespaceSelector": {}, "MatchResources.objectSelector": {},
    "ValidatingWebhook.failurePolicy": "Fail", "ValidatingWebhook.matchPolicy": "Equivalent", "ValidatingWebhook.namespaceSelector": {},
    "ValidatingWebhook.objectSelector": {}, "ValidatingWebhook.timeoutSeconds": 10, "Subject.apiGroup": "rbac.authorization.k8s.io",
    "CustomResourceDefinitionNames.listKind": "ThingList", "CustomResourceDefinitionNames.singular": "thing",
    "ServiceSpec.allocateLoadBalancerNodePorts": True, "ServiceSpec.externalTrafficPolicy": "Cluster", "ResourceRequirements.requests": {"cpu": "1"},
    "LimitRangeItem.default": {"cpu": "1"}, "LimitRangeItem.defaultRequest": {"cpu": "1"},
    "ReplicationControllerSpec.selector": {"a": "b"}, "NodeStatus.allocatable": {"cpu": "1"},
}  # fmt: skip
"""`Definition.field` to what stands there when nothing was said."""

EXEMPT: dict[str, str] = {}
for _reason, _places in {
    ZERO: """OwnerReference.blockOwnerDeletion NodeSpec.unschedulable PodAffinityTerm.matchLabelKeys PodAffinityTerm.mismatchLabelKeys EnvVar.value
        SecurityContext.privileged SecurityContext.readOnlyRootFilesystem Container.stdin Container.stdinOnce Container.tty EphemeralContainer.stdin
        EphemeralContainer.stdinOnce EphemeralContainer.tty VolumeMount.readOnly VolumeMount.subPath VolumeMount.subPathExpr PodSpec.hostIPC
        PodSpec.hostNetwork PodSpec.hostPID PodSpec.setHostnameAsFQDN PodSpec.shareProcessNamespace AzureFileVolumeSource.readOnly
        CephFSVolumeSource.readOnly CinderVolumeSource.readOnly CSIVolumeSource.readOnly FCVolumeSource.readOnly FlexVolumeSource.readOnly
        GCEPersistentDiskVolumeSource.readOnly GlusterfsVolumeSource.readOnly ISCSIVolumeSource.readOnly NFSVolumeSource.readOnly
        PersistentVolumeClaimVolumeSource.readOnly PortworxVolumeSource.readOnly QuobyteVolumeSource.readOnly RBDVolumeSource.readOnly
        ScaleIOVolumeSource.readOnly ScaleIOVolumeSource.sslEnabled StorageOSVolumeSource.readOnly ReplicaSetSpec.minReadySeconds
        DeploymentSpec.minReadySeconds ConfigMap.immutable Secret.immutable AzureFilePersistentVolumeSource.readOnly
        CephFSPersistentVolumeSource.readOnly CinderPersistentVolumeSource.readOnly CSIPersistentVolumeSource.readOnly
        FlexPersistentVolumeSource.readOnly GlusterfsPersistentVolumeSource.readOnly ISCSIPersistentVolumeSource.readOnly
        RBDPersistentVolumeSource.readOnly ScaleIOPersistentVolumeSource.readOnly ScaleIOPersistentVolumeSource.sslEnabled
        StorageOSPersistentVolumeSource.readOnly ReplicationControllerSpec.minReadySeconds DaemonSetSpec.minReadySeconds
        StatefulSetSpec.minReadySeconds StatefulSetOrdinals.start CustomResourceDefinitionVersion.deprecated RBDVolumeSource.secretRef
        RBDPersistentVolumeSource.secretRef EmptyDirVolumeSource.sizeLimit ResourceFieldSelector.divisor CephFSVolumeSource.secretRef CephFSPersistentVolumeSource.secretRef""",
    RUNTIME: """Lifecycle.stopSignal SecurityContext.capabilities SecurityContext.procMount SecurityContext.runAsGroup SecurityContext.runAsUser
        SeccompProfile.type AppArmorProfile.type WindowsSecurityContextOptions.runAsUserName Container.workingDir EphemeralContainer.workingDir
        PodSecurityContext.runAsGroup PodSecurityContext.runAsUser NodeRuntimeHandler.name PodSpec.runtimeClassName""",
    NODE: """HTTPGetAction.host TCPSocketAction.host VolumeMount.mountPropagation VolumeMount.recursiveReadOnly CephFSVolumeSource.path
        CephFSVolumeSource.secretFile CephFSVolumeSource.user CephFSPersistentVolumeSource.path CephFSPersistentVolumeSource.secretFile
        CephFSPersistentVolumeSource.user CSIVolumeSource.fsType FlexVolumeSource.fsType FlexPersistentVolumeSource.fsType
        EmptyDirVolumeSource.medium AWSElasticBlockStoreVolumeSource.partition GCEPersistentDiskVolumeSource.partition QuobyteVolumeSource.group
        QuobyteVolumeSource.user StorageOSVolumeSource.secretRef StorageOSVolumeSource.volumeNamespace StorageOSPersistentVolumeSource.secretRef
        StorageOSPersistentVolumeSource.volumeNamespace LocalVolumeSource.fsType AzureFilePersistentVolumeSource.secretNamespace
        GlusterfsPersistentVolumeSource.endpointsNamespace ServiceAccountTokenProjection.audience ISCSIVolumeSource.portals
        ISCSIVolumeSource.targetPortal ISCSIPersistentVolumeSource.portals ISCSIPersistentVolumeSource.targetPortal""",
    CONSUMER: """ContainerResizePolicy.restartPolicy PodSpec.hostUsers Toleration.operator Toleration.tolerationSeconds
        TopologySpreadConstraint.maxSkew TopologySpreadConstraint.whenUnsatisfiable HorizontalPodAutoscalerSpec.behavior
        HorizontalPodAutoscalerBehavior.scaleDown HorizontalPodAutoscalerBehavior.scaleUp HPAScalingRules.tolerance
        HorizontalPodAutoscalerSpec.targetCPUUtilizationPercentage RollingUpdateStatefulSetStrategy.maxUnavailable CronJobSpec.timeZone
        IngressTLS.hosts ServiceSpec.loadBalancerClass ServiceSpec.trafficDistribution PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy
        StatefulSetSpec.ordinals TokenRequest.audience TokenRequest.expirationSeconds VolumeResourceRequirements.requests
        CustomResourceSubresourceScale.labelSelectorPath CustomResourceSubresourceScale.statusReplicasPath
        PersistentVolumeClaimSpec.volumeAttributesClassName ObjectMeta.namespace KeyToPath.mode DownwardAPIVolumeFile.mode""",
    SERVER: "PodSpec.priorityClassName ReplicaSet.metadata ReplicationController.metadata ContainerStatus.ready CertificateSigningRequestCondition.lastTransitionTime",
    UNSERVED: """NodeConfigStatus.lastKnownGood PersistentVolumeClaimStatus.currentVolumeAttributesClassName PersistentVolumeClaimStatus.modifyVolumeStatus
        JSONSchemaProps.default JSONSchemaProps.x-kubernetes-list-map-keys JSONSchemaProps.x-kubernetes-list-type JSONSchemaProps.x-kubernetes-map-type
        ValidationRule.reason ValidationRule.rule JobStatus.terminating""",
    PROSE: """Container.ports IngressSpec.rules IngressSpec.defaultBackend NetworkPolicySpec.egress NetworkPolicySpec.ingress TopologySpreadConstraint.matchLabelKeys
        StatefulSetSpec.serviceName JobSpec.managedBy JobSpec.podFailurePolicy PodFailurePolicy.rules PodFailurePolicyRule.action JobSpec.successPolicy
        SuccessPolicyRule.succeededCount SuccessPolicyRule.succeededIndexes PriorityClass.globalDefault Container.image ImageVolumeSource.reference
        CustomResourceDefinitionVersion.deprecationWarning PersistentVolumeSpec.volumeAttributesClassName""",
}.items():
    EXEMPT |= {place: _reason for place in _places.split()}

GIVEN: dict[str, dict[str, Any]] = {
    "ServiceSpec.allocateLoadBalancerNodePorts": {"type": "LoadBalancer"}, "ServiceSpec.externalTrafficPolicy": {"type": "LoadBalancer"},
    "ResourceRequirements.requests": {"limits": {"cpu": "1"}}, "LimitRangeItem.default": {"type": "Container", "max": {"cpu": "1"}},
    "LimitRangeItem.defaultRequest": {"type": "Container", "max": {"cpu": "1"}}, "Subject.apiGroup": {"kind": "User"},
    "CustomResourceDefinitionNames.listKind": {"kind": "Thing"}, "CustomResourceDefinitionNames.singular": {"kind": "Thing"},
    "ReplicationControllerSpec.selector": {"template": {"metadata": {"labels": {"a": "b"}}}}, "NodeStatus.allocatable": {"capacity": {"cpu": "1"}},
}  # fmt: skip
"""What must stand beside the field, because the default follows from it."""
AWAY: dict[str, dict[str, Any]] = {
    "RollingUpdateDeployment": {"spec.strategy.type": "RollingUpdate"}, "ClientIPConfig": {"spec.sessionAffinity": "ClientIP"},
}  # fmt: skip
"""What must stand elsewhere in the object."""
KINDS = [r for r in registry.RESOURCES if "update" in r.verbs and (not r.stored or r.group == "autoscaling")]


def node_of(resource: Resource) -> Node:
    return schema.for_kind(resource.api_version, resource.kind)


def short(definition: str) -> str:
    return definition.rpartition(".")[2]


def ways() -> dict[str, list[tuple[Resource, tuple[str, ...]]]]:
    """Each definition, and the shortest way to it in each kind that has it. `[]` is an item of a list, `*` a value of a map."""
    found: dict[str, list[tuple[Resource, tuple[str, ...]]]] = {}
    for resource in KINDS:
        seen, left = set(), deque([(node_of(resource), tuple[str, ...]())])
        while left:
            node, path = left.popleft()
            if node.type is Type.OBJECT and node.definition:
                if node.definition in seen:
                    continue
                seen.add(node.definition)
                found.setdefault(node.definition, []).append((resource, path))
            left.extend((child, (*path, name)) for name, child in node.fields.items() if name != "managedFields")
            for mark, inner in (("[]", node.items), ("*", node.values)):
                if inner is not None:
                    left.append((inner, (*path, mark)))
    return found


WAYS = ways()


def places() -> list[tuple[str, str]]:
    """(definition, field) whose description speaks of a default."""
    found = []
    for definition in WAYS:
        for field, part in schema_source.definition(definition).get("properties", {}).items():
            if SAYS.search(part.get("description", "")) or "default" in part:
                found.append((definition, field))
    return found


PLACES = places()


def named(definition: str, field: str) -> str:
    return f"{short(definition)}.{field}"


def test_every_default_that_is_spoken_of_is_applied_or_excused() -> None:
    spoken = {named(*place) for place in PLACES}
    assert spoken - APPLIED.keys() - EXEMPT.keys() == set()
    assert not APPLIED.keys() & EXEMPT.keys()
    known = {f"{short(definition)}.{field}" for definition in WAYS for field in schema_source.definition(definition).get("properties", {})}
    assert (APPLIED.keys() | EXEMPT.keys()) - known == set(), "of fields that are not there any more"


def built(path: tuple[str, ...], inner: Any) -> Any:
    for step in reversed(path):
        inner = [inner] if step == "[]" else {"x": inner} if step == "*" else {step: inner}
    return inner


def reached(document: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        document = document[0] if step == "[]" else document["x"] if step == "*" else document[step]
    return document


def put(document: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split(".")
    for step in way:
        document = document.setdefault(step, {})
    document[last] = value


INSTEAD = {
    ("Pod", "ResourceRequirements"): ("spec", "containers", "[]", "resources"), ("HorizontalPodAutoscaler", "HPAScalingRules"): ("spec", "behavior", "scaleUp"),
}  # fmt: skip
"""Where a definition has several places in a kind, and the default is that of another than the nearest."""


def is_there(resource: Resource, definition: str, field: str) -> bool:
    """Whether the field's default holds in this kind."""
    name = short(definition)
    if resource.kind != "Pod" and (name == "ResourceRequirements" or named(definition, field) in ("PodSpec.enableServiceLinks", "PodSpec.preemptionPolicy")):
        return False  # of a template of pods it would be somebody else's choice
    if resource.kind == "CronJob" and name == "JobSpec":
        return False  # its Jobs get them when they are made
    if resource.kind == "VolumeAttachment" and field == "persistentVolumeReclaimPolicy":
        return False  # there is nothing to reclaim
    return (resource.kind, name, field) != ("Endpoints", "EndpointPort", "name")  # core's own EndpointPort has none


def applied_places() -> list[Any]:
    found = []
    for definition, uses in WAYS.items():
        for field in schema_source.definition(definition).get("properties", {}):
            if named(definition, field) not in APPLIED:
                continue
            for resource, nearest in uses:
                path = INSTEAD.get((resource.kind, short(definition)), nearest)
                if is_there(resource, definition, field):
                    found.append(pytest.param(resource, path, definition, field, id=f"{resource.api_version}-{resource.kind}-{'.'.join((*path, field))}"))
    return found


@pytest.mark.parametrize(("resource", "path", "definition", "field"), applied_places())
def test_a_default_is_applied(resource: Resource, path: tuple[str, ...], definition: str, field: str) -> None:
    name = named(definition, field)
    document = built(path, dict(GIVEN.get(name, {})))
    for place, value in AWAY.get(short(definition), {}).items():
        put(document, place, value)
    document.setdefault("metadata", {}).setdefault("name", "x")
    home = registry.BY_KEY[resource.stored_key]
    if resource.to_stored is not None:
        document = resource.to_stored(document)
    if home.default is not None:
        home.default(document)
    if resource.from_stored is not None:
        document = resource.from_stored(document)
    assert reached(document, path).get(field, "(nothing)") == APPLIED[name]
