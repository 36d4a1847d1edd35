"""The Python clients that people write controllers with, against a real kmaster: kubernetes, its dynamic client, lightkube.

Each is used as its own documentation does: typed models, dictionaries, generic resources, watches, all kinds of patches. What is asserted
is what a controller would go by. No agents run here. An operator made with kopf is in `test_operator.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import compat
from tests.e2e.kmaster import Kmaster, running
from tests.e2e.test_definitions import definition, instance
from tests.e2e.test_kubectl import config as config_map
from tests.e2e.test_kubectl import deployment, namespace

kubernetes = pytest.importorskip("kubernetes")
lightkube = pytest.importorskip("lightkube")

pytestmark = pytest.mark.compat("Python kubernetes", "lightkube")

WAIT_S = 20
SPACE = "clients"


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kmaster]:
    with compat.logged(), running(tmp_path_factory.mktemp("clients")) as started:
        compat.RECORD.follow(started.log)
        yield started
        assert started.stop() == 0


@pytest.fixture(scope="module")
def api(master: Kmaster) -> Iterator[Any]:
    """The official client's ApiClient; it is the default of the package too, as its locks need it."""
    kubernetes.config.load_kube_config(str(master.kubeconfig))
    with kubernetes.client.ApiClient() as client:
        kubernetes.client.CoreV1Api(client).create_namespace(namespace(SPACE))
        kubernetes.client.ApiextensionsV1Api(client).create_custom_resource_definition(definition("Widget"))
        yield client


# The official client, typed.


def test_typed_models_are_created_read_replaced_and_deleted(api: Any) -> None:
    from kubernetes import client

    core = client.CoreV1Api(api)
    made = core.create_namespaced_service(
        SPACE, client.V1Service(
            metadata=client.V1ObjectMeta(name="typed"),
            spec=client.V1ServiceSpec(selector={"a": "b"}, ports=[client.V1ServicePort(port=80, target_port="http")]),
        )
    )  # fmt: skip
    assert (made.spec.ports[0].protocol, made.spec.type) == ("TCP", "ClusterIP")
    made.spec.ports[0].port = 81
    assert core.replace_namespaced_service("typed", SPACE, made).spec.ports[0].port == 81
    with pytest.raises(client.ApiException) as stale:
        core.replace_namespaced_service("typed", SPACE, made)
    assert stale.value.status == 409
    core.delete_namespaced_service("typed", SPACE)
    with pytest.raises(client.ApiException) as gone:
        core.read_namespaced_service("typed", SPACE)
    assert gone.value.status == 404


def test_every_kind_of_patch_of_the_official_client(api: Any) -> None:
    from kubernetes import client

    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment(SPACE, deployment("patched"))

    def patch(body: Any, kind: str | None = None, **options: Any) -> Any:
        if kind:
            options["_content_type"] = f"application/{kind}"
        return apps.patch_namespaced_deployment("patched", SPACE, body, **options)

    strategic = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1.30"}]}}}}
    images = [c.image for c in patch(strategic, "strategic-merge-patch+json").spec.template.spec.containers]
    assert images == ["busybox:1.30", "busybox:1.35"]
    assert patch({"spec": {"replicas": 2}}, "merge-patch+json").spec.replicas == 2
    assert patch([{"op": "replace", "path": "/spec/replicas", "value": 3}], "json-patch+json").spec.replicas == 3
    assert patch({"metadata": {"labels": {"plain": "yes"}}}).metadata.labels["plain"] == "yes"
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "patched"}, "spec": {"replicas": 4}}
    with pytest.raises(client.ApiException) as conflict:
        patch(wanted, "apply-patch+yaml", field_manager="robot")
    assert conflict.value.status == 409 and "conflict" in conflict.value.body
    applied = patch(wanted, "apply-patch+yaml", field_manager="robot", force=True)
    assert applied.spec.replicas == 4
    assert ("robot", "Apply") in {(entry.manager, entry.operation) for entry in applied.metadata.managed_fields}
    scaled = apps.patch_namespaced_deployment_scale("patched", SPACE, {"spec": {"replicas": 5}})
    assert (scaled.spec.replicas, apps.read_namespaced_deployment_scale("patched", SPACE).spec.replicas) == (5, 5)


def test_watches_of_the_official_client_go_on_where_they_ended(api: Any) -> None:
    from kubernetes import client, watch

    core = client.CoreV1Api(api)
    listed = core.list_namespaced_config_map(SPACE)
    for name in ("w1", "w2", "w3"):
        core.create_namespaced_config_map(SPACE, config_map(name, n=name))
    core.delete_namespaced_config_map("w2", SPACE)
    seen, watcher = [], watch.Watch()
    for event in watcher.stream(
        core.list_namespaced_config_map, SPACE, resource_version=listed.metadata.resource_version, timeout_seconds=WAIT_S
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 4:
            watcher.stop()
    assert seen == [("ADDED", "w1"), ("ADDED", "w2"), ("ADDED", "w3"), ("DELETED", "w2")]
    again = watch.Watch()
    stream = again.stream(core.list_namespaced_config_map, SPACE, field_selector="metadata.name=w3", timeout_seconds=WAIT_S)
    assert next(stream)["object"].data == {"n": "w3"}
    core.patch_namespaced_config_map("w3", SPACE, {"data": {"n": "changed"}})
    assert next(stream)["object"].data == {"n": "changed"}
    again.stop()


def test_pages_and_collections_of_the_official_client(api: Any) -> None:
    from kubernetes import client

    core = client.CoreV1Api(api)
    for n in range(5):
        meta = {"name": f"page-{n}", "labels": {"page": "yes"}}
        core.create_namespaced_secret(SPACE, client.V1Secret(metadata=meta, string_data={"n": str(n)}))
    names: list[str] = []
    following = None
    while following != "":
        page = core.list_namespaced_secret(SPACE, label_selector="page=yes", limit=2, _continue=following)
        names += [item.metadata.name for item in page.items]
        following = page.metadata._continue or ""
    assert names == [f"page-{n}" for n in range(5)]
    core.delete_collection_namespaced_secret(SPACE, label_selector="page=yes")
    assert core.list_namespaced_secret(SPACE, label_selector="page=yes").items == []


def test_custom_objects_of_the_official_client(api: Any) -> None:
    from kubernetes import client

    custom, where = client.CustomObjectsApi(api), ("example.test", "v1", SPACE, "widgets")
    custom.create_namespaced_custom_object(*where, instance("Widget", "c", size=1))
    assert custom.get_namespaced_custom_object(*where, "c")["spec"] == {"size": 1, "colour": "red"}
    patched = custom.patch_namespaced_custom_object(*where, "c", {"spec": {"size": 2}}, _content_type="application/merge-patch+json")
    assert patched["spec"]["size"] == 2
    status = custom.patch_namespaced_custom_object_status(
        *where, "c", {"status": {"ready": True}}, _content_type="application/merge-patch+json"
    )
    assert (status["status"], status["metadata"]["generation"]) == ({"ready": True}, 2)
    assert [item["metadata"]["name"] for item in custom.list_namespaced_custom_object(*where)["items"]] == ["c"]
    assert custom.get_namespaced_custom_object_scale(*where, "c")["spec"]["replicas"] == 2
    custom.delete_namespaced_custom_object(*where, "c")


def test_manifests_from_a_file(api: Any, tmp_path: Path) -> None:
    from kubernetes import client, utils

    path = tmp_path / "all.yaml"
    path.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: filed}\ndata: {a: b}\n---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: filed}\nspec:\n  selector: {matchLabels: {app: filed}}\n"
        "  template:\n    metadata: {labels: {app: filed}}\n    spec:\n      containers: [{name: main, image: 'busybox:1.36'}]\n"
    )
    utils.create_from_yaml(api, str(path), namespace=SPACE)
    assert client.AppsV1Api(api).read_namespaced_deployment("filed", SPACE).spec.replicas == 1


# Leader election as the package has it.


@pytest.mark.parametrize("kind", ["ConfigMapLock", "LeaseLock"])
def test_leader_election_passes_on(api: Any, kind: str) -> None:
    """Two candidates: one leads at a time, and when its work breaks, the other takes over."""
    module = pytest.importorskip(f"kubernetes.leaderelection.resourcelock.{kind.lower()}")
    from kubernetes.leaderelection import electionconfig, leaderelection

    led: list[str] = []
    breaks, done = threading.Event(), threading.Event()

    def start(identity: str, work: Any) -> None:
        lock = getattr(module, kind)(f"election-{kind.lower()}", SPACE, identity)
        settings = electionconfig.Config(
            lock, lease_duration=2, renew_deadline=1.5, retry_period=1, onstarted_leading=work, onstopped_leading=lambda: None
        )
        threading.Thread(target=leaderelection.LeaderElection(settings).run, daemon=True).start()

    def first() -> None:
        led.append("first")
        assert breaks.wait(WAIT_S)
        raise RuntimeError("the work of the first broke")

    def second() -> None:
        led.append("second")
        done.set()
        raise RuntimeError("this test is over")

    start("first", first)
    wait_for(lambda: led == ["first"])
    start("second", second)
    assert not done.wait(2.5), "the lease of the first is renewed for longer than it lasts"
    breaks.set()
    assert done.wait(WAIT_S)
    assert led == ["first", "second"]
    if kind == "LeaseLock":
        held = kubernetes.client.CoordinationV1Api(api).read_namespaced_lease("election-leaselock", SPACE).spec
        assert (held.holder_identity, held.lease_duration_seconds) == ("second", 2)


def wait_for(condition: Any) -> None:
    pause = threading.Event()
    for _ in range(WAIT_S * 20):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("it did not come about")


# The official client, dynamic.


def test_the_dynamic_client_finds_what_is_served(api: Any) -> None:
    from kubernetes import dynamic

    found = dynamic.DynamicClient(api)
    widgets = found.resources.get(api_version="example.test/v1", kind="Widget")
    made = widgets.create(body=instance("Widget", "d", size=1), namespace=SPACE)
    assert made.spec.colour == "red"
    merged = widgets.patch(body={"spec": {"size": 3}}, name="d", namespace=SPACE, content_type="application/merge-patch+json")
    assert merged.spec.size == 3
    applied = widgets.server_side_apply(
        body=instance("Widget", "d", size=4), namespace=SPACE, field_manager="dynamic", force_conflicts=True
    )
    assert applied.spec.size == 4
    widgets.status.patch(body={"status": {"ready": True}}, name="d", namespace=SPACE, content_type="application/merge-patch+json")
    events = widgets.watch(namespace=SPACE, timeout=WAIT_S)
    first = next(events)
    assert (first["type"], first["object"].metadata.name, first["object"].status.ready) == ("ADDED", "d", True)
    widgets.delete(name="d", namespace=SPACE)
    assert next(events)["type"] == "DELETED"
    events.close()
    with pytest.raises(dynamic.exceptions.NotFoundError):
        widgets.get(name="d", namespace=SPACE)


def test_the_dynamic_client_on_built_in_kinds(api: Any) -> None:
    from kubernetes import dynamic

    found = dynamic.DynamicClient(api)
    maps, nodes = (found.resources.get(api_version="v1", kind=kind) for kind in ("ConfigMap", "Node"))
    maps.create(body=config_map("dyn", a="1"), namespace=SPACE)
    assert maps.patch(body={"data": {"b": "2"}}, name="dyn", namespace=SPACE).data.to_dict() == {"a": "1", "b": "2"}
    with pytest.raises(dynamic.exceptions.ConflictError):
        maps.create(body=config_map("dyn"), namespace=SPACE)
    assert nodes.get().items == []
    assert maps.get(namespace=SPACE, label_selector="none=such").items == []


# lightkube.


@pytest.fixture
def light(master: Kmaster, api: Any) -> Iterator[Any]:
    settings = lightkube.KubeConfig.from_file(str(master.kubeconfig))
    with lightkube.Client(config=settings, namespace=SPACE, field_manager="light", trust_env=False) as client:
        yield client


def test_lightkube_creates_patches_and_applies(light: Any) -> None:
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.apps_v1 import Deployment
    from lightkube.resources.core_v1 import ConfigMap
    from lightkube.types import PatchType

    light.create(ConfigMap(metadata=ObjectMeta(name="light"), data={"a": "1"}))
    assert light.patch(ConfigMap, "light", {"data": {"b": "2"}}).data == {"a": "1", "b": "2"}
    assert light.patch(ConfigMap, "light", {"data": {"b": None}}, patch_type=PatchType.MERGE).data == {"a": "1"}
    added = [{"op": "add", "path": "/data/c", "value": "3"}]
    assert light.patch(ConfigMap, "light", added, patch_type=PatchType.JSON).data == {"a": "1", "c": "3"}
    applied = light.apply(ConfigMap(metadata=ObjectMeta(name="light"), data={"a": "4"}), force=True)
    assert applied.data == {"a": "4", "c": "3"}
    assert light.set(ConfigMap, "light", labels={"x": "y"}).metadata.labels == {"x": "y"}
    light.create(Deployment.from_dict(deployment("light")))
    light.replace(Deployment.Scale.from_dict({"metadata": {"name": "light", "namespace": SPACE}, "spec": {"replicas": 2}}), "light")
    assert light.get(Deployment, "light").spec.replicas == 2
    with pytest.raises(lightkube.ApiError) as missing:
        light.get(ConfigMap, "none")
    assert (missing.value.status.code, missing.value.status.reason) == (404, "NotFound")
    light.delete(ConfigMap, "light")


def test_lightkube_lists_in_pages_watches_and_waits(light: Any) -> None:
    from lightkube.resources.core_v1 import ConfigMap, Pod

    for n in range(5):
        light.create(ConfigMap.from_dict(config_map(f"light-{n}")))
    assert len([one for one in light.list(ConfigMap, chunk_size=2) if one.metadata.name.startswith("light-")]) == 5
    events = light.watch(ConfigMap, fields={"metadata.name": "light-0"}, server_timeout=WAIT_S)
    assert next(events)[0] == "ADDED"
    light.patch(ConfigMap, "light-0", {"data": {"a": "b"}})
    change, seen = next(events)
    assert (change, seen.data) == ("MODIFIED", {"a": "b"})
    light.deletecollection(ConfigMap)
    assert next(events)[0] == "DELETED"
    events.close()
    pod = {"metadata": {"name": "light"}, "spec": {"containers": [{"name": "main", "image": "busybox:1.36"}]}}
    light.create(Pod.from_dict(pod))
    light.patch(Pod.Status, "light", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    assert light.wait(Pod, "light", for_conditions=["Ready"]).metadata.name == "light"


def test_lightkube_generic_resources(light: Any) -> None:
    from lightkube.generic_resource import create_namespaced_resource, load_in_cluster_generic_resources
    from lightkube.types import PatchType

    load_in_cluster_generic_resources(light)
    widgets = create_namespaced_resource("example.test", "v1", "Widget", "widgets")
    light.create(widgets.from_dict(instance("Widget", "l", size=1)))
    light.patch(widgets, "l", {"spec": {"size": 2}}, patch_type=PatchType.MERGE)
    light.patch(widgets.Status, "l", {"status": {"ready": True}}, patch_type=PatchType.MERGE)
    stands = light.get(widgets, "l")
    assert (stands.spec, stands.status) == ({"size": 2, "colour": "red"}, {"ready": True})
    assert [one.metadata.name for one in light.list(widgets)] == ["l"]
    light.delete(widgets, "l")


def test_lightkube_asynchronous(master: Kmaster, api: Any) -> None:
    import asyncio

    from lightkube.resources.core_v1 import ConfigMap

    async def work() -> None:
        settings = lightkube.KubeConfig.from_file(str(master.kubeconfig))
        async with lightkube.AsyncClient(config=settings, namespace=SPACE, trust_env=False) as client:
            await client.create(ConfigMap.from_dict(config_map("async")))
            async with asyncio.timeout(WAIT_S):
                async for change, seen in client.watch(ConfigMap, fields={"metadata.name": "async"}):
                    assert (change, seen.metadata.name) == ("ADDED", "async")
                    break
            assert "async" in [one.metadata.name async for one in client.list(ConfigMap)]
            await client.delete(ConfigMap, "async")

    asyncio.run(work())
