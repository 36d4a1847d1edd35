"""One object of each kind that has no test file of its own: what it is made of, what it becomes, how it is shown and refused.

Each case reads: create `document`; `defaults` stand in it then (paths to values); `shown` is its row without AGE-like times (None for a
cell that is not compared); `bad` merged into it is refused with (field, beginning of the message); `fixed` merged into the stored object
is refused likewise. None: the kind has no such rule.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tests.certificate_requests import asked

Json = dict[str, Any]
Refusal = tuple[Json, str, str]

LABELS = {"app": "web"}
SELECTOR = {"matchLabels": LABELS}
CONTAINERS = [{"name": "main", "image": "web:1"}]
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": CONTAINERS}}
ONCE = {"metadata": {"labels": LABELS}, "spec": {"containers": CONTAINERS, "restartPolicy": "Never"}}
REQUEST = asked("jane")
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
WEBHOOK = {
    "name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "rules": [RULE],
    "clientConfig": {"service": {"namespace": "default", "name": "hook"}},
}  # fmt: skip


class Case(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    document: Json
    defaults: Json = {}
    columns: str
    shown: tuple[Any, ...]
    bad: Refusal | None = None
    fixed: Refusal | None = None
    name: str = "x"


def webhooks(**changes: Any) -> Json:
    return {"webhooks": [{**WEBHOOK, **changes}]}


CASES = (
    Case(
        key="endpoints", document={"subsets": [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": [{"port": 80}]}]},
        defaults={"subsets.0.ports.0.protocol": "TCP"}, columns="Name,Endpoints,Age", shown=("x", "10.0.0.1:80,10.0.0.2:80"),
        bad=({"subsets": [{"addresses": [{"ip": "nowhere"}]}]}, "subsets[0].addresses[0].ip", 'Invalid value: "nowhere": must be a valid IP'),
    ),
    Case(
        key="limitranges", document={"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1"}}]}},
        defaults={"spec.limits.0.default.cpu": "2", "spec.limits.0.defaultRequest.cpu": "2"}, columns="Name,Created At", shown=("x",),
        bad=({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}, "default": {"cpu": "1"},
                                   "defaultRequest": {"cpu": "1"}}]}},
             "spec.limits[0].min[cpu]", 'Invalid value: "2": min value 2 is greater than default request value 1'),
    ),
    Case(
        key="persistentvolumeclaims", document={"spec": CLAIM}, defaults={"spec.volumeMode": "Filesystem", "status.phase": "Pending"},
        columns="Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age",
        shown=("x", "Pending", "", "", "", "", "<unset>"),
        bad=({"spec": {"accessModes": []}}, "spec.accessModes", "Required value: at least 1 access mode is required"),
        fixed=({"spec": {"storageClassName": "fast"}}, "spec", "Forbidden: spec is immutable after creation except resources.requests"),
    ),
    Case(
        key="persistentvolumes",
        document={"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "hostPath": {"path": "/a"}}},
        defaults={"spec.persistentVolumeReclaimPolicy": "Retain", "spec.volumeMode": "Filesystem", "spec.hostPath.type": ""},
        columns="Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,Reason,Age",
        shown=("x", "1Gi", "RWO,ROX", "Retain", "Pending", "", "", "<unset>", ""),
        bad=({"spec": {"hostPath": None}}, "spec", "Required value: must specify a volume type"),
        fixed=({"spec": {"hostPath": {"path": "/b"}}}, "spec.persistentvolumesource", "Forbidden: spec.persistentvolumesource is immutable"),
    ),
    Case(
        key="podtemplates", document={"template": TEMPLATE}, defaults={"template.spec.restartPolicy": "Always"},
        columns="Name,Containers,Images,Pod Labels", shown=("x", "main", "web:1", "app=web"),
        bad=({"template": {"spec": {"containers": []}}}, "template.spec.containers", "Required value"),
    ),
    Case(
        key="replicationcontrollers", document={"spec": {"template": TEMPLATE}},
        defaults={"spec.replicas": 1, "spec.selector": LABELS, "metadata.labels": LABELS, "metadata.generation": 1},
        columns="Name,Desired,Current,Ready,Age", shown=("x", 1, 0, 0),
        bad=({"spec": {"selector": {"app": "other"}}}, "spec.template.metadata.labels",
             'Invalid value: map[string]string{"app":"web"}: `selector` does not match template `labels`'),
    ),
    Case(
        key="resourcequotas", document={"spec": {"hard": {"pods": "10", "limits.cpu": "4"}}, "status": {"hard": {"pods": "1"}}},
        defaults={"status": {}}, columns="Name,Request,Limit,Age", shown=("x", "", ""),
        bad=({"spec": {"hard": {"horses": "1"}}}, "spec.hard[horses]", 'Invalid value: "horses": must be a standard resource for quota'),
        fixed=({"spec": {"scopes": ["BestEffort"]}}, "spec.scopes", 'Invalid value: ["BestEffort"]: field is immutable'),
    ),
    Case(
        key="controllerrevisions.apps", document={"revision": 3, "data": {"spec": {}}}, columns="Name,Controller,Revision,Age",
        shown=("x", "<none>", 3), bad=({"data": None}, "data", "Required value: data is mandatory"),
        fixed=({"data": {"spec": {"a": 1}}}, "data", 'Invalid value: {"spec":{"a":1}}: field is immutable'),
    ),
    Case(
        key="daemonsets.apps", document={"spec": {"selector": SELECTOR, "template": TEMPLATE}},
        defaults={"spec.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
                  "spec.revisionHistoryLimit": 10, "spec.template.spec.dnsPolicy": "ClusterFirst", "metadata.generation": 1},
        columns="Name,Desired,Current,Ready,Up-to-date,Available,Node Selector,Age", shown=("x", 0, 0, 0, 0, 0, "<none>"),
        bad=({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}}}, "spec.updateStrategy.rollingUpdate.maxUnavailable",
             "Required value: cannot be 0 when maxSurge is 0"),
        fixed=({"spec": {"selector": {"matchLabels": {"app": "web", "b": "c"}}, "template": {"metadata": {"labels": {"b": "c"}}}}},
               "spec.selector", 'Invalid value: {"matchLabels":{"app":"web","b":"c"}}: field is immutable'),
    ),
    Case(
        key="statefulsets.apps",
        document={"spec": {"selector": SELECTOR, "serviceName": "web", "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}],
                           "template": {**TEMPLATE, "spec": {"containers": [{**CONTAINERS[0], "volumeMounts": [
                               {"name": "data", "mountPath": "/data"}]}]}}}},
        defaults={"spec.podManagementPolicy": "OrderedReady", "spec.replicas": 1, "spec.revisionHistoryLimit": 10,
                  "spec.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                  "spec.persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
                  "spec.volumeClaimTemplates.0.spec.volumeMode": "Filesystem", "spec.volumeClaimTemplates.0.status.phase": "Pending"},
        columns="Name,Ready,Age", shown=("x", "0/1"),
        bad=({"spec": {"podManagementPolicy": "Chaos"}}, "spec.podManagementPolicy",
             'Unsupported value: "Chaos": supported values: "OrderedReady", "Parallel"'),
        fixed=({"spec": {"serviceName": "other"}}, "spec", "Forbidden: updates to statefulset spec for fields other than 'replicas'"),
    ),
    Case(
        key="cronjobs.batch", document={"spec": {"schedule": "*/5 9-17 * jan,feb mon-fri", "jobTemplate": {"spec": {"template": ONCE}}}},
        defaults={"spec.concurrencyPolicy": "Allow", "spec.suspend": False, "spec.successfulJobsHistoryLimit": 3,
                  "spec.failedJobsHistoryLimit": 1, "spec.jobTemplate.spec.template.spec.schedulerName": "default-scheduler"},
        columns="Name,Schedule,Timezone,Suspend,Active,Last Schedule,Age",
        shown=("x", "*/5 9-17 * jan,feb mon-fri", "<none>", "False", 0, "<none>"),
        bad=({"spec": {"schedule": "often"}}, "spec.schedule", 'Invalid value: "often": expected exactly 5 fields, found 1: [often]'),
    ),
    Case(
        key="jobs.batch", document={"spec": {"template": ONCE}},
        defaults={"spec.completions": 1, "spec.parallelism": 1, "spec.backoffLimit": 6, "spec.completionMode": "NonIndexed",
                  "spec.suspend": False, "spec.podReplacementPolicy": "TerminatingOrFailed", "metadata.labels.job-name": "x"},
        columns="Name,Status,Completions,Duration,Age", shown=("x", "Running", "0/1", ""),
        bad=({"spec": {"template": {"spec": {"restartPolicy": "Always"}}}}, "spec.template.spec.restartPolicy",
             'Required value: valid values: "OnFailure", "Never"'),
        fixed=({"spec": {"completions": 2}}, "spec.completions", "Invalid value: 2: field is immutable"),
    ),
    Case(
        key="horizontalpodautoscalers.autoscaling",
        document={"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}}},
        defaults={"spec.minReplicas": 1, "spec.metrics.0.resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
        columns="Name,Reference,Targets,MinPods,MaxPods,Replicas,Age", shown=("x", "Deployment/web", "cpu: <unknown>/80%", 1, 3, 0),
        bad=({"spec": {"minReplicas": 5}}, "spec.maxReplicas", "Invalid value: 3: must be greater than or equal to `minReplicas`"),
    ),
    Case(
        key="poddisruptionbudgets.policy", document={"spec": {"minAvailable": "50%", "selector": SELECTOR}},
        defaults={"status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}},
        columns="Name,Min Available,Max Unavailable,Allowed Disruptions,Age", shown=("x", "50%", "N/A", 0),
        bad=({"spec": {"minAvailable": "half"}}, "spec.minAvailable", 'Invalid value: "half": a valid percent string must be'),
    ),
    Case(
        key="priorityclasses.scheduling.k8s.io", document={"value": 100}, defaults={"preemptionPolicy": "PreemptLowerPriority"},
        columns="Name,Value,Global-Default,Age,PreemptionPolicy", shown=("x", 100, False, None, "PreemptLowerPriority"),
        bad=({"value": 2_000_000_000}, "value", "Forbidden: maximum allowed value of a user defined priority is 1000000000"),
        fixed=({"value": 101}, "value", "Forbidden: may not be changed in an update."),
    ),
    Case(
        key="runtimeclasses.node.k8s.io", document={"handler": "runc"}, columns="Name,Handler,Age", shown=("x", "runc"),
        bad=({"handler": "Run C"}, "handler", 'Invalid value: "Run C": a lowercase RFC 1123 label must consist of'),
        fixed=({"handler": "other"}, "handler", 'Invalid value: "other": field is immutable'),
    ),
    Case(
        key="endpointslices.discovery.k8s.io",
        document={"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]},
        defaults={"ports.0": {"port": 80, "name": "", "protocol": "TCP"}, "metadata.generation": 1},
        columns="Name,AddressType,Ports,Endpoints,Age", shown=("x", "IPv4", "80", "10.0.0.1"),
        bad=({"endpoints": [{"addresses": ["fe80::1"]}]}, "endpoints[0].addresses[0]", 'Invalid value: "fe80::1": must be an IPv4 address'),
        fixed=({"addressType": "IPv6", "endpoints": [{"addresses": ["fe80::1"]}]}, "addressType", 'Invalid value: "IPv6": field is immutable'),
    ),
    Case(
        key="ingressclasses.networking.k8s.io", document={"spec": {"controller": "example.com/lb", "parameters": {"kind": "P", "name": "p"}}},
        defaults={"spec.parameters.scope": "Cluster"}, columns="Name,Controller,Parameters,Age", shown=("x", "example.com/lb", "P/p"),
        bad=({"spec": {"controller": "lb"}}, "spec.controller", 'Invalid value: "lb": must be a domain-prefixed path'),
        fixed=({"spec": {"controller": "example.com/new"}}, "spec.controller", 'Invalid value: "example.com/new": field is immutable'),
    ),
    Case(
        key="ingresses.networking.k8s.io",
        document={"spec": {"tls": [{"hosts": ["a.b"]}], "rules": [{"host": "a.b", "http": {"paths": [{
            "path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}},
        columns="Name,Class,Hosts,Address,Ports,Age", shown=("x", "<none>", "a.b", "", "80, 443"),
        bad=({"spec": {"rules": [{"host": "10.0.0.1"}]}}, "spec.rules[0].host", 'Invalid value: "10.0.0.1": must be a DNS name, not an IP'),
    ),
    Case(
        key="ipaddresses.networking.k8s.io", name="10.96.0.1", document={"spec": {"parentRef": {"resource": "services", "name": "web",
                                                                                               "namespace": "default"}}},
        columns="Name,ParentRef", shown=("10.96.0.1", "services/default/web"),
        bad=({"spec": {"parentRef": {"name": None}}}, "spec.parentRef.name", "Required value"),
        fixed=({"spec": {"parentRef": {"name": "b"}}}, "spec.parentRef", "Invalid value: "),
    ),
    Case(
        key="networkpolicies.networking.k8s.io", document={"spec": {"podSelector": SELECTOR, "ingress": [{"ports": [{"port": 80}]}]}},
        defaults={"spec.policyTypes": ["Ingress"], "spec.ingress.0.ports.0.protocol": "TCP"}, columns="Name,Pod-Selector,Age",
        shown=("x", "app=web"),
        bad=({"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.1"}}]}]}}, "spec.ingress[0].from[0].ipBlock.cidr",
             'Invalid value: "10.0.0.1": must be a valid CIDR value'),
    ),
    Case(
        key="servicecidrs.networking.k8s.io", document={"spec": {"cidrs": ["10.96.0.0/16"]}}, columns="Name,CIDRs,Age",
        shown=("x", "10.96.0.0/16"), bad=({"spec": {"cidrs": ["here"]}}, "spec.cidrs[0]", 'Invalid value: "here": must be a valid CIDR'),
        fixed=({"spec": {"cidrs": ["10.97.0.0/16"]}}, "spec.cidrs[0]", 'Invalid value: ["10.97.0.0/16"]: field is immutable'),
    ),
    Case(
        key="csidrivers.storage.k8s.io", document={"spec": {}},
        defaults={"spec": {"attachRequired": True, "fsGroupPolicy": "ReadWriteOnceWithFSType", "podInfoOnMount": False,
                           "requiresRepublish": False, "seLinuxMount": False, "storageCapacity": False, "volumeLifecycleModes": ["Persistent"]}},
        columns="Name,AttachRequired,PodInfoOnMount,StorageCapacity,TokenRequests,RequiresRepublish,Modes,Age",
        shown=("x", True, False, False, "<unset>", False, "Persistent"),
        bad=({"spec": {"volumeLifecycleModes": ["Eternal"]}}, "spec.volumeLifecycleModes", 'Unsupported value: "Eternal"'),
        fixed=({"spec": {"attachRequired": False}}, "spec.attachRequired", "Invalid value: false: field is immutable"),
    ),
    Case(
        key="csinodes.storage.k8s.io", document={"spec": {"drivers": [{"name": "a", "nodeID": "n"}]}}, columns="Name,Drivers,Age",
        shown=("x", 1), bad=({"spec": {"drivers": [{"name": "a", "nodeID": ""}]}}, "spec.drivers[0].nodeID", "Required value"),
    ),
    Case(
        key="csistoragecapacities.storage.k8s.io", document={"storageClassName": "fast", "capacity": "1Gi"},
        columns="Name,StorageClassName,Capacity", shown=("x", "fast", "1Gi"),
        bad=({"capacity": "-1"}, "capacity", 'Invalid value: "-1": must be greater than or equal to 0'),
        fixed=({"storageClassName": "slow"}, "storageClassName", 'Invalid value: "slow": field is immutable'),
    ),
    Case(
        key="storageclasses.storage.k8s.io", document={"provisioner": "example.com/disks"},
        defaults={"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
        columns="Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age",
        shown=("x", "example.com/disks", "Delete", "Immediate", False),
        bad=({"volumeBindingMode": "Never"}, "volumeBindingMode", 'Unsupported value: "Never": supported values: "Immediate"'),
        fixed=({"provisioner": "example.com/new"}, "provisioner", "Forbidden: updates to provisioner are forbidden."),
    ),
    Case(
        key="volumeattachments.storage.k8s.io",
        document={"spec": {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "v"}}, "status": {"attached": True}},
        defaults={"status.attached": False}, columns="Name,Attacher,PV,Node,Attached,Age", shown=("x", "a", "v", "n", False),
        bad=({"spec": {"source": {"persistentVolumeName": None}}}, "spec.source", "Required value: must specify exactly one of"),
        fixed=({"spec": {"nodeName": "m"}}, "spec", "Invalid value: "),
    ),
    Case(
        key="certificatesigningrequests.certificates.k8s.io",
        document={"spec": {"request": REQUEST, "signerName": "example.com/ca", "usages": ["client auth"], "username": "root"}},
        defaults={"spec.username": "admin", "spec.groups": ["system:masters"]},
        columns="Name,Age,SignerName,Requestor,RequestedDuration,Condition", shown=("x", None, "example.com/ca", "admin", "<none>", "Pending"),
        bad=({"spec": {"expirationSeconds": 5}}, "spec.expirationSeconds", "Invalid value: 5: may not specify a duration less than 600"),
    ),
    Case(
        key="mutatingwebhookconfigurations.admissionregistration.k8s.io", document=webhooks(),
        defaults={"webhooks.0.failurePolicy": "Fail", "webhooks.0.matchPolicy": "Equivalent", "webhooks.0.timeoutSeconds": 10,
                  "webhooks.0.reinvocationPolicy": "Never", "webhooks.0.rules.0.scope": "*", "webhooks.0.objectSelector": {},
                  "webhooks.0.clientConfig.service.port": 443},
        columns="Name,Webhooks,Age", shown=("x", 1),
        bad=(webhooks(timeoutSeconds=31), "webhooks[0].timeoutSeconds", "Invalid value: 31: the timeout value must be between 1 and 30"),
    ),
    Case(
        key="validatingwebhookconfigurations.admissionregistration.k8s.io", document=webhooks(),
        defaults={"webhooks.0.failurePolicy": "Fail", "webhooks.0.namespaceSelector": {}}, columns="Name,Webhooks,Age", shown=("x", 1),
        bad=(webhooks(name="short"), "webhooks[0].name", 'Invalid value: "short": should be a domain with at least three segments'),
    ),
    Case(
        key="validatingadmissionpolicies.admissionregistration.k8s.io",
        document={"spec": {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}]}},
        defaults={"spec.failurePolicy": "Fail", "spec.matchConstraints.matchPolicy": "Equivalent",
                  "spec.matchConstraints.resourceRules.0.scope": "*"},
        columns="Name,Validations,ParamKind,Age", shown=("x", 1, "<unset>"),
        bad=({"spec": {"validations": [{"expression": " "}]}}, "spec.validations[0].expression", "Required value: expression is not specified"),
    ),
    Case(
        key="validatingadmissionpolicybindings.admissionregistration.k8s.io",
        document={"spec": {"policyName": "p", "validationActions": ["Deny"], "matchResources": {"resourceRules": [RULE]}}},
        defaults={"spec.matchResources.namespaceSelector": {}}, columns="Name,PolicyName,ParamRef,Age", shown=("x", "p", "<unset>"),
        bad=({"spec": {"validationActions": ["Deny", "Warn"]}}, "spec.validationActions", 'Invalid value: ["Deny","Warn"]: must not contain'),
    ),
    Case(
        key="apiservices.apiregistration.k8s.io", name="v1.example.com",
        document={"spec": {"group": "example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10,
                           "service": {"namespace": "default", "name": "api"}}},
        defaults={"spec.service.port": 443}, columns="Name,Service,Available,Age", shown=("v1.example.com", "default/api", "Unknown"),
        bad=({"spec": {"versionPriority": 1001}}, "spec.versionPriority", "Invalid value: 1001: must be positive and less than 1000"),
    ),
    Case(
        key="leases.coordination.k8s.io", document={"spec": {"holderIdentity": "me"}}, columns="Name,Holder,Age", shown=("x", "me"),
        bad=({"spec": {"leaseDurationSeconds": 0}}, "spec.leaseDurationSeconds", "Invalid value: 0: must be greater than 0"),
    ),
)  # fmt: skip
