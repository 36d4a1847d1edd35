"""Questions in the form of objects: who am I, whose token is this, may he do that, what may I do. Answered at once, never stored.

    authentication.k8s.io  SelfSubjectReview, TokenReview
    authorization.k8s.io   SubjectAccessReview, SelfSubjectAccessReview, LocalSubjectAccessReview, SelfSubjectRulesReview

Whoever may create one has the answer; that right is the door's to check, as for any resource. Answers are about roles as they are now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from common.errors import BadRequest, FieldCause
from common.objects import meta
from common.objects.access import PolicyRule
from master.api import documents, faults, schema, strict
from master.api.access import impersonation, tokens
from master.api.access.authorizer import Authorizer
from master.api.access.rules import Access
from master.api.access.tokens import TokenAuthority
from master.api.contract import Actor, Document, Stored, WriteOptions
from master.api.kinds import rules
from master.api.registry import Resource


class _On(meta.View):
    namespace: str = ""
    verb: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""


class _At(meta.View):
    path: str = ""
    verb: str = ""


class _Spec(meta.View):
    """Of every AccessReview; the Self ones have neither user nor groups."""

    resource_attributes: _On | None = None
    non_resource_attributes: _At | None = None
    user: str = ""
    groups: tuple[str, ...] | None = None
    uid: str = ""
    extra: dict[str, tuple[str, ...]] | None = None


class Reviews:
    """authority: None where tokens are not issued; TokenReviews are answered with "no" then."""

    def __init__(self, authorizer: Authorizer, authority: TokenAuthority | None) -> None:
        self._authorizer = authorizer
        self._authority = authority
        self._answers: dict[str, Callable[[Actor, str, Document], Document]] = {
            "SelfSubjectReview": self._who_am_i,
            "TokenReview": self._whose_token,
            "SubjectAccessReview": self._may_he,
            "LocalSubjectAccessReview": self._may_he_here,
            "SelfSubjectAccessReview": self._may_i,
            "SelfSubjectRulesReview": self._what_may_i,
        }

    def answer(self, actor: Actor, resource: Resource, namespace: str, *, document: Document, options: WriteOptions) -> Stored:
        """The question with its status. Raises BadRequest, Invalid."""
        documents.check_kind(document, resource)
        node = schema.for_kind(f"{resource.group}/v1", resource.kind)  # older versions are the same
        asked, warnings = strict.check(document, node, mode=options.field_validation, duplicates=options.duplicates)
        if options.warnings is not None:
            options.warnings.extend(warnings)
        documents.settle_kind(asked, resource)
        documents.settle_namespace(asked, resource, namespace)
        spec = asked.get("spec") or {}
        asked["status"] = self._answers[resource.kind](actor, namespace, spec)
        return Stored(documents.encode(asked), 0)

    # Who.

    def _who_am_i(self, actor: Actor, namespace: str, spec: Document) -> Document:
        return {"userInfo": impersonation.user_info(actor)}

    def _whose_token(self, actor: Actor, namespace: str, spec: Document) -> Document:
        if not spec.get("token"):
            raise BadRequest("token is required for TokenReview in authentication")
        try:
            if self._authority is None:
                raise tokens.Invalid("this master issues no tokens")
            whose, audiences = self._authority.check(spec["token"], tuple(spec.get("audiences") or ()))
        except tokens.Invalid as error:
            return {"authenticated": False, "error": str(error), "user": {}}
        return {"authenticated": True, "user": impersonation.user_info(whose), "audiences": list(audiences)}

    # May.

    def _may_i(self, actor: Actor, namespace: str, spec: Document) -> Document:
        return self._decided(actor, _access("SelfSubjectAccessReview", msgspec.convert(spec, _Spec)))

    def _may_he(self, actor: Actor, namespace: str, spec: Document) -> Document:
        asked = msgspec.convert(spec, _Spec)
        return self._decided(_subject("SubjectAccessReview", asked), _access("SubjectAccessReview", asked))

    def _may_he_here(self, actor: Actor, namespace: str, spec: Document) -> Document:
        kind, asked = "LocalSubjectAccessReview", msgspec.convert(spec, _Spec)
        if asked.non_resource_attributes is not None:
            given = spec["nonResourceAttributes"]
            raise _wrong(kind, rules.invalid("spec.nonResourceAttributes", given, "disallowed on this kind of request"))
        if asked.resource_attributes is not None and asked.resource_attributes.namespace != namespace:
            given = asked.resource_attributes.namespace
            raise _wrong(kind, rules.invalid("spec.resourceAttributes.namespace", given, "must match metadata.namespace"))
        return self._decided(_subject(kind, asked), _access(kind, asked))

    def _decided(self, whom: Actor, access: Access) -> Document:
        allowed, why = self._authorizer.decide(whom, access)
        status: Document = {"allowed": allowed}
        if why:
            status["reason" if allowed else "evaluationError"] = why
        return status

    def _what_may_i(self, actor: Actor, namespace: str, spec: Document) -> Document:
        where = spec.get("namespace", "")
        if not where:
            raise BadRequest("no namespace on request")
        found, problems = self._authorizer.rules_of(actor, where)
        status: Document = {
            "resourceRules": [_resource_rule(rule) for rule in found if rule.resources],
            "nonResourceRules": [
                {"verbs": list(rule.verbs or ()), "nonResourceURLs": list(rule.non_resource_urls)}
                for rule in found
                if rule.non_resource_urls
            ],
            "incomplete": False,
        }
        return {**status, "evaluationError": problems} if problems else status


def _resource_rule(rule: PolicyRule) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "verbs": list(rule.verbs or ()), "apiGroups": list(rule.api_groups or ()), "resources": list(rule.resources or ()),
    }  # fmt: skip
    return {**shown, "resourceNames": list(rule.resource_names)} if rule.resource_names else shown


def _wrong(kind: str, cause: FieldCause) -> Exception:
    return faults.invalid(kind, "authorization.k8s.io", "", [cause])


def _subject(kind: str, asked: _Spec) -> Actor:
    if not asked.user and not asked.groups:
        raise _wrong(kind, rules.invalid("spec.user", "", "at least one of user or group must be specified"))
    return Actor(asked.user, groups=tuple(asked.groups or ()), uid=asked.uid, extra=tuple((asked.extra or {}).items()))


def _access(kind: str, asked: _Spec) -> Access:
    on, at = asked.resource_attributes, asked.non_resource_attributes
    if on is not None and at is not None:
        why = "cannot be specified in combination with resourceAttributes"
        raise _wrong(kind, rules.invalid("spec.nonResourceAttributes", msgspec.to_builtins(at), why))
    if at is not None:
        return Access(at.verb, path=at.path)
    if on is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise _wrong(kind, rules.invalid("spec.resourceAttributes", None, why))
    return Access(on.verb, on.group, on.resource, on.subresource, on.namespace, on.name)
