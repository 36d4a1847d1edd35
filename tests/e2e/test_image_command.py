"""kctl image on real hosts: what is there, an archive loaded into several of them, pulled and removed; and who may."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import images
from tests.e2e.cluster import Cluster
from tests.e2e.test_images import HOST, registry_on_host
from tests.e2e.test_workloads import pod
from tests.agent.registries import Content


@pytest.mark.real
@pytest.mark.also("docker")
def test_an_archive_is_loaded_into_hosts_and_runs_there_without_a_registry(cluster: Cluster, tmp_path: Path) -> None:
    name = f"docker.io/{cluster.namespace}/loaded:1"
    shell = images.catalogue()[1]
    archive = tmp_path / "images.tar"
    archive.write_bytes(images.archive([images.Image(names=(name,), files={**shell.files, "etc/mark": (0o644, cluster.namespace.encode())})]))
    said = cluster.kctl("image", "load", str(archive))
    assert {line for line in said.splitlines() if name.removeprefix("docker.io/") in line} == set(said.splitlines())
    assert [line.partition(":")[0] for line in sorted(said.splitlines())] == ["host-1", "host-2"]
    document = pod("loaded", "cat /etc/mark; sleep 3600", image=name, nodeName="host-2")
    document["spec"]["containers"][0]["imagePullPolicy"] = "Never"
    cluster.apply(document)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/loaded", "--timeout=30s")
    listed = json.loads(cluster.kctl("image", "ls", "-o", "json"))
    assert {node: [each["used"] for each in images if name in each["tags"]] for node, images in listed.items()} == {
        "host-1": [False], "host-2": [True],
    }  # fmt: skip
    refused = cluster.kctl("image", "rm", name, check=False)
    assert f"host-1: removed {name}" in refused and "in use by a container" in refused
    cluster.kubectl("delete", "pod", "loaded", "--now")
    cluster.until(lambda: f"host-2: removed {name}" in cluster.kctl("image", "rm", name, "--node", "host-2", check=False), "its end")


@pytest.mark.real
@pytest.mark.also("docker")
def test_an_archive_that_is_none_and_a_node_that_is_none_are_told(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "no.tar").write_bytes(b"this is no archive" * 100_000)
    said = cluster.kctl("image", "load", str(tmp_path / "no.tar"), "--node", "host-1", check=False)
    assert said.startswith("host-1: ") and "loaded" not in said
    assert 'nodes "host-9" not found' in cluster.kctl("image", "ls", "--node", "host-9", check=False)


@pytest.mark.real
def test_an_image_is_pulled_with_the_hosts_own_credentials(cluster: Cluster, tmp_path: Path) -> None:
    with registry_on_host(cluster, tmp_path / "registry") as registry:
        registry.put(f"{cluster.namespace}/pulled:1", Content(cluster.namespace))
        name = f"{registry.address}/{cluster.namespace}/pulled:1"
        assert cluster.kctl("image", "pull", name, "--node", HOST).startswith(f"{HOST}: pulled {name} (")
        assert name in cluster.kctl("image", "ls", "--node", HOST)
        assert cluster.kctl("image", "rm", name, "--node", HOST).startswith(f"{HOST}: removed {name}")
