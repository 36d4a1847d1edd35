"""`serviceaccounts/NAME/token`: a request for a token, checked and answered. The token itself is `tokens.py`'s.

A token may be bound to a Pod that runs as that ServiceAccount, to a Secret of its namespace, or to a Node: it is void when that is
gone. A token of a Pod also names the Pod's Node, for whoever wants to know; only the Pod counts.
"""

from __future__ import annotations

from common.clock import rfc3339
from common.errors import BadRequest, FieldCause, NotFound
from common.objects import meta
from common.objects.access import ServiceAccount
from common.objects.pod import Pod
from master.api import documents, faults, schema, strict
from master.api.access.tokens import BINDABLE, About, Named, TokenAuthority
from master.api.contract import Document, Ref, Stored, Views, WriteOptions
from master.api.kinds import rules
from master.api.registry import BY_KEY

GROUP = "authentication.k8s.io"
KIND, VERSION = "TokenRequest", f"{GROUP}/v1"
DEFAULT_S, SHORTEST_S, LONGEST_S = 3600, 600, 1 << 32


class TokenDesk:
    def __init__(self, authority: TokenAuthority, views: Views) -> None:
        self._authority = authority
        self._views = views

    def request(self, ref: Ref, document: Document, options: WriteOptions) -> Stored:
        """ref: the ServiceAccount. Raises NotFound, BadRequest, Conflict (the bound object is another one), Invalid."""
        account = self._views.get(ServiceAccount, ref)
        if account is None:
            raise faults.not_found(BY_KEY["serviceaccounts"], ref.name)
        asked = _cleaned(document, options)
        spec = asked.get("spec") or {}
        lifetime_s = spec.get("expirationSeconds") or DEFAULT_S
        if problems := _lifetime_causes(lifetime_s):
            raise faults.invalid(KIND, GROUP, "", problems)
        audiences = tuple(spec.get("audiences") or (self._authority.issuer,))
        about = self._about(ref, account, spec.get("boundObjectRef"))
        made = {
            "apiVersion": VERSION, "kind": KIND,
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "spec": {**spec, "audiences": list(audiences), "expirationSeconds": lifetime_s},
        }  # fmt: skip
        token, ends = self._authority.issue(about, audiences=audiences, lifetime_s=lifetime_s)
        made["status"] = {"token": "" if options.dry_run else token, "expirationTimestamp": rfc3339(ends)}
        return Stored(documents.encode(made), 0)

    def _about(self, ref: Ref, account: ServiceAccount, bound: Document | None) -> About:
        named = Named(ref.name, account.metadata.uid)
        if not bound:
            return About(ref.namespace, named)
        kind, name = bound.get("kind", ""), bound.get("name", "")
        if bound.get("apiVersion", "v1") not in ("", "v1") or kind not in BINDABLE:
            raise BadRequest(f"cannot bind token to object of type {bound.get('apiVersion', '')}, Kind={kind}")
        found = self._views.get(meta.Object, Ref(BINDABLE[kind], name, "" if kind == "Node" else ref.namespace))
        if found is None:
            raise faults.not_found(BY_KEY[BINDABLE[kind]], name)
        uid = found.metadata.uid
        if bound.get("uid") and bound["uid"] != uid:
            why = f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record. "
            raise faults.conflict(BY_KEY[BINDABLE[kind]], name, why + "The object might have been deleted and then recreated")
        if kind == "Pod":
            return self._about_pod(ref, named, Named(name, uid))
        if kind == "Secret":
            return About(ref.namespace, named, secret=Named(name, uid))
        return About(ref.namespace, named, node=Named(name, uid))

    def _about_pod(self, ref: Ref, account: Named, bound: Named) -> About:
        pod = self._views.get(Pod, Ref("pods", bound.name, ref.namespace))
        if pod is None:
            raise NotFound(f'pods "{bound.name}" not found')
        if pod.spec.service_account_name != ref.name:
            raise BadRequest(f'cannot bind token for serviceaccount "{ref.name}" to pod running with different serviceaccount name.')
        node = self._views.get(meta.Object, Ref("nodes", pod.spec.node_name)) if pod.spec.node_name else None
        return About(ref.namespace, account, pod=bound, node=Named(node.metadata.name, node.metadata.uid) if node is not None else None)


def _cleaned(document: Document, options: WriteOptions) -> Document:
    if isinstance(document, dict) and document.get("kind") not in (None, "", KIND):
        raise BadRequest(f"cannot convert a {document['kind']} into a {KIND} of {VERSION}")
    node = schema.for_kind(VERSION, KIND)
    asked, warnings = strict.check(document, node, mode=options.field_validation, duplicates=options.duplicates)
    if options.warnings is not None:
        options.warnings.extend(warnings)
    return asked


def _lifetime_causes(lifetime_s: int) -> list[FieldCause]:
    field = "spec.expirationSeconds"
    if lifetime_s < SHORTEST_S:
        return [rules.invalid(field, lifetime_s, "may not specify a duration less than 10 minutes")]
    if lifetime_s > LONGEST_S:
        return [rules.invalid(field, lifetime_s, "may not specify a duration larger than 2^32 seconds")]
    return []
