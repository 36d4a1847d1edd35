"""StorageClass and the kinds by which storage drivers and Kubernetes meet: CSIDriver, CSINode, VolumeAttachment, CSIStorageCapacity."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import pod_spec, rules
from master.api.kinds.columns import AGE, NAME, Column, at, plain

IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"
RECLAIM = ("Delete", "Retain")
BINDING_MODES = ("Immediate", "WaitForFirstConsumer")


def _class_name(document: Document, now: float) -> str:
    name = document["metadata"]["name"]
    return f"{name} (default)" if (document["metadata"].get("annotations") or {}).get(IS_DEFAULT) == "true" else name


CLASS_COLUMNS = (
    Column("Name", _class_name, format="name", description="The object's name, unique within its namespace and kind."),
    plain("Provisioner", "provisioner", "Who makes its volumes."),
    plain("ReclaimPolicy", "reclaimPolicy", "What becomes of a volume when its claim goes.", absent="Delete"),
    plain("VolumeBindingMode", "volumeBindingMode", "When a volume is made.", absent="Immediate"),
    Column("AllowVolumeExpansion", lambda d, now: bool(d.get("allowVolumeExpansion")), type="string",
           description="Whether volumes may grow."),
    AGE,
)  # fmt: skip


def default_class(document: Document) -> None:
    document.setdefault("reclaimPolicy", "Delete")
    document.setdefault("volumeBindingMode", "Immediate")


def validate_class(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new)
    if not new.get("provisioner"):
        found.append(rules.required("provisioner"))
    found += rules.one_of("reclaimPolicy", new.get("reclaimPolicy"), RECLAIM)
    found += rules.one_of("volumeBindingMode", new.get("volumeBindingMode"), BINDING_MODES)
    if old is None:
        return found
    for name in ("parameters", "provisioner", "reclaimPolicy"):
        if (new.get(name) or None) != (old.get(name) or None):
            found.append(rules.forbidden(name, f"updates to {name} are forbidden."))
    return found + rules.immutable("volumeBindingMode", new.get("volumeBindingMode"), old.get("volumeBindingMode"))


def _flag(name: str, path: str, description: str) -> Column:
    return Column(name, lambda d, now: bool(at(d, path)), type="boolean", description=description)


def _audiences(document: Document, now: float) -> str:
    return ",".join(each.get("audience", "") for each in at(document, "spec.tokenRequests") or ()) or "<unset>"


DRIVER_COLUMNS = (
    NAME,
    _flag("AttachRequired", "spec.attachRequired", "Whether volumes are attached before they are mounted."),
    _flag("PodInfoOnMount", "spec.podInfoOnMount", "Whether the driver is told about the pod."),
    _flag("StorageCapacity", "spec.storageCapacity", "Whether the scheduler looks at the capacity."),
    Column("TokenRequests", _audiences, description="For whom the driver is given tokens."),
    _flag("RequiresRepublish", "spec.requiresRepublish", "Whether mounts are renewed from time to time."),
    Column("Modes", lambda d, now: ",".join(at(d, "spec.volumeLifecycleModes") or ()) or "<none>",
           description="Which lives of volumes it supports."),
    AGE,
)  # fmt: skip


def default_driver(document: Document) -> None:
    spec = document.setdefault("spec", {})
    for name, value in (("attachRequired", True), ("fsGroupPolicy", "ReadWriteOnceWithFSType"), ("podInfoOnMount", False),
                        ("requiresRepublish", False), ("seLinuxMount", False), ("storageCapacity", False)):  # fmt: skip
        spec.setdefault(name, value)
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def validate_driver(new: Document, old: Document | None) -> list[FieldCause]:
    spec, found = new.get("spec") or {}, rules.metadata(new)
    for mode in spec.get("volumeLifecycleModes") or ():
        found += rules.one_of("spec.volumeLifecycleModes", mode, ("Ephemeral", "Persistent"))
    policies = ("File", "None", "ReadWriteOnceWithFSType")
    found += rules.one_of("spec.fsGroupPolicy", spec.get("fsGroupPolicy"), policies)
    if old is None:
        return found
    for name in ("attachRequired", "volumeLifecycleModes"):
        found += rules.immutable(f"spec.{name}", spec.get(name), at(old, f"spec.{name}"))
    return found


NODE_COLUMNS = (
    NAME,
    Column("Drivers", lambda d, now: len(at(d, "spec.drivers") or ()), type="integer", description="How many drivers the node has."),
    AGE,
)


def validate_node(new: Document, old: Document | None) -> list[FieldCause]:
    found, names = rules.metadata(new), set()
    for i, driver in enumerate(at(new, "spec.drivers") or ()):
        place, name = f"spec.drivers[{i}]", driver.get("name", "")
        found += [rules.required(f"{place}.{field}") for field in ("name", "nodeID") if not driver.get(field)]
        if name in names:
            found.append(rules.duplicate(f"{place}.name", name))
        names.add(name)
    return found


ATTACHMENT_COLUMNS = (
    NAME,
    plain("Attacher", "spec.attacher", "The driver that attaches it."),
    plain("PV", "spec.source.persistentVolumeName", "The volume."),
    plain("Node", "spec.nodeName", "The node."),
    plain("Attached", "status.attached", "Whether it is attached.", absent=False, type="boolean"),
    AGE,
)


def default_attachment(document: Document) -> None:
    """A volume that is described in place has the defaults of its source, and of nothing else."""
    inline = ((document.get("spec") or {}).get("source") or {}).get("inlineVolumeSpec")
    if inline is not None:
        pod_spec.default_sources(inline)


def prepare_attachment(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {"attached": False}


def validate_attachment(new: Document, old: Document | None) -> list[FieldCause]:
    spec, found = new.get("spec") or {}, rules.metadata(new)
    found += [rules.required(f"spec.{field}") for field in ("attacher", "nodeName") if not spec.get(field)]
    source = spec.get("source") or {}
    if not source.get("persistentVolumeName") and source.get("inlineVolumeSpec") is None:
        found.append(rules.required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
    return found + (rules.immutable("spec", spec, old.get("spec")) if old is not None else [])


CAPACITY_COLUMNS = (
    NAME,
    plain("StorageClassName", "storageClassName", "The class of storage."),
    plain("Capacity", "capacity", "How much there is.", absent="<unset>"),
)


def validate_capacity(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new) + rules.label_selector("nodeTopology", new.get("nodeTopology"))
    found += rules.subdomain_name("storageClassName", new.get("storageClassName", ""))
    for name in ("capacity", "maximumVolumeSize"):
        if new.get(name) is not None:
            found += rules.quantity_at_least_0(name, new[name])
    if old is not None:
        for name in ("nodeTopology", "storageClassName"):
            found += rules.immutable(name, new.get(name), old.get(name))
    return found
