"""The ServiceAccount `default` in every namespace: pods that name no other are theirs.

Made when a namespace is, and again when it is deleted while its namespace stays. Its tokens are not this controller's business.
"""

from __future__ import annotations

from common.objects import meta
from common.objects.cluster import Namespace
from master.api.contract import Actor, CreateObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, itself
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:service-account-controller", Role.SERVICE_ACCOUNT)
NAME = "default"


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    namespace = view.get(Namespace, key)
    if namespace is None or namespace.metadata.deletion_timestamp is not None:
        return NOTHING
    if view.get(meta.Object, Ref("serviceaccounts", NAME, key.name)) is not None:
        return NOTHING
    document = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": key.name}}
    why = f"namespace {key.name} has no ServiceAccount {NAME}"
    return Outcome((CreateObject("serviceaccounts", key.name, document, cause(ACTOR, "DefaultServiceAccount", why, namespace)),))


def of_account(view: ReadView, seen: Seen) -> list[Ref]:
    return [Ref("namespaces", seen.ref.namespace)] if seen.new is None and seen.ref.name == NAME else []


CONTROLLER = Controller(
    "serviceaccount-controller", ACTOR, {"namespaces": itself, "serviceaccounts": of_account}, reconcile, workers=1
)
