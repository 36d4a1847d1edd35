"""The catalogue of what is served."""

from __future__ import annotations

import pytest

from common.errors import NotFound
from master.api.catalog import Catalog
from master.api.registry import RESOURCES, Resource

GADGETS = Resource("gadgets", "Gadget", "gadget", group="example.test", version="v2", short_names=("gg",))


@pytest.mark.parametrize("word", ["deployments.apps", "deployments", "deployment", "deploy", "Deployment"])
def test_a_resource_is_found_by_all_its_names(word: str) -> None:
    assert Catalog().named(word).key == "deployments.apps"


def test_what_is_not_served_has_no_name() -> None:
    with pytest.raises(NotFound, match='the server doesn\'t have a resource type "gadgets"'):
        Catalog().named("gadgets")


def test_custom_resources_come_and_go_as_a_whole() -> None:
    catalog = Catalog()
    assert catalog.generation == 0
    catalog.add([GADGETS])
    assert catalog.generation == 1
    assert catalog.named("gg") is catalog.by_key("gadgets.example.test") is catalog.by_kind("example.test/v2", "Gadget") is GADGETS
    assert catalog.by_path("example.test", "v2", "gadgets") is GADGETS
    assert catalog.serves("example.test", "v2") and catalog.groups()["example.test"] == {"v2": [GADGETS]}
    catalog.add([])
    assert catalog.generation == 2
    assert catalog.resources == RESOURCES
    assert not catalog.serves("example.test", "v2")
