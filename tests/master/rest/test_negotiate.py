"""The Accept headers that real clients send, and what they get."""

from __future__ import annotations

import pytest

from common.errors import NotAcceptable
from master.rest.negotiate import Accepted, Form, aggregated_discovery, negotiate

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
HEADERS = {
    "no header": ("", Accepted(Form.PLAIN)),
    "anything": ("*/*", Accepted(Form.PLAIN)),
    "JSON": ("application/json", Accepted(Form.PLAIN)),
    "kubectl get": (f"{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Accepted(Form.TABLE)),
    "an old kubectl get": ("application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json", Accepted(Form.TABLE, "v1beta1")),
    "a typed client": ("application/vnd.kubernetes.protobuf,application/json", Accepted(Form.PLAIN)),
    "protobuf alone": ("application/vnd.kubernetes.protobuf", Accepted(Form.PLAIN)),
    "kubectl top": ("application/vnd.kubernetes.protobuf, */*", Accepted(Form.PLAIN)),
    "a metadata informer": (
        "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,"
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
        Accepted(Form.PARTIAL),
    ),
    "an unknown shape falls to the next choice": ("application/json;as=Poem;v=v1;g=meta.k8s.io,application/json", Accepted(Form.PLAIN)),
    "quality decides before order": (f"application/json;q=0.5,{TABLE};q=0.9", Accepted(Form.TABLE)),
    "a browser": ("text/html,application/xhtml+xml,*/*;q=0.8", Accepted(Form.PLAIN)),
}


@pytest.mark.parametrize(("header", "accepted"), HEADERS.values(), ids=HEADERS)
def test_the_answer_has_the_form_that_was_asked_for(header: str, accepted: Accepted) -> None:
    assert negotiate(header) == accepted


@pytest.mark.parametrize("header", ["text/plain", "application/yaml", "application/json;q=0", "application/json," * 1000])
def test_what_we_cannot_say_is_not_acceptable(header: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiate(header)


V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2BETA1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"


@pytest.mark.parametrize(
    ("header", "version"),
    [(f"{V2},{V2BETA1},application/json", "v2"), (f"{V2BETA1},application/json", "v2beta1"), ("application/json", ""), ("", ""), ("*/*", "")],
    ids=["kubectl 1.33", "kubectl 1.29", "plain", "no header", "anything"],
)
def test_discovery_is_aggregated_only_when_asked_for(header: str, version: str) -> None:
    assert aggregated_discovery(header) == version
