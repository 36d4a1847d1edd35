"""Volumes: which are made where, with which files, and what is told when something is missing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.lifecycle import life, unsupported, volumes
from agent.lifecycle.life import Host, Moment, PodLife, Waiting
from agent.lifecycle.step import step
from agent.runtime.contract import ContainerSpec, Mount, RuntimeFault, SubPath
from agent.volumes import mounts, reclaim
from agent.volumes.folders import FolderVolumes, keep_in_memory
from common.clock import SeededRng
from common.wire import messages
from tests.agent import pods

CONFIGS = {
    ("ConfigMap", "default", "settings"): {"data": {"color": "blue", "size": "3"}},
    ("Secret", "default", "keys"): {"data": {"password": "c2VzYW1l"}},
    ("Secret", "default", "absent"): None,
}
HOST = Host(node="host-1", volume_root="/disk", memory_root="/memory", configs=CONFIGS)


def planned(**volume: object) -> object:
    made = volumes.plan(pods.view(pods.document(volumes=[{"name": "v", **volume}])), HOST)
    return made[0] if isinstance(made, tuple) else made


def files(**volume: object) -> dict[str, tuple[bytes, int]]:
    made = planned(**volume)
    assert isinstance(made, volumes.Files), made
    return {file.path: (file.content, file.mode) for file in made.files}


@pytest.mark.parametrize(
    ("volume", "path"),
    [
        pytest.param({"emptyDir": {}}, "/disk/uid-web/volumes/v", id="an emptyDir is on disk"),
        pytest.param({"emptyDir": {"medium": "Memory"}}, "/memory/uid-web/volumes/v", id="or in memory"),
        pytest.param({"configMap": {"name": "settings"}}, "/disk/uid-web/volumes/v", id="a ConfigMap is on disk"),
        pytest.param({"secret": {"secretName": "keys"}}, "/memory/uid-web/volumes/v", id="a Secret never is"),
        pytest.param({"projected": {"sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "keys"}}]}},
                     "/memory/uid-web/volumes/v", id="nor one among others"),
        pytest.param({"hostPath": {"path": "/srv"}}, "/srv", id="a hostPath is where it is"),
    ],
)  # fmt: skip
def test_where_a_volume_lies(volume: dict, path: str) -> None:
    assert planned(**volume).path == path


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        pytest.param({"configMap": {"name": "settings"}}, {"color": (b"blue", 0o644), "size": (b"3", 0o644)}, id="every key"),
        pytest.param({"configMap": {"name": "settings", "defaultMode": 0o400, "items": [{"key": "size", "path": "deep/er"}]}},
                     {"deep/er": (b"3", 0o400)}, id="chosen keys under other names"),
        pytest.param({"secret": {"secretName": "keys", "items": [{"key": "password", "path": "p", "mode": 0o600}]}},
                     {"p": (b"sesame", 0o600)}, id="a Secret decoded, with a mode of its own"),
        pytest.param({"secret": {"secretName": "absent", "optional": True}}, {}, id="optional and missing: empty"),
        pytest.param({"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                     {"labels": (b'app="web"', 0o644)}, id="the pod's labels"),
        pytest.param({"configMap": {"name": "settings", "items": [{"key": "size", "path": "../../etc/passwd"}]}}, {},
                     id="a path that leads out is left out"),
    ],
)  # fmt: skip
def test_which_files_it_has(volume: dict, expected: dict) -> None:
    assert files(**volume) == expected


def test_what_is_missing_holds_the_pod_back_and_is_told_once() -> None:
    view = pods.view(pods.document(volumes=[{"name": "v", "secret": {"secretName": "absent"}}]))
    now = Moment(0.0, 0.0)
    first = step(view, PodLife(live=True), [], now=now, host=HOST)
    assert first.action is None
    assert [(n.reason, n.message) for n in first.notes] == [("FailedMount", 'MountVolume.SetUp failed for volume "v" : secret "absent" not found')]
    assert step(view, first.life, [], now=now, host=HOST).notes == ()


def test_volumes_are_made_before_the_sandbox_and_again_when_their_content_changed() -> None:
    view = pods.view(pods.document(volumes=[{"name": "v", "configMap": {"name": "settings"}}]))
    now = Moment(0.0, 0.0)
    action = step(view, PodLife(live=True), [], now=now, host=HOST).action
    assert isinstance(action, life.PrepareVolumes)
    made = PodLife(live=True, volumes=action.fingerprint)
    assert isinstance(step(view, made, [], now=now, host=HOST).action, life.CreateSandbox)
    changed = Host(volume_root="/disk", configs={("ConfigMap", "default", "settings"): {"data": {"color": "red"}}})
    assert isinstance(step(view, made, [], now=now, host=changed).action, life.PrepareVolumes)


def test_not_arrived_yet_is_no_error() -> None:
    assert planned(configMap={"name": "later"}) == Waiting("ContainerCreating", 'waiting for configmap "later" from the master')


def test_what_containers_see_of_them() -> None:
    mounts = [
        {"name": "v", "mountPath": "/etc/v"},
        {"name": "e", "mountPath": "/e", "subPath": "part"},
        {"name": "e", "mountPath": "/mine", "subPathExpr": "logs/$(POD)", "mountPropagation": "HostToContainer"},
        {"name": "kube-api-access-x", "mountPath": "/var/run/secrets"},
    ]
    made = pods.document(
        volumes=[{"name": "v", "configMap": {"name": "settings"}}, {"name": "e", "emptyDir": {}}, {"name": "kube-api-access-x", "projected": {}}],
        containers=[pods.container("app", volumeMounts=mounts)],
    )
    view = pods.view(made)
    parts = volumes.sub_paths(view, view.spec.containers[0], {"POD": "web"}, HOST)
    target = "/disk/uid-web/volume-subpaths/e/app"
    assert parts == {
        1: SubPath("/disk/uid-web/volumes/e", "part", f"{target}/1", "e"),
        2: SubPath("/disk/uid-web/volumes/e", "logs/web", f"{target}/2", "e"),
    }
    assert list(volumes.mounts(view, view.spec.containers[0], HOST, parts)) == [
        Mount("/disk/uid-web/volumes/v", "/etc/v", read_only=True),
        Mount(f"{target}/1", "/e"),
        Mount(f"{target}/2", "/mine", propagation="HostToContainer"),
    ]
    assert unsupported.blocking(made) == []


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        pytest.param({"subPathExpr": "$(POD)/$(NODE)"}, 'missing value for "NODE"', id="a variable that has no value"),
        pytest.param({"subPathExpr": "$(ROOT)"}, "error SubPath `/etc` must not be an absolute path", id="a variable that leads to the root"),
        pytest.param({"subPathExpr": "$(UP)"}, "unable to provision SubPath `../../x`: must not contain '..'", id="one that leads up"),
    ],
)
def test_a_part_that_cannot_be_is_told_in_the_kubelets_words(mount: dict, words: str) -> None:
    mounts = [{"name": "e", "mountPath": "/e", **mount}]
    view = pods.view(pods.document(volumes=[{"name": "e", "emptyDir": {}}], containers=[pods.container("app", volumeMounts=mounts)]))
    env = {"POD": "web", "ROOT": "/etc", "UP": "../../x"}
    assert volumes.sub_paths(view, view.spec.containers[0], env, HOST) == Waiting("CreateContainerConfigError", words)


@pytest.mark.parametrize(
    ("empty", "limit", "expected"),
    [
        pytest.param({"medium": "Memory"}, None, 8000, id="the node's memory"),
        pytest.param({"medium": "Memory", "sizeLimit": "1Ki"}, None, 1024, id="what it says"),
        pytest.param({"medium": "Memory", "sizeLimit": "1Gi"}, "4000", 4000, id="no more than its pod may have"),
        pytest.param({"sizeLimit": "1Ki"}, None, 0, id="on disk nothing is mounted"),
    ],
)
def test_how_much_a_memory_volume_holds(empty: dict, limit: str | None, expected: int) -> None:
    resources = {"limits": {"memory": limit}} if limit else {}
    view = pods.view(pods.document(volumes=[{"name": "e", "emptyDir": empty}], containers=[pods.container("app", resources=resources)]))
    (made,) = volumes.plan(view, Host(memory_bytes=8000))
    assert isinstance(made, volumes.EmptyDir) and (made.size_bytes, made.in_memory) == (expected, "medium" in empty)


def test_huge_pages_are_refused() -> None:
    assert unsupported.blocking(pods.document(volumes=[{"name": "e", "emptyDir": {"medium": "HugePages-2Mi"}}])) == ["spec.volumes[e].emptyDir"]


# On the disk.


@pytest.fixture
def folders(tmp_path: Path) -> FolderVolumes:
    return FolderVolumes(str(tmp_path / "disk"), str(tmp_path / "memory"), SeededRng(1))


def made_of(tmp_path: Path, **content: str) -> volumes.Files:
    entries = tuple(volumes.File(name.replace("__", "/"), text.encode(), 0o640) for name, text in content.items())
    return volumes.Files("v", str(tmp_path / "disk" / "uid-web" / "volumes" / "v"), files=entries)


def test_files_change_all_at_once(tmp_path: Path, folders: FolderVolumes) -> None:
    first = made_of(tmp_path, color="blue", deep__size="3")
    folders.prepare((first,))
    path = Path(first.path)
    assert (path / "color").read_text() == "blue" and (path / "deep" / "size").read_text() == "3"
    assert (path / "color").stat().st_mode & 0o777 == 0o640
    before = os.readlink(path / "..data")
    folders.prepare((first,))
    assert os.readlink(path / "..data") == before, "nothing changed, nothing is written"
    folders.prepare((made_of(tmp_path, color="red"),))
    assert (path / "color").read_text() == "red"
    assert sorted(entry.name for entry in path.iterdir()) == sorted(["..data", "color", os.readlink(path / "..data")])


@pytest.mark.parametrize("content", [{"color": "blue"}, {"color": "red", "new": "x"}], ids=["the same content", "other content"])
def test_what_a_killed_agent_left_half_done_is_finished(tmp_path: Path, folders: FolderVolumes, content: dict[str, str]) -> None:
    folders.prepare((made_of(tmp_path, color="blue"),))
    path = Path(made_of(tmp_path).path)
    (path / "..halfway").mkdir()
    (path / "..halfway/color").write_text("green")
    (path / "..halfway.link").symlink_to("..halfway")
    (path / "color").unlink()
    folders.prepare((made_of(tmp_path, **content),))
    assert {name: (path / name).read_text() for name in content} == content
    assert sorted(each.name for each in path.iterdir()) == sorted(["..data", os.readlink(path / "..data"), *content])


def test_a_pods_volumes_go_with_it_and_nothing_else(tmp_path: Path, folders: FolderVolumes) -> None:
    other = tmp_path / "srv"
    other.mkdir()
    (other / "keep").write_text("kept")
    empty = volumes.EmptyDir("e", str(tmp_path / "disk" / "uid-web" / "volumes" / "e"))
    folders.prepare((made_of(tmp_path, a="1"), empty, volumes.HostPath("h", str(other), type="Directory")))
    Path(empty.path, "link").symlink_to(other)
    assert Path(empty.path).stat().st_mode & 0o777 == 0o777
    folders.discard("uid-web")
    folders.discard("uid-web")
    folders.discard("../srv")
    assert list((tmp_path / "disk").iterdir()) == list((tmp_path / "memory").iterdir()) == []
    assert (other / "keep").read_text() == "kept"


def test_a_hostpath_of_the_wrong_type_is_told(tmp_path: Path, folders: FolderVolumes) -> None:
    with pytest.raises(RuntimeFault, match="hostPath type check failed"):
        folders.prepare((volumes.HostPath("h", str(tmp_path / "absent"), type="Directory"),))
    folders.prepare((volumes.HostPath("h", str(tmp_path / "made"), type="DirectoryOrCreate"),))
    assert (tmp_path / "made").is_dir()
    folders.prepare((volumes.HostPath("h", str(tmp_path / "by/itself")), volumes.HostPath("n", "/dev/null")))
    assert (tmp_path / "by/itself").is_dir()
    for kind, right, wrong in (("CharDevice", "/dev/null", "character device"), ("Socket", "", "socket file"), ("BlockDevice", "", "block device")):
        if right:
            folders.prepare((volumes.HostPath("h", right, type=kind),))
        with pytest.raises(RuntimeFault, match=f"is not a {wrong}"):
            folders.prepare((volumes.HostPath("h", str(tmp_path / "made"), type=kind),))


def test_secret_content_is_not_shown() -> None:
    assert "sesame" not in repr(planned(secret={"secretName": "keys"}))
    assert "sesame" not in repr(volumes.File("token", b"sesame", 0o600))


API_ACCESS = {"projected": {"defaultMode": 0o644, "sources": [
    {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
    {"configMap": {"name": "settings", "items": [{"key": "color", "path": "ca.crt"}]}},
    {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
]}}  # fmt: skip
KEY = life.TokenKey("uid-web", "", 3607)


def with_token(token: str | Waiting | None, **spec: object) -> tuple[volumes.Volume, ...] | Waiting:
    tokens = {} if token is None else {KEY: token}
    host = Host(volume_root="/disk", memory_root="/memory", configs=CONFIGS, tokens=tokens)
    return volumes.plan(pods.view(pods.document(volumes=[{"name": "kube-api-access-x", **API_ACCESS}], **spec)), host)


def test_a_pods_token_its_ca_and_its_namespace_lie_in_memory() -> None:
    view = pods.view(pods.document(volumes=[{"name": "kube-api-access-x", **API_ACCESS}]))
    assert volumes.tokens(view) == [KEY]
    made = with_token("sesame")
    assert isinstance(made, tuple) and made[0].path == "/memory/uid-web/volumes/kube-api-access-x"
    assert isinstance(made[0], volumes.Files)
    assert {file.path: file.content for file in made[0].files} == {"ca.crt": b"blue", "namespace": b"default", "token": b"sesame"}
    assert with_token(None) == Waiting("ContainerCreating", "waiting for a token from the master")
    refused = with_token(Waiting("CreateContainerConfigError", 'failed to fetch token: serviceaccounts "x" not found'))
    words = 'MountVolume.SetUp failed for volume "kube-api-access-x" : failed to fetch token: serviceaccounts "x" not found'
    assert refused == Waiting("CreateContainerConfigError", words)
    assert volumes.plan(view, HOST) == (), "a host that makes no files needs none of it"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, (0o644, None), id="for everybody, as the volume says"),
        pytest.param({"securityContext": {"runAsUser": 1000}}, (0o600, 1000), id="the pod's own user's alone"),
        pytest.param({"securityContext": {"runAsUser": 1000}, "containers": [
            pods.container("a"), pods.container("b", securityContext={"runAsUser": 2000})]}, (0o644, None), id="of two users: everybody's"),
        pytest.param({"securityContext": {"fsGroup": 3000}}, (0o600, None), id="a group reads it by the right that it is given"),
    ],
)  # fmt: skip
def test_who_may_read_a_token(spec: dict, expected: tuple) -> None:
    made = with_token("sesame", **spec)
    assert isinstance(made, tuple) and isinstance(made[0], volumes.Files)
    token = next(file for file in made[0].files if file.path == "token")
    assert (token.mode, token.user) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it gives files to a group")
def test_a_pods_own_volumes_belong_to_its_fs_group(tmp_path: Path) -> None:
    folders = FolderVolumes(str(tmp_path / "disk"), str(tmp_path / "memory"), SeededRng(1))
    made = pods.view(pods.document(
        securityContext={"fsGroup": 4242},
        volumes=[{"name": "data", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "c", "defaultMode": 0o600}}],
    ))  # fmt: skip
    host = Host(volume_root=str(tmp_path / "disk"), memory_root=str(tmp_path / "memory"),
                configs={("ConfigMap", "default", "c"): {"data": {"key": "value"}}})  # fmt: skip
    plan = volumes.plan(made, host)
    assert isinstance(plan, tuple)
    for _ in range(2):
        folders.prepare(plan)
    data, key = (tmp_path / "disk" / "uid-web" / "volumes" / name for name in ("data", "conf/key"))
    assert (data.stat().st_gid, data.stat().st_mode & 0o7777) == (4242, 0o2777)
    assert (key.stat().st_gid, key.stat().st_mode & 0o777) == (4242, 0o640)
    token = volumes.Files("t", str(tmp_path / "memory/uid-web/volumes/t"), 4242, (volumes.File("token", b"x", 0o600, 1000),))
    folders.prepare((token,))
    found = Path(token.path, "token").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1000, 4242, 0o640)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it mounts")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[FolderVolumes, Path, Path]]:
    """Volumes, a volume's folder, and something outside of it that nobody must reach."""
    made, volume, secret = FolderVolumes(str(tmp_path / "disk"), str(tmp_path / "memory"), SeededRng(1)), tmp_path / "v", tmp_path / "secret"
    volume.mkdir(mode=0o777)
    secret.mkdir()
    (secret / "key").write_text("sesame")
    yield made, volume, secret
    made.discard("uid-web")
    assert mounts.below(str(tmp_path)) == []
    assert (secret / "key").read_text() == "sesame"


def part(tmp_path: Path, volume: Path, path: str) -> ContainerSpec:
    target = str(tmp_path / "disk/uid-web/volume-subpaths/v/app/0")
    return ContainerSpec("app", 0, "image", subpaths=(SubPath(str(volume), path, target, "v"),))


@needs_root
def test_a_part_of_a_volume_is_mounted_from_what_was_found(tmp_path: Path, bench: tuple[FolderVolumes, Path, Path]) -> None:
    made, volume, _ = bench
    (volume / "..data").mkdir()
    (volume / "..data/color").write_text("blue")
    (volume / "color").symlink_to("..data/color")
    seen = Path(part(tmp_path, volume, "color").subpaths[0].target)
    made.prepare_subpaths(part(tmp_path, volume, "color"))
    assert seen.read_text() == "blue", "a link that stays inside is followed, as in volumes of ConfigMaps"
    volume.chmod(0o2770)
    made.prepare_subpaths(part(tmp_path, volume, "deep/er"))
    assert (volume / "deep/er").is_dir() and (volume / "deep/er").stat().st_mode & 0o7777 == 0o2770
    (volume / "deep/er/file").write_text("here")
    assert (seen / "file").read_text() == "here", "another try may mount something else at the same place"
    made.discard("uid-web")
    assert (volume / "deep/er/file").read_text() == "here", "what was mounted is not removed with its mount"


@needs_root
@pytest.mark.parametrize("path", ["link", "link/key", "link/new", "up", "up/secret/key", "proc/1/root"])
def test_a_link_that_leads_out_is_not_followed(tmp_path: Path, bench: tuple[FolderVolumes, Path, Path], path: str) -> None:
    made, volume, secret = bench
    (volume / "link").symlink_to(secret)
    (volume / "up").symlink_to("..")
    (volume / "proc").symlink_to("/proc")
    with pytest.raises(RuntimeFault, match='failed to prepare subPath for volumeMount "v" of container "app"') as refused:
        made.prepare_subpaths(part(tmp_path, volume, path))
    assert refused.value.kind == "CreateContainerConfigError" and str(secret) not in refused.value.message
    assert [entry.name for entry in secret.iterdir()] == ["key"]


SWAP = """
import ctypes, os, sys
rename, folder = ctypes.CDLL(None).renameat2, os.open(sys.argv[1], os.O_RDONLY)
while True:
    rename(folder, b"there", folder, b"other", 2)  # RENAME_EXCHANGE
"""


@needs_root
def test_a_link_that_is_swapped_meanwhile_never_shows_what_is_outside(tmp_path: Path, bench: tuple[FolderVolumes, Path, Path]) -> None:
    """Somebody in the pod exchanges a folder and a link to the outside as fast as the kernel can."""
    made, volume, secret = bench
    (volume / "there").mkdir()
    (volume / "other").symlink_to(secret)
    attacker = subprocess.Popen([sys.executable, "-c", SWAP, str(volume)])  # of its own, so that the two take no turns
    seen, outcomes = Path(part(tmp_path, volume, "there").subpaths[0].target), {"mounted": 0, "refused": 0}
    try:
        deadline, number = time.monotonic() + 30, 0
        while number < 300 or not all(outcomes.values()):
            number += 1
            assert time.monotonic() < deadline, outcomes
            try:
                made.prepare_subpaths(part(tmp_path, volume, "there" if number % 2 else "there/new"))
            except RuntimeFault:
                outcomes["refused"] += 1
                continue
            outcomes["mounted"] += 1
            assert not (seen / "key").exists(), "the outside was mounted"
    finally:
        attacker.kill()
        attacker.wait()
    assert [entry.name for entry in secret.iterdir()] == ["key"]


@needs_root
def test_a_memory_volume_is_full_when_it_holds_what_it_may(tmp_path: Path, folders: FolderVolumes) -> None:
    path = tmp_path / "memory/uid-web/volumes/e"
    volume = volumes.EmptyDir("e", str(path), 4242, in_memory=True, size_bytes=1 << 20)
    for _ in range(2):
        folders.prepare((volume,))
    assert len(mounts.below(str(path))) == 1 and path.stat().st_mode & 0o7777 == 0o2777
    with pytest.raises(OSError, match="No space left"):
        (path / "big").write_bytes(b"x" * (2 << 20))
    folders.discard("uid-web")
    assert mounts.below(str(tmp_path)) == [] and not path.exists()


# Claims.


def persistent(source: dict, **meta: object) -> dict:
    return {"metadata": {"name": "pv-1", **meta}, "spec": {"volumeMode": "Filesystem", "accessModes": ["ReadWriteOnce"], **source}}


OURS = {"annotations": {"pv.kubernetes.io/provisioned-by": "steersman.io/local-path"}}
KEY_OF_CLAIM = ("PersistentVolumeClaim", "default", "data")


def claimed(document: dict | None, **spec: object) -> object:
    view = pods.view(pods.document(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}], **spec))
    made = volumes.plan(view, Host(configs={KEY_OF_CLAIM: document}))
    return made[0] if isinstance(made, tuple) else made.message


@pytest.mark.parametrize(
    ("document", "spec", "expected"),
    [
        pytest.param(persistent({"local": {"path": "/srv"}}), {}, volumes.Local("v", "/srv", None, "pv-1"), id="a folder of the host"),
        pytest.param(persistent({"local": {"path": "/srv"}}, **OURS), {}, volumes.Local("v", "/srv", None, "pv-1", made=True), id="one of ours"),
        pytest.param(persistent({"local": {"path": "/srv"}}), {"securityContext": {"fsGroup": 7, "fsGroupChangePolicy": "OnRootMismatch"}},
                     volumes.Local("v", "/srv", 7, "pv-1", lazily=True), id="given to the pod's group"),
        pytest.param(persistent({"hostPath": {"path": "/srv", "type": "Directory"}}), {"securityContext": {"fsGroup": 7}},
                     volumes.HostPath("v", "/srv", type="Directory"), id="a hostPath is left as it is"),
        pytest.param(None, {}, 'MountVolume.SetUp failed for volume "v" : error processing PVC default/data: PVC is not bound', id="no volume"),
        pytest.param(persistent({"nfs": {"server": "s", "path": "/"}}), {},
                     'MountVolume.SetUp failed for volume "v" : volumes of type nfs are not supported by this agent', id="a kind it cannot mount"),
        pytest.param({**persistent({"local": {"path": "/dev/sdb"}}), "spec": {"local": {"path": "/dev/sdb"}, "volumeMode": "Block"}}, {},
                     'MountVolume.SetUp failed for volume "v" : volumeMode Block is not supported by this agent', id="a block device"),
        pytest.param(persistent({"local": {"path": "/srv"}, "mountOptions": ["noatime"]}), {},
                     'MountVolume.SetUp failed for volume "v" : mount options are not supported for this volume type', id="mount options"),
    ],
)  # fmt: skip
def test_what_a_claim_is_on_its_host(document: dict | None, spec: dict, expected: object) -> None:
    assert claimed(document, **spec) == expected


def test_a_container_waits_while_its_claim_has_no_volume_and_mounts_what_it_has() -> None:
    mounts = [{"name": "v", "mountPath": "/data"}]
    view = pods.view(pods.document(
        volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}}],
        containers=[pods.container("app", volumeMounts=mounts)],
    ))  # fmt: skip
    app, host = view.spec.containers[0], Host(configs={KEY_OF_CLAIM: persistent({"local": {"path": "/srv"}})})
    assert isinstance(volumes.sub_paths(view, app, {}, Host()), Waiting)
    assert volumes.refs(view) == [KEY_OF_CLAIM]
    assert list(volumes.mounts(view, app, host, {})) == [Mount("/srv", "/data", read_only=True)]


@needs_root
def test_a_claimed_folder_is_made_given_to_its_group_and_kept(tmp_path: Path, folders: FolderVolumes) -> None:
    path = tmp_path / "local-path/pvc-1"
    folders.prepare((volumes.Local("v", str(path), None, "pvc-1", made=True),))
    assert path.stat().st_mode & 0o777 == 0o777
    (path / "deep").mkdir()
    (path / "deep/file").write_text("kept")
    (path / "link").symlink_to("/etc/passwd")
    before = Path("/etc/passwd").stat()
    folders.prepare((volumes.Local("v", str(path), 4242, "pvc-1", made=True),))
    assert [(each.stat().st_gid, each.stat().st_mode & 0o2060) for each in (path, path / "deep")] == [(4242, 0o2060)] * 2
    assert (path / "deep/file").stat().st_gid == 4242 and (path / "deep/file").read_text() == "kept"
    after = Path("/etc/passwd").stat()
    assert (after.st_gid, after.st_mode) == (before.st_gid, before.st_mode), "a link's target is not touched"
    os.chown(path / "deep/file", -1, 0)
    folders.prepare((volumes.Local("v", str(path), 4242, "pvc-1", lazily=True),))
    assert (path / "deep/file").stat().st_gid == 0, "OnRootMismatch looks at the root alone"
    folders.discard("uid-web")
    assert (path / "deep/file").read_text() == "kept"
    with pytest.raises(RuntimeFault, match='initialization failed for volume "pv" : path "/nowhere/x" does not exist'):
        folders.prepare((volumes.Local("v", "/nowhere/x", None, "pv"),))


# Folders of volumes that are to go.

NAME = "pvc-12345678-1234-1234-1234-123456789abc"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        pytest.param(NAME, "/etc", id="another folder"),
        pytest.param("etc", "/etc", id="a name that is no volume's"),
        pytest.param(NAME, f"/srv/../{NAME}", id="a way up"),
        pytest.param(NAME, f"srv/{NAME}", id="no whole path"),
    ],
)
def test_what_is_never_removed(name: str, path: str) -> None:
    assert reclaim.refusal(name, path)


def test_a_folder_is_removed_and_told_and_a_link_is_left(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("kept")
    folder, link = tmp_path / NAME, tmp_path / NAME.replace("pvc-1", "pvc-2")
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    link.symlink_to(kept)
    said: list[messages.Message] = []

    async def main() -> None:
        async def send(message: messages.Message) -> None:
            said.append(message)

        work = reclaim.Reclaim(real=True)
        for path in (folder, link, tmp_path / NAME.replace("pvc-1", "pvc-3")):
            work.drop(messages.DropVolume(7, path.name, str(path)))
        running = asyncio.ensure_future(work.run(send))
        async with asyncio.timeout(10):
            while len(said) < 3:
                await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(main())
    assert not folder.exists() and (kept / "file").read_text() == "kept"
    assert [(each.epoch, each.error) for each in said if isinstance(each, messages.VolumeGone)] == [(7, "")] * 3


@needs_root
def test_what_is_secret_lies_in_memory_wherever_it_is_told_to_lie() -> None:
    """On a disk a tmpfs is mounted; where it is in memory already nothing is done."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as disk:
        folder = f"{disk}/run/pods"
        keep_in_memory(folder)
        once = mounts.below(disk)
        keep_in_memory(folder)
        try:
            assert mounts.filesystem(f"{folder}/uid") in ("tmpfs", "ramfs") and mounts.below(disk) == once
        finally:
            for each in once:
                mounts.unmount(each)
