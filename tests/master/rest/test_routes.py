"""Paths of the Kubernetes API: what each names, and which name nothing."""

from __future__ import annotations

import pytest

from common.errors import NotFound
from master.api.catalog import Catalog
from master.rest import routes

KNOWN = {
    "/api/v1/pods": ("pods", "", "", ""),
    "/api/v1/namespaces/web/pods": ("pods", "web", "", ""),
    "/api/v1/namespaces/web/pods/p": ("pods", "web", "p", ""),
    "/api/v1/namespaces/web/pods/p/status": ("pods", "web", "p", "status"),
    "/api/v1/namespaces/web/pods/p/log": ("pods", "web", "p", "log"),
    "/api/v1/namespaces/web/pods/p/eviction": ("pods", "web", "p", "eviction"),
    "/api/v1/nodes/n1": ("nodes", "", "n1", ""),
    "/api/v1/namespaces": ("namespaces", "", "", ""),
    "/api/v1/namespaces/web": ("namespaces", "", "web", ""),
    "/api/v1/namespaces/web/status": ("namespaces", "", "web", "status"),
    "/api/v1/namespaces/web/finalize": ("namespaces", "", "web", "finalize"),
    "/apis/apps/v1/namespaces/web/deployments/d/scale": ("deployments.apps", "web", "d", "scale"),
    "/apis/coordination.k8s.io/v1/leases": ("leases.coordination.k8s.io", "", "", ""),
    "/api/v1/namespaces/status/pods": ("pods", "status", "", ""),
}

UNKNOWN = {
    "an unknown resource": "/api/v1/gadgets",
    "an unknown group": "/apis/example.com/v1/things",
    "an unknown version": "/apis/apps/v1beta1/deployments",
    "a resource of another group": "/api/v1/deployments",
    "a cluster-scoped resource below a namespace": "/api/v1/namespaces/web/nodes",
    "a namespaced object without its namespace": "/api/v1/pods/p",
    "an unknown subresource": "/api/v1/namespaces/web/pods/p/fly",
    "a subresource of another kind": "/api/v1/namespaces/web/pods/p/scale",
    "too many parts": "/api/v1/namespaces/web/pods/p/log/more",
    "an empty part": "/api/v1/namespaces//pods",
}


@pytest.mark.parametrize(("path", "named"), KNOWN.items(), ids=KNOWN)
def test_a_path_names_what_kubernetes_means_by_it(path: str, named: tuple[str, ...]) -> None:
    route = routes.parse(path.strip("/").split("/"), Catalog())
    assert (route.resource.key, route.namespace, route.name, route.subresource) == named


@pytest.mark.parametrize("path", UNKNOWN.values(), ids=UNKNOWN)
def test_a_path_that_names_nothing_is_not_found(path: str) -> None:
    with pytest.raises(NotFound, match="the server could not find the requested resource"):
        routes.parse(path.strip("/").split("/"), Catalog())
