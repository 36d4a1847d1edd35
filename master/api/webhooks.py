"""Programs outside that the API asks over HTTPS: where they are, and the port through which they are asked.

Owns the way from a `clientConfig` to an address: its URL as it stands, or the Service that it names. The master is on no pod network of
its own: it goes to an endpoint of the Service that is ready, and to its cluster IP where there is none; which of the two it can reach is
the host's routing. The certificate is checked against the Service's name (`NAME.NAMESPACE.svc`) in every case, as in Kubernetes.

The port's implementation is `master/webhooks.py`; the simulation has none.
"""

from __future__ import annotations

import base64
from typing import Protocol

import msgspec

from common.errors import SteersmanError
from common.objects import meta
from common.objects.customresource import ClientConfig, ServiceReference
from master.api.contract import Ref, Views

SERVICE_NAME = "kubernetes.io/service-name"


class WebhookFault(SteersmanError):
    """A webhook could not be asked, or its answer is none. Whoever asked says on whose behalf; not retried by itself."""

    code, reason = 500, "InternalError"


class Target(msgspec.Struct, frozen=True):
    """url: what is asked, and whose name the certificate must bear. host: where to connect instead of to the URL's host. ca: PEM."""

    url: str
    host: str = ""
    port: int = 0
    ca: str = ""


class Caller(Protocol):
    async def post(self, target: Target, body: bytes) -> bytes:
        """JSON there, JSON back, within the implementation's bounds of time and size. Not repeated. Raises WebhookFault with what went
        wrong in the words of a person who has to repair it. Cancelling it gives up the connection."""


class _Port(meta.View):
    name: str = ""
    port: int = 0


class _ServiceSpec(meta.View):
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    external_name: str = ""
    ports: tuple[_Port, ...] = ()


class _Service(meta.View):
    metadata: meta.Meta
    spec: _ServiceSpec = _ServiceSpec()


class _Conditions(meta.View):
    ready: bool | None = None


class _Endpoint(meta.View):
    addresses: tuple[str, ...] = ()
    conditions: _Conditions = _Conditions()


class _Slice(meta.View):
    metadata: meta.Meta
    endpoints: tuple[_Endpoint, ...] = ()
    ports: tuple[_Port, ...] | None = None


def target_of(views: Views, config: ClientConfig) -> Target:
    """Where the program is now. Raises WebhookFault when that cannot be told."""
    try:
        ca = base64.b64decode(config.ca_bundle, validate=True).decode("ascii")
    except ValueError:
        raise WebhookFault("its caBundle is not PEM in base64") from None
    if config.service is None:
        return Target(config.url, ca=ca)
    asked = config.service
    url = f"https://{asked.name}.{asked.namespace}.svc:{asked.port}/{asked.path.lstrip('/')}"
    host, port = _address(views, asked)
    return Target(url, host, port, ca)


def _address(views: Views, asked: ServiceReference) -> tuple[str, int]:
    service = views.get(_Service, Ref("services", asked.name, asked.namespace))
    if service is None:
        raise WebhookFault(f'service "{asked.name}" not found in namespace "{asked.namespace}"')
    spec = service.spec
    if spec.type == "ExternalName":
        return spec.external_name, asked.port
    ports = {port.port: port for port in spec.ports}
    if asked.port not in ports:
        raise WebhookFault(f'no service port {asked.port} found for service "{asked.name}"')
    if (endpoint := _endpoint(views, asked, ports[asked.port].name)) is not None:
        return endpoint
    if spec.cluster_ip not in ("", "None"):
        return spec.cluster_ip, asked.port
    raise WebhookFault(f'no endpoints available for service "{asked.name}" in namespace "{asked.namespace}"')


def _endpoint(views: Views, asked: ServiceReference, port_name: str) -> tuple[str, int] | None:
    """The first that is ready; one that does not say counts as ready."""
    for one in views.list(_Slice, "endpointslices.discovery.k8s.io", asked.namespace):
        if one.metadata.labels.get(SERVICE_NAME) != asked.name:
            continue
        number = next((port.port for port in one.ports or () if port.name == port_name), 0)
        for endpoint in one.endpoints:
            if number and endpoint.addresses and endpoint.conditions.ready is not False:
                return endpoint.addresses[0], number
    return None
