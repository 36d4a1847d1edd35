"""The ConfigMap `kube-root-ca.crt` in every namespace: by it pods know the API's server, as their token lets the server know them.

Made when a namespace is, again when it is deleted while its namespace stays, and put right when somebody changed it.
"""

from __future__ import annotations

from functools import partial

from common.objects import meta
from common.objects.cluster import Namespace
from master.api.contract import Actor, CreateObject, PatchObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, itself, revision
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:root-ca-cert-publisher", Role.ROOT_CA)
NAME, KEY = "kube-root-ca.crt", "ca.crt"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP "
    "or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)


class _ConfigMap(meta.View):
    metadata: meta.Meta
    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}


def reconcile(ca: str, view: ReadView, key: Ref, now: float) -> Outcome:
    namespace = view.get(Namespace, key)
    if namespace is None or namespace.metadata.deletion_timestamp is not None:
        return NOTHING
    ref = Ref("configmaps", NAME, key.name)
    standing, wanted = view.get(_ConfigMap, ref), {KEY: ca}
    if standing is None:
        about = {"name": NAME, "namespace": key.name, "annotations": {"kubernetes.io/description": DESCRIPTION}}
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": wanted}
        why = f"namespace {key.name} has no ConfigMap {NAME}"
        return Outcome((CreateObject("configmaps", key.name, document, cause(ACTOR, "PublishRootCA", why, namespace)),))
    if standing.data == wanted and not standing.binary_data:
        return NOTHING
    others = {name: None for name in standing.data if name != KEY}
    patch = {"data": {**others, **wanted}, "binaryData": None}
    why = f"ConfigMap {NAME} is not as the cluster's CA is"
    return Outcome((PatchObject(
        ref, patch, cause(ACTOR, "PublishRootCA", why, standing), uid=standing.metadata.uid, expected=revision(standing)
    ),))  # fmt: skip


def of_config_map(view: ReadView, seen: Seen) -> list[Ref]:
    return [Ref("namespaces", seen.ref.namespace)] if seen.ref.name == NAME else []


def controller(ca: str) -> Controller:
    """ca: its certificate as PEM."""
    return Controller(
        "root-ca-certificate-publisher-controller", ACTOR, {"namespaces": itself, "configmaps": of_config_map}, partial(reconcile, ca),
        workers=1,
    )  # fmt: skip
