"""Creates and updates: names, system fields, generations, revisions, what may not change, and what a dry run leaves behind."""

from __future__ import annotations


import pytest

from tests.certificate_requests import asked
from tests.master.semantics.ground import (
    ABSENT, APPLY, JSON_PATCH, MERGE, STRATEGIC, Case, Ground, answered, config, deployment, ids, invalid, pod, refused, with_meta,
)  # fmt: skip

POST, PUT = "POST {n}/configmaps", "PUT {n}/configmaps/c"
MADE, POD, DEPLOYED = (POST, config()), ("POST {n}/pods", pod()), ("POST {apps}/deployments", deployment())
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
    "character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SERVICE_LABEL = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an "
    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
KEY = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
STALE = "the object has been modified; please apply your changes to the latest version and try again"


def wrong(name: str, cause: str, field: str, document: dict, of: str = 'ConfigMap "c"', ask: str = POST, **more: object) -> Case:
    reason, _, message = cause.partition("|")
    return invalid(name, ask, document, of=of, causes=[(f"FieldValue{reason}", field, message)], **more)


TEMPLATED = deployment(template={"metadata": {"labels": {"app": "d", "x": "a b"}}, "spec": {"containers": [{"name": "main", "image": "web:1"}]}})
REQUEST = asked("jane")
CSR = {"metadata": {"name": "Csr:{ns}"}, "spec": {"request": REQUEST, "signerName": "example.com/x", "usages": ["client auth"]}}
NAMES = [
    wrong("a name with capitals", f'Invalid|Invalid value: "Web": {SUBDOMAIN}', "metadata.name", config("Web"), 'ConfigMap "Web"'),
    wrong("a name that is too long", f'Invalid|Invalid value: "{"a" * 254}": must be no more than 253 bytes', "metadata.name", config("a" * 254),
          f'ConfigMap "{"a" * 254}"'),
    wrong("no name", "Required|Required value: name or generateName is required", "metadata.name", {"metadata": {}}, 'ConfigMap ""'),
    wrong("a namespace with a dot", f'Invalid|Invalid value: "a.b": {LABEL}', "metadata.name", {"metadata": {"name": "a.b"}}, 'Namespace "a.b"',
          "POST /api/v1/namespaces"),
    wrong("a service that begins with a digit", f'Invalid|Invalid value: "1a": {SERVICE_LABEL}', "metadata.name",
          {"metadata": {"name": "1a"}, "spec": {"ports": [{"port": 80}]}}, 'Service "1a"', "POST {n}/services"),
    wrong("a role with a slash", "Invalid|Invalid value: \"a/b\": may not contain '/'", "metadata.name", {"metadata": {"name": "a/b"}, "rules": []},
          'Role.rbac.authorization.k8s.io "a/b"', "POST /apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles"),
    answered("a request for a certificate of any name", "POST /apis/certificates.k8s.io/v1/certificatesigningrequests", CSR, code=201, shows={"metadata.name": "Csr:{ns}"}),
    invalid("labels of a template", "POST {apps}/deployments", TEMPLATED, of='Deployment.apps "d"', causes=[
        ("FieldValueInvalid", "spec.template.labels", f'Invalid value: "a b": {VALUE}'),
    ]),
    answered("a prefix", POST, {"metadata": {"generateName": "web-"}}, code=201, shows={"metadata.generateName": "web-"}),
    refused("a name that is taken", POST, config(), code=409, reason="AlreadyExists", message='configmaps "c" already exists', given=[MADE],
            details={"name": "c", "kind": "configmaps"}),
    refused("a name that is on its way out", POST, config(), code=409, reason="AlreadyExists",
            message='object is being deleted: configmaps "c" already exists',
            given=[(POST, with_meta(config(), finalizers=["example.com/hold"])), ("DELETE {n}/configmaps/c",)]),
]  # fmt: skip

OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u1"}
TWO_IN_CONTROL = (
    'Invalid value: [{"apiVersion":"v1","kind":"Node","name":"n","uid":"u1","controller":true},'
    '{"apiVersion":"v1","kind":"Node","name":"n","uid":"u2","controller":true}]: Only one reference can have Controller set to true. '
    'Found "true" in references for Node/n and Node/n'
)
METADATA = [
    wrong("a label's value", f'Invalid|Invalid value: "a b": {VALUE}', "metadata.labels", with_meta(config(), labels={"a": "a b"})),
    wrong("a label's key", f'Invalid|Invalid value: "-a": {KEY}', "metadata.labels", with_meta(config(), labels={"-a": ""})),
    wrong("an annotation's key", f'Invalid|Invalid value: "a b": {KEY}', "metadata.annotations", with_meta(config(), annotations={"a b": ""})),
    wrong("annotations that are too long", "TooLong|Too long: may not be more than 262144 bytes", "metadata.annotations",
          with_meta(config(), annotations={"a": "x" * 262144})),
    wrong("a finalizer without a domain", 'Invalid|Invalid value: "hold": name is neither a standard finalizer name nor is it fully qualified',
          "metadata.finalizers[0]", with_meta(config(), finalizers=["hold"])),
    wrong("two finalizers that exclude each other",
          'Invalid|Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
          "metadata.finalizers", with_meta(config(), finalizers=["orphan", "foregroundDeletion"])),
    answered("an owner who is named twice", POST, with_meta(config(), ownerReferences=[OWNER, OWNER]), code=201,
             shows={"metadata.ownerReferences": [OWNER]}, warnings=(
        ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early "
        "as 1.24; please fix your requests; duplicate UID(s) observed: u1",
    )),
    invalid("two owners in control", POST, with_meta(config(), ownerReferences=[{**OWNER, "controller": True}, {**OWNER, "uid": "u2", "controller": True}]),
            of='ConfigMap "c"', causes=[("FieldValueInvalid", "metadata.ownerReferences", TWO_IN_CONTROL)]),
    invalid("an owner who is nobody", POST, with_meta(config(), ownerReferences=[{"apiVersion": "", "kind": "", "name": "", "uid": ""}]),
            of='ConfigMap "c"', causes=[
        ("FieldValueInvalid", "metadata.ownerReferences.apiVersion", 'Invalid value: "": version must not be empty'),
        ("FieldValueInvalid", "metadata.ownerReferences.kind", 'Invalid value: "": must not be empty'),
        ("FieldValueInvalid", "metadata.ownerReferences.name", 'Invalid value: "": must not be empty'),
        ("FieldValueInvalid", "metadata.ownerReferences.uid", 'Invalid value: "": must not be empty'),
    ]),
]  # fmt: skip

SYSTEM = {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "deletionTimestamp": "2001-01-01T00:00:00Z", "deletionGracePeriodSeconds": 5,
          "generation": 9, "selfLink": "/mine"}  # fmt: skip
MANAGED = [{"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}]
FIELDS_OF_THE_SERVER = [
    answered("at a create", "POST {apps}/deployments", with_meta(deployment(), **SYSTEM), code=201, shows={
        "metadata.generation": 1, "metadata.deletionTimestamp": ABSENT, "metadata.deletionGracePeriodSeconds": ABSENT, "metadata.selfLink": ABSENT,
    }),
    refused("a revision at a create", POST, with_meta(config(), resourceVersion="5"), code=400, reason="BadRequest",
            message="resourceVersion should not be set on objects to be created"),
    answered("a revision of nought at a create", POST, with_meta(config(), resourceVersion="0"), code=201),
    answered("at an update", "PUT {apps}/deployments/d", with_meta(deployment(), creationTimestamp="2001-01-01T00:00:00Z", generation=9, selfLink="/x"),
             given=[DEPLOYED], shows={"metadata.generation": 1, "metadata.selfLink": ABSENT}),
    invalid("a deletion at an update", PUT, with_meta(config(), deletionTimestamp="2001-01-01T00:00:00Z", deletionGracePeriodSeconds=5),
            given=[MADE], of='ConfigMap "c"', causes=[
        ("FieldValueInvalid", "metadata.deletionTimestamp", "Invalid value: 2001-01-01 00:00:00 +0000 UTC: field is immutable"),
        ("FieldValueInvalid", "metadata.deletionGracePeriodSeconds", "Invalid value: 5: field is immutable"),
    ]),
    refused("another uid at an update", PUT, with_meta(config(), uid="mine"), given=[MADE], code=409, reason="Conflict",
            message='Operation cannot be fulfilled on configmaps "c": Precondition failed: UID in precondition: mine, UID in object meta:…'),
    answered("owners of fields that a client made up", POST, with_meta(config(), managedFields=MANAGED), code=201,
             shows={"metadata.managedFields.0.manager": "Python"}),
    answered("no owners of fields any more", "PUT {n}/configmaps/c?fieldManager=you", with_meta(config(), managedFields=[]), given=[MADE],
             shows={"metadata.managedFields": ABSENT}),
    answered("status at a create", "POST {n}/pods", {**pod(), "status": {"phase": "Running", "podIP": "1.2.3.4"}}, code=201,
             shows={"status.phase": "Pending", "status.podIP": ABSENT}),
    answered("status at an update", "PATCH {n}/pods/p", {"status": {"phase": "Running"}, "metadata": {"labels": {"a": "b"}}}, {"Content-Type": MERGE},
             given=[POD], shows={"status.phase": "Pending", "metadata.labels.a": "b"}),
    answered("all but status at its subresource", "PATCH {n}/pods/p/status", {"status": {"podIP": "1.2.3.4"}, "spec": {"nodeName": "n"}}, {"Content-Type": MERGE},
             given=[POD], shows={"status.podIP": "1.2.3.4", "spec.nodeName": ABSENT}),
    answered("labels come along with the status of core kinds", "PATCH {n}/pods/p/status", {"metadata": {"labels": {"a": "b"}, "finalizers": ["a/b"]}},
             {"Content-Type": MERGE}, given=[POD], shows={"metadata.labels": {"a": "b"}, "metadata.finalizers": ABSENT}),
]  # fmt: skip

BOUND = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
LEASES, SLOW = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases", {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {}}}
UNCONDITIONAL = [("FieldValueInvalid", "metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update")]
REVISIONS = [
    refused("an old one", PUT, with_meta(config(), resourceVersion="1"), given=[MADE], code=409, reason="Conflict",
            message=f'Operation cannot be fulfilled on configmaps "c": {STALE}', details={"name": "c", "kind": "configmaps"}),
    refused("an old one in a patch", "PATCH {n}/configmaps/c", {"metadata": {"resourceVersion": "1"}}, {"Content-Type": MERGE}, given=[MADE], code=409,
            reason="Conflict", message=f'Operation cannot be fulfilled on configmaps "c": {STALE}'),
    answered("none, where it is not needed", PUT, config(data={"color": "red"}), given=[MADE], shows={"data.color": "red"}),
    invalid("none, where it is needed", f"PUT {LEASES}/l", BOUND, given=[(f"POST {LEASES}", BOUND)], of='leases.coordination.k8s.io "l"', causes=UNCONDITIONAL,
            details={"kind": "leases", "group": "coordination.k8s.io", "name": "l"}),
    invalid("none for a budget", "PUT /apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/b", SLOW,
            given=[("POST /apis/policy/v1/namespaces/{ns}/poddisruptionbudgets", SLOW)], of='poddisruptionbudgets.policy "b"', causes=UNCONDITIONAL),
    answered("a patch needs none", f"PATCH {LEASES}/l", {"spec": {"holderIdentity": "you"}}, {"Content-Type": MERGE}, given=[(f"POST {LEASES}", BOUND)],
             shows={"spec.holderIdentity": "you"}),
    answered("an update makes a lease that is not there", f"PUT {LEASES}/l", BOUND, code=201, shows={"metadata.name": "l"}),
    refused("but of no other kind", PUT, config(), code=404, reason="NotFound", message='configmaps "c" not found'),
    refused("and not by another name", f"PUT {LEASES}/m", BOUND, code=400, reason="BadRequest",
            message="the name of the object (l) does not match the name on the URL (m)"),
]  # fmt: skip

SELECTOR = {"matchLabels": {"app": "d", "more": "x"}}
OTHER_TEMPLATE = {"metadata": {"labels": {"app": "d", "more": "x"}}, "spec": {"containers": [{"name": "main", "image": "web:1"}]}}
POD_UPDATE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)"
)
FOR_EVER = [
    wrong("a deployment's selector", 'Invalid|Invalid value: {"matchLabels":{"app":"d","more":"x"}}: field is immutable', "spec.selector",
          deployment(selector=SELECTOR, template=OTHER_TEMPLATE), 'Deployment.apps "d"', "PUT {apps}/deployments/d", given=[DEPLOYED]),
    invalid("a pod's command", "PATCH {n}/pods/p", {"spec": {"containers": [{"name": "main", "command": ["x"]}]}}, {"Content-Type": STRATEGIC}, given=[POD],
            of='Pod "p"', causes=[("FieldValueForbidden", "spec", f"Forbidden: {POD_UPDATE}")]),
    invalid("where a pod is", "PATCH {n}/pods/p", {"spec": {"nodeName": "n9"}}, {"Content-Type": MERGE}, given=[POD], of='Pod "p"',
            causes=[("FieldValueForbidden", "spec", f"Forbidden: {POD_UPDATE}")]),
    invalid("a uid in a patch", "PATCH {n}/configmaps/c", {"metadata": {"uid": "mine"}}, {"Content-Type": MERGE}, given=[MADE], of='ConfigMap "c"',
            causes=[("FieldValueInvalid", "metadata.uid", 'Invalid value: "mine": field is immutable')]),
    wrong("an event about another namespace's", 'Invalid|Invalid value: "": does not match event.namespace', "involvedObject.namespace",
          {"metadata": {"name": "e"}}, 'Event "e"', "POST {n}/events"),
    wrong("a key of two dots", "Invalid|Invalid value: \"..\": must not be '..'", "data[..]", config(data={"..": ""})),
    wrong("a key that begins with two dots", "Invalid|Invalid value: \"..a\": must not start with '..'", "data[..a]", config(data={"..a": ""})),
    answered("but a pod's image may", "PATCH {n}/pods/p", {"spec": {"containers": [{"name": "main", "image": "web:2"}]}}, {"Content-Type": STRATEGIC},
             given=[POD], shows={"spec.containers.0.image": "web:2"}),
    invalid("data that were said to be so", PUT, config(data={"color": "red"}), given=[(POST, config(immutable=True))], of='ConfigMap "c"', causes=[
        ("FieldValueForbidden", "immutable", "Forbidden: field is immutable when `immutable` is set"),
        ("FieldValueForbidden", "data", "Forbidden: field is immutable when `immutable` is set"),
    ]),
    wrong("a secret's type", 'Invalid|Invalid value: "a/b": field is immutable', "type", {"metadata": {"name": "s"}, "type": "a/b"}, 'Secret "s"', "PUT {n}/secrets/s",
          given=[("POST {n}/secrets", {"metadata": {"name": "s"}})]),
    wrong("where a binding leads", 
          'Invalid|Invalid value: rbac.RoleRef{APIGroup:"rbac.authorization.k8s.io", Kind:"Role", Name:"b"}: cannot change roleRef', "roleRef",
          {"metadata": {"name": "x"}, "roleRef": {"kind": "Role", "name": "b"}}, 'RoleBinding.rbac.authorization.k8s.io "x"',
          "PUT /apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings/x",
          given=[("POST /apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings", {"metadata": {"name": "x"}, "roleRef": {"kind": "Role", "name": "a"}})]),
]  # fmt: skip

GONE = (("{n}/configmaps/d", {"code": 404}),)
BLUE, THERE = (("{n}/configmaps/c", {"data.color": "blue"}),), (("{n}/configmaps/c", {"code": 200}),)
RED = {"data": {"color": "red"}}
DRY_RUNS = [
    answered("a create", POST + "?dryRun=All", config("d"), code=201, shows={"metadata.name": "d", "metadata.resourceVersion": ABSENT}, after=GONE),
    refused("a create of what is there", POST + "?dryRun=All", config(), given=[MADE], code=409, reason="AlreadyExists", message='configmaps "c" already exists'),
    refused("a create that is refused", POST + "?dryRun=All", config("D"), code=422, reason="Invalid", message='ConfigMap "D" is invalid:…', causes=[
        ("FieldValueInvalid", "metadata.name", f'Invalid value: "D": {SUBDOMAIN}'),
    ]),
    answered("an update", PUT + "?dryRun=All", config(**RED), given=[MADE], shows={"data.color": "red"}, after=BLUE),
    answered("a merge patch", "PATCH {n}/configmaps/c?dryRun=All", RED, {"Content-Type": MERGE}, given=[MADE], shows={"data.color": "red"}, after=BLUE),
    answered("a strategic patch", "PATCH {n}/configmaps/c?dryRun=All", RED, {"Content-Type": STRATEGIC}, given=[MADE], shows={"data.color": "red"}, after=BLUE),
    answered("a JSON patch", "PATCH {n}/configmaps/c?dryRun=All", [{"op": "remove", "path": "/data"}], {"Content-Type": JSON_PATCH}, given=[MADE],
             shows={"data": ABSENT}, after=BLUE),
    answered("an apply", "PATCH {n}/configmaps/c?dryRun=All&fieldManager=me&force=true", config(**RED), {"Content-Type": APPLY}, given=[MADE],
             shows={"data.color": "red"}, after=BLUE),
    answered("an apply of what is not there", "PATCH {n}/configmaps/d?dryRun=All&fieldManager=me", config("d"), {"Content-Type": APPLY}, code=201, after=GONE),
    answered("a deletion", "DELETE {n}/configmaps/c?dryRun=All", given=[MADE], shows={"status": "Success"}, after=THERE),
    answered("a deletion by its body", "DELETE {n}/configmaps/c", {"dryRun": ["All"]}, given=[MADE], shows={"status": "Success"}, after=THERE),
    answered("a deletion of all", "DELETE {n}/configmaps?dryRun=All", given=[MADE], shows={"items.0.metadata.name": "c"}, after=THERE),
    answered("a scale", "PATCH {apps}/deployments/d/scale?dryRun=All", {"spec": {"replicas": 7}}, {"Content-Type": MERGE}, given=[DEPLOYED],
             shows={"spec.replicas": 7}, after=(("{apps}/deployments/d", {"spec.replicas": 1}),)),
    answered("a binding", "POST {n}/pods/p/binding?dryRun=All", {"target": {"name": "n"}}, given=[POD], code=201,
             after=(("{n}/pods/p", {"spec.nodeName": ABSENT}),)),
    answered("an eviction", "POST {n}/pods/p/eviction?dryRun=All", {"metadata": {"name": "p"}}, given=[POD], code=201, after=(("{n}/pods/p", {"code": 200}),)),
    answered("a status", "PATCH {n}/pods/p/status?dryRun=All", {"status": {"podIP": "1.2.3.4"}}, {"Content-Type": MERGE}, given=[POD],
             shows={"status.podIP": "1.2.3.4"}, after=(("{n}/pods/p", {"status.podIP": ABSENT}),)),
]  # fmt: skip


REQUIRED, LABELS = "Required value", "`selector` does not match template `labels`"
NO_SELECTOR, NO_LABELS = ("FieldValueRequired", "spec.selector", REQUIRED), ("FieldValueInvalid", "spec.template.metadata.labels", f"Invalid value: map[string]string(nil): {LABELS}")
NO_CONTAINERS = ("FieldValueRequired", "spec.template.spec.containers", REQUIRED)
OTHER_LABELS = ("FieldValueInvalid", "spec.template.metadata.labels", f'Invalid value: map[string]string{{"app":"d"}}: {LABELS}')
TEMPLATE = deployment()["spec"]["template"]


def lacking(name: str, path: str, of: str, causes: list, **spec: object) -> Case:
    return invalid(name, f"POST {path}", {"metadata": {"name": "d"}, "spec": spec}, of=f'{of} "d"', causes=causes)


def hurried(path: str, kind: str, said: str) -> Case:
    template = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "activeDeadlineSeconds": 5}}
    causes = [("FieldValueForbidden", "spec.template.spec.activeDeadlineSeconds", f"Forbidden: activeDeadlineSeconds in {said} is not Supported")]
    return lacking(f"pods of a {kind} have no end", path, kind, causes, selector={"matchLabels": {"app": "d"}}, template=template)


WORKLOADS = [
    lacking("a deployment of nothing", "{apps}/deployments", "Deployment.apps", [NO_SELECTOR, NO_LABELS, NO_CONTAINERS]),
    lacking("one without a selector", "{apps}/deployments", "Deployment.apps", [NO_SELECTOR, OTHER_LABELS], template=TEMPLATE),
    lacking("one without containers", "{apps}/replicasets", "ReplicaSet.apps", [NO_CONTAINERS], selector={"matchLabels": {"app": "d"}},
            template={"metadata": TEMPLATE["metadata"]}),
    lacking("a daemon set without a selector", "{apps}/daemonsets", "DaemonSet.apps", [OTHER_LABELS], template=TEMPLATE),
    lacking("a stateful set without a selector", "{apps}/statefulsets", "StatefulSet.apps", [NO_SELECTOR, OTHER_LABELS], template=TEMPLATE),
    lacking("a controller without a template", "{n}/replicationcontrollers", "ReplicationController", [NO_SELECTOR, ("FieldValueRequired", "spec.template", REQUIRED)]),
    lacking("a job of nothing", "/apis/batch/v1/namespaces/{ns}/jobs", "Job.batch", [
        NO_CONTAINERS, ("FieldValueRequired", "spec.template.spec.restartPolicy", 'Required value: valid values: "OnFailure", "Never"'),
    ]),
    lacking("a scaler of nothing", "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers", "HorizontalPodAutoscaler.autoscaling", [
        ("FieldValueInvalid", "spec.maxReplicas", "Invalid value: 0: must be greater than 0"),
        ("FieldValueRequired", "spec.scaleTargetRef.kind", REQUIRED), ("FieldValueRequired", "spec.scaleTargetRef.name", REQUIRED),
    ]),
    lacking("containers without a name and an image", "{n}/pods", "Pod", [
        ("FieldValueRequired", "spec.containers[0].name", REQUIRED), ("FieldValueRequired", "spec.containers[0].image", REQUIRED),
    ], containers=[{}]),
    hurried("{apps}/deployments", "Deployment.apps", "ReplicaSet"),
    hurried("{apps}/daemonsets", "DaemonSet.apps", "DaemonSet"),
    hurried("{apps}/statefulsets", "StatefulSet.apps", "StatefulSet"),
]  # fmt: skip


@pytest.mark.parametrize("case", [*NAMES, *METADATA, *FIELDS_OF_THE_SERVER, *REVISIONS, *FOR_EVER, *DRY_RUNS, *WORKLOADS], ids=ids)
def test_writing(ground: Ground, case: Case) -> None:
    ground.play(case)


def test_a_prefix_is_checked_as_a_name_that_goes_on(ground: Ground) -> None:
    code, body, _ = ground.ask(f"POST /api/v1/namespaces/{ground.namespace()}/configmaps", {"metadata": {"generateName": "We_"}})
    causes = body["details"]["causes"]
    assert (code, [cause["field"] for cause in causes]) == (422, ["metadata.generateName", "metadata.name"])
    assert causes[0]["message"] == f'Invalid value: "We_": {SUBDOMAIN}'
    assert causes[1]["message"].startswith('Invalid value: "We_')


def test_a_generated_name_ends_in_five_letters_and_is_new_each_time(ground: Ground) -> None:
    path = f"/api/v1/namespaces/{ground.namespace()}/configmaps"
    made = [ground.made(f"POST {path}", {"metadata": {"generateName": "a" * 70}})["metadata"]["name"] for _ in range(2)]
    assert made[0] != made[1] and all(name[:58] == "a" * 58 and len(name) == 63 for name in made)


def test_a_generation_counts_the_changes_of_the_spec_alone(ground: Ground) -> None:
    path = f"/apis/apps/v1/namespaces/{ground.namespace()}/deployments"
    ground.made(f"POST {path}", deployment())
    seen = []
    for what, body in (
        ("", {"metadata": {"labels": {"a": "b"}}}), ("", {"spec": {"replicas": 2}}), ("", {"spec": {"replicas": 2}}),
        ("/status", {"status": {"replicas": 2}}), ("/scale", {"spec": {"replicas": 3}}), ("", {"spec": {"paused": True}}),
    ):  # fmt: skip
        ground.made(f"PATCH {path}/d{what}", body, {"Content-Type": MERGE})
        seen.append(ground.get(f"{path}/d")["metadata"]["generation"])
    assert seen == [1, 2, 2, 2, 3, 4]


def test_a_write_that_changes_nothing_has_no_new_revision(ground: Ground) -> None:
    path = f"/api/v1/namespaces/{ground.namespace()}/configmaps"
    made = ground.made(f"POST {path}", config())
    assert ground.made(f"PUT {path}/c", made) == made
    assert ground.made(f"PATCH {path}/c", {"data": {"color": "blue"}}, {"Content-Type": MERGE}) == made
