"""APIServices: those of custom resources come and go with their definitions, and each says whether it can be reached.

    a definition is established, or goes ──► the APIService of its group and version is made, or removed
    an APIService without a service       ──► Available=True, reason Local
    an APIService with one                ──► Available=False: requests are not passed on to other servers

Those that people made stay theirs: only what carries the label of the automatic ones is removed, and nothing is put back into a spec.
"""

from __future__ import annotations

from common.objects import meta
from common.objects.apiservice import APIService
from common.objects.customresource import CustomResourceDefinition
from master.api.apiservices import ALWAYS, AUTOMANAGED, KEY, document, name_of
from master.api.contract import Actor, CreateObject, DeleteObject, PatchObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, condition_document, itself, timestamp
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:apiservice-registration-controller", Role.APISERVICE)
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
AVAILABLE = "Available"


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    item, definition = view.get(APIService, key), _served_by(view, key.name)
    if item is None:
        if definition is None:
            return NOTHING
        why = f"the definition {definition.metadata.name} serves it"
        version, _, group = key.name.partition(".")
        made = document(group, version, automanaged=ALWAYS)
        return Outcome((CreateObject(KEY, "", made, cause(ACTOR, "Served", why, definition)),))
    if definition is None and item.metadata.labels.get(AUTOMANAGED) == ALWAYS and item.spec.service is None:
        why = f"no definition serves {key.name} any more"
        return Outcome((DeleteObject(key, cause(ACTOR, "NotServed", why, item), uid=item.metadata.uid),))
    return _told(key, item, now)


def _served_by(view: ReadView, name: str) -> CustomResourceDefinition | None:
    for definition in view.list(CustomResourceDefinition, DEFINITIONS):
        if definition.is_true("Established") and name in _names(definition):
            return definition
    return None


def _names(definition: CustomResourceDefinition) -> list[str]:
    return [name_of(definition.spec.group, version.name) for version in definition.spec.versions if version.served]


def _told(key: Ref, item: APIService, now: float) -> Outcome:
    """The condition as it should be, if it is another one."""
    service = item.spec.service
    if service is None:
        status, reason, message = "True", "Local", "Local APIServices are always available"
    else:
        status, reason = "False", "AggregationNotSupported"
        message = (
            f'requests for {item.spec.group}/{item.spec.version} are not passed on to service/{service.name} in "{service.namespace}": '
            "this API server does not aggregate others"
        )
    old = next((one for one in item.status.conditions if one.type == AVAILABLE), None)
    if old is not None and (old.status, old.reason, old.message) == (status, reason, message):
        return NOTHING
    since = old.last_transition_time if old is not None and old.status == status else timestamp(now)
    condition = meta.Condition(AVAILABLE, status, reason, message, last_transition_time=since)
    others = [condition_document(one) for one in item.status.conditions if one.type != AVAILABLE]
    patch = {"status": {"conditions": [*others, condition_document(condition)]}}
    why = f"{key.name} is {'local' if service is None else 'of another server'}"
    return Outcome((PatchObject(key, patch, cause(ACTOR, reason, why, item), subresource="status", uid=item.metadata.uid),))


def of_definition(view: ReadView, seen: Seen) -> list[Ref]:
    definitions = [version for version in seen.versions if isinstance(version, CustomResourceDefinition)]
    return [Ref(KEY, name) for name in dict.fromkeys(name for definition in definitions for name in _names(definition))]


CONTROLLER = Controller(
    "apiservice-registration-controller", ACTOR, {KEY: itself, DEFINITIONS: of_definition}, reconcile, workers=1
)
