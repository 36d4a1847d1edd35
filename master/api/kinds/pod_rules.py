"""Validation of a pod's spec, for pods and for every template of pods.

Kubernetes' `pkg/apis/core/validation/validation.go` is the source of rules and words. Pure: returns the offending fields.
Missing required fields of the schema are the schema's to report; here is what the schema cannot say.
"""

from __future__ import annotations

from common.errors import FieldCause
from common.objects import quantity, selectors
from master.api.contract import Document
from master.api.kinds import rules

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("TCP", "UDP", "SCTP")
_INTEGERS = ("pods", "services", "secrets", "configmaps")


def validate_spec(spec: Document, field: str = "spec") -> list[FieldCause]:
    found: list[FieldCause] = []
    volumes = _volumes(spec, field, found)
    names: set[str] = set()
    if not spec.get("containers"):
        found.append(rules.required(f"{field}.containers"))
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(group) or ()):
            place = f"{field}.{group}[{i}]"
            name = container.get("name", "")
            if not name:
                found.append(rules.required(f"{place}.name"))
            else:
                found += rules.label_name(f"{place}.name", name)
                if name in names:
                    found.append(rules.duplicate(f"{place}.name", name))
                names.add(name)
            found += _container(container, place, volumes)
    found += rules.one_of(f"{field}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    found += rules.one_of(f"{field}.dnsPolicy", spec.get("dnsPolicy"), DNS_POLICIES)
    found += rules.not_negative(f"{field}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        found.append(rules.invalid(f"{field}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive"))
    found += rules.labels(f"{field}.nodeSelector", spec.get("nodeSelector"))
    if spec.get("nodeName"):
        found += rules.subdomain_name(f"{field}.nodeName", spec["nodeName"])
    if spec.get("hostname"):
        found += rules.label_name(f"{field}.hostname", spec["hostname"])
    for i, toleration in enumerate(spec.get("tolerations") or ()):
        found += _toleration(toleration, f"{field}.tolerations[{i}]")
    return found


def _volumes(spec: Document, field: str, found: list[FieldCause]) -> set[str]:
    names: set[str] = set()
    for i, volume in enumerate(spec.get("volumes") or ()):
        place, name = f"{field}.volumes[{i}]", volume.get("name", "")
        found += rules.label_name(f"{place}.name", name) if name else [rules.required(f"{place}.name")]
        if name in names:
            found.append(rules.duplicate(f"{place}.name", name))
        names.add(name)
        sources = [key for key in volume if key != "name"]
        found += [rules.forbidden(f"{place}.{key}", "may not specify more than 1 volume type") for key in sources[1:]]
        if volume.get("configMap") is not None and not volume["configMap"].get("name"):
            found.append(rules.required(f"{place}.configMap.name"))
        if volume.get("secret") is not None and not volume["secret"].get("secretName"):
            found.append(rules.required(f"{place}.secret.secretName"))
        path = (volume.get("hostPath") or {}).get("path")
        if path is not None and ".." in path.split("/"):
            found.append(rules.invalid(f"{place}.hostPath.path", path, "must not contain '..'"))
    return names


def _container(container: Document, place: str, volumes: set[str]) -> list[FieldCause]:
    found: list[FieldCause] = []
    image = container.get("image", "")
    if not image:
        found.append(rules.required(f"{place}.image"))
    elif image != image.strip():
        found.append(rules.invalid(f"{place}.image", image, "must not have leading or trailing whitespace"))
    found += rules.one_of(f"{place}.imagePullPolicy", container.get("imagePullPolicy"), PULL_POLICIES)
    found += _ports(container, place)
    for i, env in enumerate(container.get("env") or ()):
        found += _env(env, f"{place}.env[{i}]")
    found += validate_resources(container.get("resources") or {}, f"{place}.resources")
    paths: set[str] = set()
    for i, mount in enumerate(container.get("volumeMounts") or ()):
        spot = f"{place}.volumeMounts[{i}]"
        if mount.get("name") not in volumes:
            found.append(rules.not_found(f"{spot}.name", mount.get("name", "")))
        path = mount.get("mountPath", "")
        if not path:
            found.append(rules.required(f"{spot}.mountPath"))
        if path in paths:
            found.append(rules.invalid(f"{spot}.mountPath", path, "must be unique"))
        paths.add(path)
        sub = mount.get("subPath", "")
        if sub.startswith("/"):
            found.append(rules.invalid(f"{spot}.subPath", sub, "must be a relative path"))
        elif ".." in sub.split("/"):
            found.append(rules.invalid(f"{spot}.subPath", sub, "must not contain '..'"))
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is not None:
            found += _probe(container[probe], f"{place}.{probe}", successes=probe == "readinessProbe")
    return found


def _ports(container: Document, place: str) -> list[FieldCause]:
    found: list[FieldCause] = []
    names: set[str] = set()
    for i, port in enumerate(container.get("ports") or ()):
        spot, name = f"{place}.ports[{i}]", port.get("name", "")
        if name:
            found += rules.port_name(f"{spot}.name", name)
            if name in names:
                found.append(rules.duplicate(f"{spot}.name", name))
            names.add(name)
        number = port.get("containerPort", 0)
        found += rules.port(f"{spot}.containerPort", number) if number else [rules.required(f"{spot}.containerPort")]
        if port.get("hostPort"):
            found += rules.port(f"{spot}.hostPort", port["hostPort"])
        found += rules.one_of(f"{spot}.protocol", port.get("protocol"), PROTOCOLS)
    return found


def _env(env: Document, place: str) -> list[FieldCause]:
    name = env.get("name", "")
    if not name:
        return [rules.required(f"{place}.name")]
    found = []
    if not rules.ENV_NAME.fullmatch(name):
        found.append(rules.invalid(f"{place}.name", name, "a valid environment variable name must consist of alphabetic characters, "
                                   "digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  "
                                   "or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"))  # fmt: skip
    source = env.get("valueFrom")
    if source is not None:
        if env.get("value"):
            found.append(rules.invalid(f"{place}.valueFrom", "", "may not be specified when `value` is not empty"))
        if not source:
            found.append(rules.invalid(f"{place}.valueFrom", "", "must specify one of: `fieldRef`, `resourceFieldRef`, "
                                       "`configMapKeyRef` or `secretKeyRef`"))  # fmt: skip
        elif len(source) > 1:
            found.append(rules.invalid(f"{place}.valueFrom", "", "may not have more than one field specified at a time"))
    return found


def validate_resources(resources: Document, place: str) -> list[FieldCause]:
    """Quantities are sound, and no request exceeds its limit."""
    found: list[FieldCause] = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            spot = f"{place}.{group}.{name}" if name.isalpha() else f"{place}.{group}[{name}]"
            if not selectors.valid_key(name):
                found.append(rules.invalid(f"{place}.{group}", name, rules.QUALIFIED_TEXT))
            elif "/" not in name and not standard_resource(name):
                found.append(rules.invalid(f"{place}.{group}[{name}]", name, "must be a standard resource type or fully qualified"))
            if quantity.exact(amount) < 0:
                found.append(rules.invalid(spot, str(amount), rules.NOT_NEGATIVE))
    for name, amount in requests.items():
        if name in limits and quantity.exact(amount) > quantity.exact(limits[name]):
            found.append(rules.invalid(f"{place}.requests", str(amount), f"must be less than or equal to {name} limit of {limits[name]}"))
    return found


def standard_resource(name: str) -> bool:
    return name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")


def _toleration(toleration: Document, place: str) -> list[FieldCause]:
    found: list[FieldCause] = []
    key, operator = toleration.get("key", ""), toleration.get("operator") or "Equal"
    if key and not selectors.valid_key(key):
        found.append(rules.invalid(f"{place}.key", key, rules.QUALIFIED_TEXT))
    if not key and operator != "Exists":
        found.append(rules.invalid(f"{place}.operator", operator, "operator must be Exists when `key` is empty, which means "
                                   "\"match all values and all keys\""))  # fmt: skip
    found += rules.one_of(f"{place}.operator", operator, ("Equal", "Exists"))
    if operator == "Exists" and toleration.get("value"):
        found.append(rules.invalid(f"{place}.operator", operator, "value must be empty when `operator` is 'Exists'"))
    effect = toleration.get("effect", "")
    if effect:
        found += rules.one_of(f"{place}.effect", effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        found.append(rules.invalid(f"{place}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    return found


def _probe(probe: Document, place: str, *, successes: bool) -> list[FieldCause]:
    found: list[FieldCause] = []
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        found += rules.not_negative(f"{place}.{name}", probe.get(name))
    if not successes and probe.get("successThreshold", 1) != 1:
        found.append(rules.invalid(f"{place}.successThreshold", probe["successThreshold"], "must be 1"))
    actions = [name for name in ("exec", "httpGet", "tcpSocket", "grpc") if probe.get(name) is not None]
    if not actions:
        found.append(rules.required(place, "must specify a handler type"))
    found += [rules.forbidden(f"{place}.{name}", "may not specify more than 1 handler type") for name in actions[1:]]
    return found
