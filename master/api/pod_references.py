"""What a pod names: ConfigMaps, Secrets, its runtime class, and claims. Pure.

Two ask: dispatch, which sends a node the ConfigMaps and Secrets of its pods and no others, and the node authorizer, which lets a node read
those that its pods name and no others. So there is one answer.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from common.objects.pod import Pod

CLAIM = "PersistentVolumeClaim"
RESOURCES = {
    "ConfigMap": "configmaps", "Secret": "secrets", "PersistentVolumeClaim": "persistentvolumeclaims",
    "RuntimeClass": "runtimeclasses.node.k8s.io",
}  # fmt: skip


class ConfigRef(msgspec.Struct, frozen=True, order=True):
    kind: str
    namespace: str
    name: str


def configs_named(pod: Pod) -> tuple[ConfigRef, ...]:
    """Every ConfigMap and Secret that the pod's environment, volumes and image pulls name, and its RuntimeClass, in order."""
    namespace = pod.metadata.namespace
    found = {ConfigRef(kind, namespace, name): None for kind, name in _configs(pod)}
    if pod.spec.runtime_class_name:
        found[ConfigRef("RuntimeClass", "", pod.spec.runtime_class_name)] = None
    return tuple(sorted(found))


def held_with(pod: Pod) -> tuple[ConfigRef, ...]:
    """All that its node needs to run it: these, and its claims."""
    claims = (ConfigRef(CLAIM, pod.metadata.namespace, name) for name in sorted(claims_named(pod)))
    return (*configs_named(pod), *claims) if pod.spec.volumes else configs_named(pod)


def claims_named(pod: Pod) -> frozenset[str]:
    """The names of its PersistentVolumeClaims; an ephemeral volume's claim is named after both."""
    found = [_name(volume.get("persistentVolumeClaim"), "claimName") for volume in pod.spec.volumes]
    found += [f"{pod.metadata.name}-{volume.get('name', '')}" for volume in pod.spec.volumes if volume.get("ephemeral") is not None]
    return frozenset(found) - {""}


def _name(reference: object, field: str = "name") -> str:
    named = reference.get(field) if isinstance(reference, dict) else None
    return named if isinstance(named, str) else ""


def _configs(pod: Pod) -> Iterator[tuple[str, str]]:
    for kind, name in _references(pod):
        if name:
            yield kind, name


def _references(pod: Pod) -> Iterator[tuple[str, str]]:
    for container in pod.spec.every_container:
        for variable in container.env:
            if variable.value_from is not None:
                yield "ConfigMap", _name(variable.value_from.config_map_key_ref)
                yield "Secret", _name(variable.value_from.secret_key_ref)
        for source in container.env_from:
            yield "ConfigMap", _name(source.config_map_ref)
            yield "Secret", _name(source.secret_ref)
    for volume in pod.spec.volumes:
        if "configMap" in volume:
            yield "ConfigMap", _name(volume["configMap"])
        if "secret" in volume:
            yield "Secret", _name(volume["secret"], "secretName")
        for projection in (volume.get("projected") or {}).get("sources") or ():
            yield "ConfigMap", _name(projection.get("configMap"))
            yield "Secret", _name(projection.get("secret"))
    for pull in pod.spec.image_pull_secrets:
        yield "Secret", _name(pull)
