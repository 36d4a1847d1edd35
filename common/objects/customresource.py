"""CustomResourceDefinition, as the parts that serve and clean up custom resources read it."""

from __future__ import annotations

from typing import Any

import msgspec

from common.objects import meta


class Names(meta.View):
    plural: str = ""
    kind: str = ""
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def words(self) -> frozenset[str]:
        """What clients may call the resource."""
        return frozenset((self.plural, self.singular, *self.short_names)) - {""}


class Validation(meta.View):
    open_api_v3_schema: dict[str, Any] = msgspec.field(name="openAPIV3Schema", default_factory=dict)


class PrinterColumn(meta.View):
    name: str = ""
    type: str = "string"
    json_path: str = ""
    format: str = ""
    description: str = ""
    priority: int = 0


class ScalePaths(meta.View):
    spec_replicas_path: str = ""
    status_replicas_path: str = ""
    label_selector_path: str = ""


class Subresources(meta.View):
    status: dict[str, Any] | None = None
    scale: ScalePaths | None = None


class SelectableField(meta.View):
    json_path: str = ""


class Version(meta.View):
    name: str = ""
    served: bool = False
    storage: bool = False
    deprecated: bool = False
    deprecation_warning: str = ""
    schema: Validation = Validation()
    subresources: Subresources = Subresources()
    additional_printer_columns: tuple[PrinterColumn, ...] = ()
    selectable_fields: tuple[SelectableField, ...] = ()


class ServiceReference(meta.View):
    namespace: str = ""
    name: str = ""
    path: str = ""
    port: int = 443


class ClientConfig(meta.View):
    """How a webhook is reached. ca_bundle: PEM in base64; empty for the CAs that the host trusts."""

    url: str = ""
    service: ServiceReference | None = None
    ca_bundle: str = ""


class WebhookConversion(meta.View):
    client_config: ClientConfig = ClientConfig()
    conversion_review_versions: tuple[str, ...] = ()


class Conversion(meta.View):
    strategy: str = "None"
    webhook: WebhookConversion | None = None


class Spec(meta.View):
    group: str = ""
    names: Names = Names()
    scope: str = "Namespaced"
    versions: tuple[Version, ...] = ()
    conversion: Conversion = Conversion()


class Status(meta.View):
    conditions: tuple[meta.Condition, ...] = ()
    accepted_names: Names = Names()
    stored_versions: tuple[str, ...] = ()


class CustomResourceDefinition(meta.View):
    metadata: meta.Meta
    spec: Spec = Spec()
    status: Status = Status()

    @property
    def key(self) -> str:
        """The resource's key in the catalogue, which is also the definition's name."""
        return f"{self.spec.names.plural}.{self.spec.group}"

    @property
    def storage(self) -> Version:
        """The version that is stored. Validation has seen that there is exactly one."""
        return next(version for version in self.spec.versions if version.storage)

    def is_true(self, condition: str) -> bool:
        return any(one.type == condition and one.status == "True" for one in self.status.conditions)
