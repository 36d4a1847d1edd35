"""Webhook configurations and admission policies: stored, defaulted, validated and served. Nothing calls or evaluates them yet."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds import webhook as webhooks
from master.api.kinds.columns import AGE, NAME, Column, at, plain

SIDE_EFFECTS = ("None", "NoneOnDryRun")
FAILURE, MATCH, REINVOCATION = ("Fail", "Ignore"), ("Equivalent", "Exact"), ("IfNeeded", "Never")
ACTIONS = ("Audit", "Deny", "Warn")
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")


def _group_kind(document: Document, now: float) -> str:
    kind = at(document, "spec.paramKind")
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else "<unset>"


def _parameter(document: Document, now: float) -> str:
    of = at(document, "spec.paramRef")
    if not of:
        return "<unset>"
    name = of.get("name") or "*"
    return f"{of['namespace']}/{name}" if of.get("namespace") else name


WEBHOOK_COLUMNS = (
    NAME,
    Column("Webhooks", lambda d, now: len(d.get("webhooks") or ()), type="integer", description="How many webhooks it has."),
    AGE,
)
POLICY_COLUMNS = (
    NAME,
    Column("Validations", lambda d, now: len(at(d, "spec.validations") or ()), type="integer", description="How many rules it has."),
    Column("ParamKind", _group_kind, description="The kind of its parameters."),
    AGE,
)
BINDING_COLUMNS = (
    NAME,
    plain("PolicyName", "spec.policyName", "The policy that it puts to use."),
    Column("ParamRef", _parameter, description="The parameters that it gives."),
    AGE,
)


def _default_match(place: Document, field: str) -> None:
    for rule in place.get(field) or ():
        rule.setdefault("scope", "*")


def _default_webhook(webhook: Document) -> None:
    webhook.setdefault("failurePolicy", "Fail")
    webhook.setdefault("matchPolicy", "Equivalent")
    webhook.setdefault("namespaceSelector", {})
    webhook.setdefault("objectSelector", {})
    webhook.setdefault("timeoutSeconds", 10)
    webhooks.default(webhook.get("clientConfig"))
    _default_match(webhook, "rules")


def default_validating(document: Document) -> None:
    for webhook in document.get("webhooks") or ():
        _default_webhook(webhook)


def default_mutating(document: Document) -> None:
    for webhook in document.get("webhooks") or ():
        _default_webhook(webhook)
        webhook.setdefault("reinvocationPolicy", "Never")


def _default_resources(matching: Document | None) -> None:
    if matching is not None:
        matching.setdefault("matchPolicy", "Equivalent")
        matching.setdefault("namespaceSelector", {})
        matching.setdefault("objectSelector", {})
        _default_match(matching, "resourceRules")
        _default_match(matching, "excludeResourceRules")


def default_policy(document: Document) -> None:
    document.setdefault("spec", {}).setdefault("failurePolicy", "Fail")
    _default_resources(at(document, "spec.matchConstraints"))


def default_binding(document: Document) -> None:
    _default_resources(at(document, "spec.matchResources"))


def _rules(found: list[FieldCause], given: list[Document] | None, place: str) -> None:
    for i, rule in enumerate(given or ()):
        for field in ("operations", "apiGroups", "apiVersions", "resources"):
            if not rule.get(field):
                found.append(rules.required(f"{place}[{i}].{field}"))
        for j, operation in enumerate(rule.get("operations") or ()):
            found += rules.one_of(f"{place}[{i}].operations[{j}]", operation, OPERATIONS)


def _webhook(webhook: Document, place: str) -> list[FieldCause]:
    name, config = webhook.get("name", ""), webhook.get("clientConfig") or {}
    found = rules.subdomain_name(f"{place}.name", name)
    if not found and len(name.split(".")) < 3:
        found.append(rules.invalid(f"{place}.name", name, "should be a domain with at least three segments separated by dots"))
    if not webhook.get("admissionReviewVersions"):
        found.append(rules.required(f"{place}.admissionReviewVersions", "must specify one of v1, v1beta1"))
    for field, value, words in (
        ("sideEffects", webhook.get("sideEffects"), SIDE_EFFECTS), ("failurePolicy", webhook.get("failurePolicy"), FAILURE),
        ("matchPolicy", webhook.get("matchPolicy"), MATCH),
        ("reinvocationPolicy", webhook.get("reinvocationPolicy", "Never"), REINVOCATION),
    ):  # fmt: skip
        found += rules.one_of(f"{place}.{field}", value, words)
    seconds = webhook.get("timeoutSeconds", 10)
    if not 1 <= seconds <= 30:
        why = "the timeout value must be between 1 and 30 seconds" if seconds > 30 else "the timeout value must be greater than zero"
        found.append(rules.invalid(f"{place}.timeoutSeconds", seconds, why))
    found += webhooks.validate(config, f"{place}.clientConfig")
    _rules(found, webhook.get("rules"), f"{place}.rules")
    return found


def validate_webhooks(new: Document, old: Document | None) -> list[FieldCause]:
    found, names = rules.metadata(new), set()
    for i, webhook in enumerate(new.get("webhooks") or ()):
        found += _webhook(webhook, f"webhooks[{i}]")
        if webhook.get("name") in names:
            found.append(rules.duplicate(f"webhooks[{i}].name", webhook["name"]))
        names.add(webhook.get("name"))
    return found


def prepare_policy(new: Document, old: Document | None) -> None:
    if old is None:
        new.pop("status", None)


def validate_policy(new: Document, old: Document | None) -> list[FieldCause]:
    spec, found = new.get("spec") or {}, rules.metadata(new)
    found += rules.one_of("spec.failurePolicy", spec.get("failurePolicy"), FAILURE)
    matching = spec.get("matchConstraints")
    if matching is None:
        found.append(rules.required("spec.matchConstraints"))
    elif not matching.get("resourceRules"):
        found.append(rules.required("spec.matchConstraints.resourceRules"))
    else:
        _rules(found, matching["resourceRules"], "spec.matchConstraints.resourceRules")
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        why = "validations or auditAnnotations must be present"
        found += [rules.required("spec.validations", why), rules.required("spec.auditAnnotations", why)]
    for i, each in enumerate(spec.get("validations") or ()):
        if not (each.get("expression") or "").strip():
            found.append(rules.required(f"spec.validations[{i}].expression", "expression is not specified"))
    return found


def validate_binding(new: Document, old: Document | None) -> list[FieldCause]:
    spec, found = new.get("spec") or {}, rules.metadata(new)
    name, actions = spec.get("policyName", ""), spec.get("validationActions") or []
    found += rules.subdomain_name("spec.policyName", name) if name else [rules.required("spec.policyName")]
    if not actions:
        found.append(rules.required("spec.validationActions", "at least one validation action is required"))
    for action in actions:
        found += rules.one_of("spec.validationActions", action, ACTIONS)
    if "Deny" in actions and "Warn" in actions:
        found.append(rules.invalid("spec.validationActions", sorted(actions), "must not contain both Deny and Warn"))
    return found
