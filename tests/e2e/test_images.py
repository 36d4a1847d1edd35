"""Images from a registry of one host, as users get them with the real kubectl: private ones, and what is told of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import net
from tests.agent import registries
from tests.agent.registries import PASSWORD, USER, Content, Registry
from tests.e2e.cluster import Cluster
from tests.e2e.test_workloads import pod

HOST = "host-1"
PORT = 5077


@contextmanager
def registry_on_host(cluster: Cluster, folder: Path, **options: str) -> Iterator[Registry]:
    if why := registries.missing():
        pytest.skip(why)
    state = json.loads((cluster.lab.kubeconfig.parent / "state.json").read_text())
    with registries.registry(folder, PORT, netns=net.namespace(state["id"], HOST), **options) as made:
        yield made


def data_folder(cluster: Cluster) -> Path:
    """The agent's, on the host's own disk, which is mounted in the host alone."""
    state = json.loads((cluster.lab.kubeconfig.parent / "state.json").read_text())
    init = next(host["init"]["pid"] for host in state["hosts"] if host["name"] == HOST)
    return Path(f"/proc/{init}/root/var/lib/kagent")


def create_secret(cluster: Cluster, name: str, address: str) -> None:
    cluster.kubectl(
        "create", "secret", "docker-registry", name, f"--docker-server={address}", f"--docker-username={USER}",
        f"--docker-password={PASSWORD}",
    )  # fmt: skip


def waiting(cluster: Cluster, name: str) -> dict:
    statuses = cluster.json("get", "pod", name)["status"].get("containerStatuses") or [{}]
    return statuses[0].get("state", {}).get("waiting", {})


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_private_image_runs_with_the_pods_secret_or_its_accounts_and_not_without(cluster: Cluster, tmp_path: Path) -> None:
    with registry_on_host(cluster, tmp_path / "registry", auth="password") as registry:
        # The names are this test's own: what another one pulled is on the host already.
        digest = registry.put(f"{cluster.namespace}/shell:1", Content(cluster.namespace, runs=True))
        image = f"{registry.address}/{cluster.namespace}/shell:1"
        cluster.apply(pod("nobody", image=image, nodeName=HOST, imagePullSecrets=[{"name": "absent"}]))
        cluster.until(lambda: waiting(cluster, "nobody").get("reason") in ("ErrImagePull", "ImagePullBackOff"), "the refusal")
        assert re.search(r"(?i)unauthorized|no basic auth", waiting(cluster, "nobody")["message"])
        cluster.until(lambda: "Unable to retrieve some image pull secrets (absent)" in cluster.kubectl("events"), "the event")

        create_secret(cluster, "regcred", registry.address)
        by_digest = image.replace(":1", f"@{digest}")
        cluster.apply(pod("own", image=image, nodeName=HOST, imagePullSecrets=[{"name": "regcred"}]))
        cluster.kubectl("patch", "serviceaccount", "default", "-p", '{"imagePullSecrets": [{"name": "regcred"}]}')
        cluster.apply(pod("by-account", image=by_digest, nodeName=HOST))
        cluster.kubectl("wait", "--for=condition=Ready", "pod/own", "pod/by-account", "--timeout=40s")
        assert re.search(r"Successfully pulled image .* in [0-9.]+m?s \(.* including waiting\)\. Image size: [0-9]+ bytes\.", cluster.kubectl("events"))
        assert "UnsupportedFeature" not in cluster.kubectl("events")
    kept = [path for path in data_folder(cluster).rglob("*") if path.is_file()]
    logs = [*cluster.lab.kubeconfig.parent.glob(f"hosts/{HOST}/log/*")]
    assert kept and logs and not any(PASSWORD.encode() in path.read_bytes() for path in (*kept, *logs))


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_host_pulls_from_its_mirror_and_says_what_is_wrong_with_its_file(cluster: Cluster, tmp_path: Path) -> None:
    file, name = data_folder(cluster) / "registries.yaml", cluster.namespace
    with registry_on_host(cluster, tmp_path / "registry", auth="password") as registry:
        for number in (1, 2):
            registry.put(f"library/{name}:{number}", Content(f"{name} {number}", runs=True))
        mirror = f"mirrors: {{docker.io: {{endpoint: ['http://{registry.address}']}}}}\n"
        file.write_text(f"{mirror}configs: {{'{registry.address}': {{auth: {{username: {USER}, password: {PASSWORD}}}}}}}\n")
        try:
            cluster.apply(pod("mirrored", image=f"{name}:1", nodeName=HOST))
            cluster.kubectl("wait", "--for=condition=Ready", "pod/mirrored", "--timeout=40s")
            assert cluster.json("get", "pod", "mirrored")["status"]["containerStatuses"][0]["image"].endswith(f"{name}:1")
            file.write_text(mirror + "mirror: {}\n")
            cluster.apply(pod("still", image=f"{name}:2", nodeName=HOST))
            cluster.kubectl("wait", "--for=condition=Ready", "pod/still", "--timeout=40s")
            words = "registries.yaml: mirror: is not supported: known are mirrors, configs"
            cluster.until(lambda: words in cluster.kubectl("get", "events", "-n", "default", "--field-selector", "reason=InvalidRegistries"), words)
        finally:
            file.unlink()
