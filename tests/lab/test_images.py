"""The images that a lab makes: what is in them, and that the same programs give the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile

import pytest

from lab import images
from lab.contract import LabFault

pytestmark = pytest.mark.skipif(
    not shutil.which("catatonit") or not shutil.which("busybox"), reason="needs Debian's busybox-static and catatonit"
)


@pytest.fixture(scope="module")
def archive() -> bytes:
    return images.archive(images.catalogue())


def test_the_same_programs_give_the_same_bytes(archive: bytes) -> None:
    assert images.archive(images.catalogue()) == archive


def test_every_name_a_user_would_type_is_there(archive: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        index = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
    listed = {entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]}
    assert {images.SANDBOX_IMAGE, "docker.io/library/busybox:1.36", "docker.io/library/nginx:1.27"} <= listed
    assert sorted(listed) == images.names()


def test_all_digests_and_sizes_are_true(archive: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        def blob(descriptor: dict) -> bytes:
            content = tar.extractfile(f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}").read()  # type: ignore[union-attr]
            assert len(content) == descriptor["size"]
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
            return content

        for entry in json.load(tar.extractfile("index.json"))["manifests"]:  # type: ignore[arg-type]
            manifest = json.loads(blob(entry))
            config = json.loads(blob(manifest["config"]))
            for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
                assert f"sha256:{hashlib.sha256(gzip.decompress(blob(layer))).hexdigest()}" == diff_id


@pytest.mark.parametrize(("machine", "named"), [("x86_64", "amd64"), ("aarch64", "arm64")])
def test_images_name_the_processor_that_their_programs_are_for(machine: str, named: str) -> None:
    image = images.Image(names=("docker.io/library/one:1",), files={"one": (0o755, b"")})
    with tarfile.open(fileobj=io.BytesIO(images.archive([image], machine))) as tar:
        (entry,) = json.load(tar.extractfile("index.json"))["manifests"]  # type: ignore[arg-type]
        (loaded,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(tar.extractfile(loaded["Config"]))  # type: ignore[arg-type]
    assert entry["platform"] == {"architecture": named, "os": "linux"}
    assert (config["architecture"], config["os"]) == (named, "linux")


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SEARCH_PATH", "/nowhere")
    with pytest.raises(LabFault, match="busybox-static"):
        images.catalogue()
