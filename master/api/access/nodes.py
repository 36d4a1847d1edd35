"""What a node's own credentials open: Kubernetes' node authorizer. RBAC is asked besides, so more can be given to one node by a binding.

A node identity is the user `system:node:NAME` in the group `system:nodes`. The kinds and verbs are those of the ClusterRole `system:node`,
which is bound to nobody; of them, a node reaches:

    nodes, leases                              its own
    pods                                       those bound to it; lists with the field selector spec.nodeName=NAME
    secrets, configmaps, claims, volumes       those that its pods name, one by one
    serviceaccounts/token                      of the accounts that its pods run as
    services, events, …                        as the role says

What the content of a write may be is `node_restriction.py`'s. Agents have such credentials and use none of this: they report through
dispatch, which has checked whose pod it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import msgspec

from common.objects import meta, selectors
from common.objects.access import PolicyRule
from common.objects.pod import Pod
from master.api.access import default_roles, rules
from master.api.access.rules import Access
from master.api.contract import Actor, Ref, Role, Views
from master.api.pod_references import claims_named, configs_named

GROUP, PREFIX = "system:nodes", "system:node:"
LEASES = "kube-node-lease"
UNRELATED = "no relationship found between node '{node}' and this object"
READS = ("get", "list", "watch")


def node_of(actor: Actor) -> str:
    """The node whose credentials these are, or ""."""
    return actor.name.removeprefix(PREFIX) if actor.name.startswith(PREFIX) and GROUP in actor.groups else ""


@functools.cache
def _node_rules() -> tuple[rules.Rule, ...]:
    role = next(default for default in default_roles.PEOPLE if default.name == "system:node")
    return tuple(rules.ready(msgspec.convert(rule, PolicyRule)) for rule in role.rules)


class _ClaimRef(meta.View):
    namespace: str = ""
    name: str = ""


class _VolumeSpec(meta.View):
    claim_ref: _ClaimRef | None = None


class _Volume(meta.View):
    metadata: meta.Meta
    spec: _VolumeSpec = _VolumeSpec()


class NodeAuthorizer:
    """Plain calls over the views."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._by_resource: dict[tuple[str, str], Callable[[str, Access], str]] = {
            ("", "nodes"): self._of_node, ("", "pods"): self._of_pod, ("", "secrets"): self._of_config, ("", "configmaps"): self._of_config,
            ("", "persistentvolumeclaims"): self._of_claim, ("", "persistentvolumes"): self._of_volume,
            ("", "serviceaccounts"): self._of_account, ("coordination.k8s.io", "leases"): self._of_lease,
            ("storage.k8s.io", "csinodes"): self._of_node,
        }  # fmt: skip

    def decide(self, actor: Actor, access: Access) -> tuple[bool, str]:
        """Whether a node identity may, and if not, why. For anybody else: no, without a reason."""
        node = node_of(actor)
        if not node or not any(rules.allows(rule, access) for rule in _node_rules()):
            return False, ""
        ask = self._by_resource.get((access.group, access.resource))
        if ask is None or actor.role is not Role.USER:
            return True, ""
        why = ask(node, access)
        return not why, why

    # Each: why not, or "".

    def _of_node(self, node: str, access: Access) -> str:
        if access.verb == "create" or access.name == node:
            return ""
        return f"node '{node}' cannot read '{access.name}', only its own Node object" if access.verb in READS else (
            f"node '{node}' is not allowed to modify node '{access.name}'"
        )  # fmt: skip

    def _of_lease(self, node: str, access: Access) -> str:
        if access.namespace != LEASES:
            return f'can only access leases in the "{LEASES}" system namespace'
        return "" if access.name == node else "can only access node lease with the same name as the requesting node"

    def _of_pod(self, node: str, access: Access) -> str:
        if not access.name:
            asked = selectors.parse_fields(access.fields).exact("spec.nodeName") if access.fields else None
            return "" if asked == node else "can only list/watch pods with spec.nodeName field selector"
        pod = self._views.get(Pod, Ref("pods", access.name, access.namespace))
        return "" if pod is None or pod.spec.node_name == node else UNRELATED.format(node=node)

    def _pods(self, node: str, namespace: str = "") -> Iterator[Pod]:
        return (pod for pod in self._views.list(Pod, "pods", namespace) if pod.spec.node_name == node)

    def _of_config(self, node: str, access: Access) -> str:
        if not access.name:
            return "No Object name found"
        kind = "Secret" if access.resource == "secrets" else "ConfigMap"
        named = any(
            (kind, access.name) == (ref.kind, ref.name) for pod in self._pods(node, access.namespace) for ref in configs_named(pod)
        )
        return "" if named else UNRELATED.format(node=node)

    def _of_claim(self, node: str, access: Access) -> str:
        named = access.name and any(access.name in claims_named(pod) for pod in self._pods(node, access.namespace))
        return "" if named else UNRELATED.format(node=node)

    def _of_volume(self, node: str, access: Access) -> str:
        volume = self._views.get(_Volume, Ref("persistentvolumes", access.name)) if access.name else None
        claim = volume.spec.claim_ref if volume is not None else None
        if claim is None or not any(claim.name in claims_named(pod) for pod in self._pods(node, claim.namespace)):
            return UNRELATED.format(node=node)
        return ""

    def _of_account(self, node: str, access: Access) -> str:
        """Only tokens are asked for: the role has nothing else of accounts."""
        runs = any(pod.spec.service_account_name == access.name for pod in self._pods(node, access.namespace))
        return "" if runs else UNRELATED.format(node=node)
